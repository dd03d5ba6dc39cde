"""What is traced of events: their append, their answers, and the pages they go on in to views and to Kafka.

Nothing here asks the log or a view. What is history, read again or brought from elsewhere, is not told anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from domain.errors import Malformed
from domain.ids import is_id
from domain.tracing import (
    MOST_LINKS,
    Attributes,
    NoSpans,
    Place,
    Side,
    Span,
    Spans,
    ongoing,
    place_of,
    span_of,
    trace_of,
)
from events.envelope import Proposed, Recorded
from events.processing import ProcessingFailed
from infra.settings import Settings

RECENT_US = 3_600_000_000
MOST_JOBS = 50
OFF = NoSpans()

Brought = Iterable[tuple[str, str, int]]
"""Of each event of a page: its job, its id, and when it happened in microseconds since 1970."""


def spans_of(settings: Settings) -> Spans:
    """Where the settings say that spans are told. Raises: Malformed, where what that takes is not installed."""
    if settings.otlp_endpoint is None:
        return OFF
    try:
        from infra.otlp import Otlp  # an extra, and half a second of imports
    except ModuleNotFoundError as error:
        raise Malformed(
            f"DISCO_OTLP_ENDPOINT is set, and {error.name} is not installed; pip install 'disco-musica[otel]'",
            field="otlp_endpoint",
        ) from error
    return Otlp(settings.otlp_endpoint, profile=settings.profile)


def tell_appended(spans: Spans, events: Sequence[Proposed], positions: Sequence[int], began_us: int) -> None:
    """Tell of events that were written, each beneath the command or the answer that it came of."""
    ended_us = spans.now_us()
    for event, position in zip(events, positions, strict=True):
        data = event.data
        told: Attributes = {
            **_job(event.correlation),
            "disco.event.id": event.id,
            "disco.event.type": data.TYPE,
            "disco.event.version": data.VERSION,
            "disco.position": position,
            "disco.project": event.project,
            "disco.resource": data.subject,
        }
        place = place_of(event.correlation, event.id)
        spans.tell(Span(f"append {data.TYPE}", place, _above(event), began_us, ended_us, told))


def _above(event: Proposed) -> int | None:
    """The span that an event came of: a processor's, that of the event it follows from, or the command under way."""
    if event.causation is None:
        return None if (command := ongoing()) is None else command.span
    return _of_answer(event) if event.source.startswith("/processors/") else span_of("event", event.causation)


def _of_answer(event: Proposed) -> int:
    """The span of the processor that an event is an answer of."""
    return span_of("answer", event.correlation, event.causation, event.source.partition("#")[0])


def tell_answered(
    spans: Spans, answers: Sequence[Proposed], trigger: Recorded, *, began_us: int, attempts: int
) -> None:
    """Tell of what each processor did about an event, all its attempts together, given what was written of it.

    trigger: what asked for it, the event itself or a request to do it again.
    """
    ended_us, parent = spans.now_us(), span_of("event", trigger.id)
    for answer in answers:
        name, version = answer.source.split("/")[2:]
        if "#" in version:
            continue  # a further event of the same answer
        failed = answer.data if isinstance(answer.data, ProcessingFailed) else None
        told: dict[str, str | int] = {
            **_job(answer.correlation),
            "disco.processor": name,
            "disco.processor.version": version,
            "disco.attempts": attempts,
            "disco.outcome": "answered" if failed is None else "gave_up",
            "disco.position": trigger.position,
        }
        if answer.duration_ms is not None:
            told["disco.worked_ms"] = answer.duration_ms
        place, fault = Place(trace_of(answer.correlation), _of_answer(answer)), failed.code if failed else None
        spans.tell(Span(f"process {name}", place, parent, began_us, ended_us, told, fault=fault))


def tell_page(spans: Spans, name: str, page: Brought, began_us: int, **told: str | int) -> None:
    """Tell of a page that was brought on: a span for each job, beneath its first event and linked to the others.

    What is older than an hour is history, which is being caught up with or replayed.
    """
    ended_us = spans.now_us()
    jobs: dict[str, list[str]] = {}
    for job, id, time_us in page:
        if time_us > ended_us - RECENT_US:
            jobs.setdefault(job, []).append(id)
    side = Side.PRODUCER if name == "publish" else Side.INTERNAL
    for job, ids in islice(jobs.items(), MOST_JOBS):
        first, *others = (place_of(job, id) for id in ids[: MOST_LINKS + 1])
        place, links = Place(first.trace, spans.fresh()), tuple(others)
        attributes = {**_job(job), **told, "disco.events": len(ids)}
        spans.tell(Span(name, place, first.span, began_us, ended_us, attributes, links, side=side))


def tell_folded(spans: Spans, view: str, events: Iterable[Recorded], began_us: int) -> None:
    """Tell of events that were folded into the live generation of a view."""
    page = ((event.correlation, event.id, event.time_us) for event in events)
    tell_page(spans, f"fold {view}", page, began_us, **{"disco.view": view})


def _job(job: str) -> dict[str, str | int]:
    """A job's id where it is one of ours: a client may name its commands as it likes, and so tell what it likes."""
    return {"disco.job": job} if is_id(job) else {}
