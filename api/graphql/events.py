"""Events as people see them: what happened, to what, when, by whom, because of what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import orjson
import strawberry

from api.access import requires
from api.graphql.context import Info
from api.graphql.fields import derived, query
from api.graphql.moments import moment_of
from api.graphql.paging import Connection, connect
from api.graphql.scalars import JSON, Cursor, Instant, Long
from api.tokens import event_text, parse_position
from domain.access import Permission
from domain.errors import Malformed, NotFound
from domain.ids import ProjectId, parse_id
from domain.ports import Selection
from events.catalogue import EVENT_TYPES
from events.envelope import Recorded, encode

if TYPE_CHECKING:
    from api.graphql.resources import Resource


@strawberry.type(description="Something that happened, in the envelope of CloudEvents 1.0")
class Event:
    """Resolved over `events.envelope.Recorded`, whose attributes it names."""

    id: strawberry.ID
    type: str = strawberry.field(description="Its CloudEvents type, such as disco.audio.imported")
    version: int = strawberry.field(description="The version of the type that it was written in")
    subject: strawberry.ID = strawberry.field(description="The resource it is about")
    project: strawberry.ID = strawberry.field(name="projectId")
    position: Long = strawberry.field(description="Its place in the log")
    sequence: Long = strawberry.field(description="Its place in its project, counted without gaps")
    time_us: Instant = strawberry.field(name="time")
    actor: str
    source: str = strawberry.field(description="What made it: /commands or /processors/NAME/VERSION")
    processor: str | None
    correlation: str = strawberry.field(name="job")
    causation: strawberry.ID | None = strawberry.field(name="cause", description="The event it follows from")
    duration_ms: int | None = strawberry.field(description="The work it took")

    @derived()
    def processor_version(self) -> str | None:
        """The version of the processor that made it."""
        return self.source.split("/")[3] if self.processor else None

    @derived()
    def cursor(self) -> Cursor:
        """Where to go on behind it."""
        return Cursor(event_text(self.position))

    @derived("The payload in its newest version; schemas are in docs/events")
    def data(self) -> JSON:
        """The payload."""
        return payload(cast(Recorded, self))

    @derived("The resource it is about, as it is now; beneath what is told as of a moment, as it was then")
    async def resource(self, info: Info) -> Annotated[Resource, strawberry.lazy("api.graphql.resources")] | None:
        """The resource it is about; null where it has none."""
        try:
            return await info.context.resource_at(self.subject, moment_of(self))
        except NotFound:
            return None


def payload(event: Recorded) -> JSON:
    """The payload in its newest version, as JSON. Raises: NewerVersion, Malformed, naming the position."""
    kind = EVENT_TYPES.get(event.type)
    raw = event.raw if kind is not None and event.version == kind.VERSION else encode(event.data)
    return cast(JSON, orjson.loads(raw))


def types_of(names: list[str] | None) -> tuple[str, ...]:
    """Event types by name. Raises: Malformed, for a name that no event has."""
    unknown = sorted(set(names or ()) - set(EVENT_TYPES))
    if unknown:
        known = ", ".join(sorted(EVENT_TYPES))
        raise Malformed(f"there is no event type {unknown[0]!r}; there are {known}", field="types")
    return tuple(names or ())


def selection(types: list[str] | None, subject: str | None, project: str | None) -> Selection:
    """Which events a reader wants. Raises: Malformed."""
    return Selection(
        types=types_of(types),
        subject=parse_id(subject) if subject else None,
        project=ProjectId(parse_id(project)) if project else None,
    )


def connect_events(found: list[Recorded], first: int, *, began: bool) -> Connection[Event]:
    """A page of events; one more than `first` tells that there are more."""
    items = [(event_text(event.position), cast(Event, event)) for event in found[:first]]
    return connect(items, more=len(found) > first, began=began)


@requires(Permission.READ, of="project")
async def events(
    info: Info,
    types: list[str] | None = None,
    subject: strawberry.ID | None = None,
    project: strawberry.ID | None = None,
    first: int = 50,
    after: Cursor | None = None,
) -> Connection[Event]:
    """Events in the order of the log, behind a cursor or a write."""
    position = parse_position(after)
    wanted = selection(types, subject, project)
    found = await info.context.run(info.context.service.log.read, position, limit=first + 1, selection=wanted)
    return connect_events(found, first, began=position > 0)


@strawberry.type
class EventQueries:
    """Root fields about events."""

    events: Connection[Event] = query(events)


__all__ = ["Event", "EventQueries", "connect_events", "payload", "selection", "types_of"]
