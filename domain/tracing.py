"""What is told of work, span by span, to whoever traces it.

A span is told once it has ended. Its trace follows from its job and an event's span from the event's id, so that every
process knows them both: nothing is carried from one to the next but the events themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol

from domain.errors import DiscoError

TRACE_BYTES, SPAN_BYTES = 16, 8
MOST_LINKS = 100

Attributes = Mapping[str, str | int]
"""What else is told of a span: ids of ours, names of ours, numbers; never what somebody wrote, nor a file's name."""


class Side(StrEnum):
    """Whether a span answers somebody, sends something on, or stays inside."""

    INTERNAL = "internal"
    SERVER = "server"
    PRODUCER = "producer"


@dataclass(frozen=True, slots=True)
class Place:
    """A span's own ids: its trace, of 128 bits, and the span in it, of 64; none is zero."""

    trace: int
    span: int


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of work that has ended; `parent` is of the same trace, `fault` the code of what went wrong."""

    name: str
    place: Place
    parent: int | None
    began_us: int
    ended_us: int
    attributes: Attributes
    links: tuple[Place, ...] = ()
    fault: str | None = None
    side: Side = Side.INTERNAL


class Spans(Protocol):
    """Where spans are told. Telling takes no time to speak of and never raises, however those who listen are."""

    @property
    def on(self) -> bool:
        """Whether anybody listens; where nobody does, nothing need be put together."""

    def now_us(self) -> int:
        """Microseconds since 1970."""

    def fresh(self) -> int:
        """A random id of a span."""

    def tell(self, span: Span) -> None:
        """Tell of a span that has ended."""

    def close(self) -> None:
        """Send what was told, in a second at most."""


class NoSpans:
    """Nobody listens."""

    on = False

    def now_us(self) -> int:
        """See `Spans.now_us`; nobody looks."""
        return 0

    def fresh(self) -> int:
        """See `Spans.fresh`; nobody looks."""
        return 0

    def tell(self, span: Span) -> None:
        """Forget it."""

    def close(self) -> None:
        """There is nothing to send."""


def trace_of(job: str) -> int:
    """The trace of a job: all that belongs to one correlation, wherever and whenever it is done."""
    return _hashed("trace", job, size=TRACE_BYTES)


def span_of(*parts: object) -> int:
    """A span's id that follows from what it is of."""
    return _hashed("span", *parts, size=SPAN_BYTES)


def place_of(job: str, event_id: str) -> Place:
    """Where an event's span is."""
    return Place(trace_of(job), span_of("event", event_id))


def _hashed(*parts: object, size: int) -> int:
    # Even in all bits, which those of a UUID are not: samplers compare some of them with a bound.
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=size).digest()) or 1


@dataclass(eq=False, slots=True)
class Ongoing:
    """Work under way, which becomes a span; what it is within is `above` it.

    caller: the span of another program that asked for it. job: told as soon as it is known.
    """

    name: str
    span: int
    side: Side
    above: Ongoing | None
    caller: Place | None
    trace: int | None = None
    attributes: dict[str, str | int] = field(default_factory=dict)
    links: list[Place] = field(default_factory=list)
    fault: str | None = None

    def belongs_to(self, job: str) -> None:
        """Say whose job it is; so is what it is within, unless that has a trace already: then the two are linked."""
        self.trace = trace_of(job)
        top = self._top()
        if top.trace is None:
            top.trace = self.trace
        elif top.trace != self.trace and len(top.links) < MOST_LINKS:
            top.links.append(Place(self.trace, self.span))

    def _top(self) -> Ongoing:
        return self if self.above is None else self.above._top()

    def ended(self, began_us: int, ended_us: int, fresh: int) -> Span:
        """The span. fresh: names the trace of what came to no job."""
        top = self._top()
        if top.trace is None:
            top.trace = fresh
        trace = self.trace or top.trace
        parent = self.caller.span if self.caller else None
        if self.above is not None:
            if trace == top.trace:
                parent = self.above.span
            else:
                self.links.append(Place(top.trace, self.above.span))
        place = Place(trace, self.span)
        links, side = tuple(self.links), self.side
        return Span(self.name, place, parent, began_us, ended_us, self.attributes, links, self.fault, side)


_now: ContextVar[Ongoing | None] = ContextVar("ongoing", default=None)


def ongoing() -> Ongoing | None:
    """The innermost work under way in this thread or task, of what is traced."""
    return _now.get()


@contextmanager
def doing(
    spans: Spans, name: str, *, side: Side = Side.INTERNAL, caller: Place | None = None
) -> Iterator[Ongoing | None]:
    """Tell of what is done within, as a part of what is under way already; None where nobody listens."""
    if not spans.on:
        yield None
        return
    work = Ongoing(name, spans.fresh(), side, _now.get(), caller, caller.trace if caller else None)
    began_us, before = spans.now_us(), _now.set(work)
    try:
        yield work
    except DiscoError as error:
        work.fault = error.code
        raise
    except Exception:
        work.fault = DiscoError.code
        raise
    except BaseException:  # told to stop
        work.fault = "broken_off"
        raise
    finally:
        _now.reset(before)
        spans.tell(work.ended(began_us, spans.now_us(), spans.fresh() << 64 | spans.fresh()))
