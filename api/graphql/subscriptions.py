"""Subscriptions: history first, then live; a client that comes back with its last cursor misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import strawberry

from api.access import requires
from api.graphql.context import Info
from api.graphql.events import Event, selection
from api.graphql.fields import subscription
from api.graphql.scalars import JSON, Cursor
from api.threads import call_in
from api.tokens import event_text, parse_position
from domain.access import Permission
from domain.errors import Malformed
from domain.ids import ProjectId, parse_id
from domain.ports import Progress, Selection
from events.analyses import Analysis
from events.catalogue import types_under
from events.envelope import Recorded
from events.generations import AudioRendered, MidiGenerated, MidiTranscribed
from events.processing import ProcessingFailed

RESULTS = (
    *(kind.TYPE for kind in types_under(Analysis)),
    MidiGenerated.TYPE,
    MidiTranscribed.TYPE,
    AudioRendered.TYPE,
    ProcessingFailed.TYPE,
)
MOST_PROGRESS = 256


@strawberry.type(description="An event, and the cursor to go on from behind it")
class EventMessage:
    """A message of `events`."""

    cursor: Cursor
    event: Event

    @property
    def shared_key(self) -> tuple[str, int]:
        """Equal keys, equal messages, whoever asks."""
        return "event", self.event.position


@strawberry.type(description="What a processor gave: a finding, something generated, or a failure")
class Result:
    """A message of `results`."""

    cursor: Cursor
    kind: str = strawberry.field(description="The kind of finding; midi or audio; failure")
    resource_id: strawberry.ID = strawberry.field(description="What was analysed, generated or could not be processed")
    facts: JSON
    event: Event

    @property
    def shared_key(self) -> tuple[str, int]:
        """Equal keys, equal messages, whoever asks."""
        return "result", self.event.position


@strawberry.type(description="How far a piece of work is; forgotten once told")
class ProgressMessage:
    """Resolved over `domain.ports.Progress`, whose attributes it names."""

    job: strawberry.ID
    resource_id: strawberry.ID
    step: str
    done: int
    total: int
    failed: int
    eta_s: float | None


def result_of(event: Recorded) -> Result:
    """What a processor's event means to who waits for results."""
    data = event.data
    if isinstance(data, Analysis):
        kind, facts = data.KIND, {name: getattr(data, name) for name in data.FACTS}
    elif isinstance(data, ProcessingFailed):
        kind, facts = "failure", {"processor": data.processor, "code": data.code, "message": data.message}
    else:
        kind, facts = getattr(data, "KIND", ""), {"name": getattr(data, "name", "")}
    return Result(
        cursor=Cursor(event_text(event.position)),
        kind=kind,
        resource_id=strawberry.ID(event.subject),
        facts=cast(JSON, facts),
        event=cast(Event, event),
    )


@requires(Permission.READ, of="project")
async def events(
    info: Info,
    after: Cursor | None = None,
    types: list[str] | None = None,
    subject: strawberry.ID | None = None,
    project: strawberry.ID | None = None,
) -> AsyncIterator[EventMessage]:
    """Every event behind a cursor, then those to come; without one, from the beginning."""
    wanted, begin = selection(types, subject, project), parse_position(info.context.last_event_id or after)
    async for page in info.context.shared.feed.pages(begin, wanted):
        for event in page.events:
            yield EventMessage(cursor=Cursor(event_text(event.position)), event=cast(Event, event))


@requires(Permission.READ, of="project")
async def results(info: Info, project: strawberry.ID, after: Cursor | None = None) -> AsyncIterator[Result]:
    """Every result of processing in a project behind a cursor, then those to come."""
    wanted = Selection(types=RESULTS, project=ProjectId(parse_id(project)))
    begin = parse_position(info.context.last_event_id or after)
    async for page in info.context.shared.feed.pages(begin, wanted):
        for event in page.events:
            yield result_of(event)


@requires(Permission.READ)
async def progress(info: Info, job: strawberry.ID) -> AsyncIterator[ProgressMessage]:
    """How far a job is, from now on; of each step only the newest is told to who cannot keep up."""
    if info.context.last_event_id is not None:
        raise Malformed("progress is not kept, so it cannot go on from a Last-Event-ID; leave it away", field="after")
    loop, newest, told = asyncio.get_running_loop(), dict[tuple[str, str], Progress](), asyncio.Event()

    def hear(heard: Progress) -> None:
        newest.pop((heard.resource_id, heard.step), None)
        newest[heard.resource_id, heard.step] = heard
        if len(newest) > MOST_PROGRESS:
            newest.pop(next(iter(newest)))
        told.set()

    def listen(heard: Progress) -> None:
        if heard.job == job:
            call_in(loop, hear, heard)

    stop = info.context.service.on_progress(listen)
    try:
        while True:
            await told.wait()
            told.clear()
            for key in list(newest):
                yield cast(ProgressMessage, newest.pop(key))
    finally:
        stop()


@strawberry.type
class Subscription:
    """What can be followed."""

    events: AsyncIterator[EventMessage] = subscription(events)
    results: AsyncIterator[Result] = subscription(results)
    progress: AsyncIterator[ProgressMessage] = subscription(progress)
