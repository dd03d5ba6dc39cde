"""Lineage: what something was made from, what was made from it, and what suffers if it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import strawberry

from api.access import requires
from api.graphql.context import Context, Info
from api.graphql.events import Event
from api.graphql.fields import derived, query
from api.graphql.limits import usually
from api.graphql.moments import AsOfArgument, moment_of, then
from api.graphql.paging import Connection, PageInfo, connect, page_info
from api.graphql.resources import Resource
from api.graphql.scalars import JSON, Cursor, Instant, Long, as_of
from api.tokens import PageCursor, page_text, parse_page
from domain import views
from domain.access import Permission
from domain.errors import LimitExceeded
from domain.ids import parse_id
from domain.impact import Effect, impacts
from domain.service import Service
from domain.views import LINEAGE, NOW, AsOf, Direction, Kind, Lineage, Relation
from events.envelope import Recorded
from projections import lineage_graph

MOST_STEPS = 100
DEADLINE_S = 5.0


@strawberry.type(description="A node of a lineage; depth counts the steps from where the walk began")
class LineageNode:
    """Resolved over `domain.views.Node`, whose attributes it names."""

    id: strawberry.ID
    kind: Kind
    variant: str
    label: str = strawberry.field(name="name")
    project: strawberry.ID = strawberry.field(name="projectId")
    position: Long = strawberry.field(description="The event that made it")
    time_us: Instant = strawberry.field(name="time")
    archived: bool
    facts: JSON = strawberry.field(description="Among them a generation's parameters and seed")
    depth: int

    @derived("All that is known of it, or was at the moment that the lineage is told as of")
    async def resource(self, info: Info) -> Resource:
        """The resource."""
        return await info.context.resource_at(self.id, moment_of(self))


@strawberry.type(description="An edge of a lineage: what is downstream exists because of what is upstream")
class LineageLink:
    """Resolved over `domain.views.Edge`, or over `Explained` where the event is asked for."""

    relation: Relation
    upstream: strawberry.ID
    downstream: strawberry.ID
    position: Long
    because: Event | None = strawberry.field(description="The event that says why")


@dataclass(frozen=True, slots=True)
class Explained:
    """An edge and the event that says why."""

    relation: str
    upstream: str
    downstream: str
    position: int
    because: Recorded | None


@strawberry.type
class LineageNodeEdge:
    """A node and its cursor."""

    cursor: Cursor
    node: LineageNode


@strawberry.type(description="Part of a lineage, breadth first: nodes, and the links between all nodes walked so far")
class LineageConnection:
    """A page of a walk."""

    nodes: list[LineageNode] = strawberry.field(metadata=usually(1))
    links: list[LineageLink] = strawberry.field(metadata=usually(2))
    partial: bool = strawberry.field(description="There is more behind a limit; reason says which")
    reason: str | None
    page_info: PageInfo
    begin: strawberry.Private[int]
    position: strawberry.Private[int]

    @derived(usual=1)
    def edges(self) -> list[LineageNodeEdge]:
        """The nodes with their cursors."""
        places = range(self.begin + 1, self.begin + len(self.nodes) + 1)
        return [
            LineageNodeEdge(cursor=Cursor(page_text("lineage", place, self.position)), node=node)
            for place, node in zip(places, self.nodes, strict=True)
        ]


def _explained(context: Context, edges: list[views.Edge], moment: AsOf) -> list[Explained]:
    events = context.service.log.at(sorted({edge.position for edge in edges}))
    events = {position: then(event, moment, context) for position, event in events.items()}
    return [
        Explained(edge.relation, edge.upstream, edge.downstream, edge.position, events.get(edge.position))
        for edge in edges
    ]


def _connection(
    walk: Lineage, links: list[Explained] | list[views.Edge], begin: int, position: int
) -> LineageConnection:
    last = begin + len(walk.nodes) if walk.next_after is None else walk.next_after
    cursors = [page_text("lineage", at, position) for at in (begin + 1, last)] if walk.nodes else []
    return LineageConnection(
        nodes=cast(list[LineageNode], walk.nodes),
        links=cast(list[LineageLink], links),
        partial=walk.partial,
        reason=walk.reason,
        page_info=page_info(cursors, more=walk.next_after is not None, began=begin > 0),
        begin=begin,
        position=position,
    )


def _begun(cursor: object, moment: AsOf) -> tuple[int, AsOf]:
    """Where a page begins, and the moment that the first one was read at."""
    if not isinstance(cursor, PageCursor):
        return 0, moment
    return cursor.after, AsOf(position=cursor.position) if moment == NOW else moment


def _pinned(service: Service, moment: AsOf) -> tuple[int, AsOf]:
    """A position that the graph has come to, and the moment to walk it at: later pages see what the first one saw."""
    come = service.views.position(lineage_graph.NAME)
    position = come if moment.position is None else min(moment.position, come)
    return position, moment if moment.time_us is not None else AsOf(position=position)


def _steps(depth: int) -> int:
    if not 1 <= depth <= MOST_STEPS:
        raise LimitExceeded(f"depth is {depth}; from 1 to {MOST_STEPS} is allowed", what="steps", limit=MOST_STEPS)
    return depth


@requires(Permission.READ, of="id")
async def lineage(
    info: Info,
    id: strawberry.ID,
    direction: Direction = Direction.UP,
    depth: int = 10,
    kinds: list[Kind] | None = None,
    relations: list[Relation] | None = None,
    as_of_: AsOfArgument = None,
    first: int = 100,
    after: Cursor | None = None,
) -> LineageConnection:
    """What something was made from (UP), or what was made from it (DOWN), breadth first."""
    context = info.context
    await context.seen(after)
    asked = as_of(as_of_)
    begin, moment = _begun(parse_page(after, "lineage"), asked)
    explain = "because" in context.fields
    found, steps = parse_id(id), _steps(depth)

    def walk() -> LineageConnection:
        service = context.service
        position, pinned = _pinned(service, moment)
        answer = service.views.graph.lineage(
            found,
            direction,
            depth=steps,
            relations=tuple(relations) if relations else LINEAGE,
            kinds=tuple(kinds or ()),
            as_of=pinned,
            first=first,
            after=begin,
            deadline_s=DEADLINE_S,
        )
        links = _explained(context, answer.edges, asked) if explain else answer.edges
        answer.nodes = [then(node, asked, context) for node in answer.nodes]
        return _connection(answer, links, begin, position)

    return await context.run(walk)


strawberry.enum(Effect, description="STALE: found in what goes, true no more. MUST_GO: made from it")


@strawberry.type(description="Something that suffers if a resource goes")
class Impact:
    """Resolved over `domain.impact.Impact`, whose attributes it names."""

    node: LineageNode
    effect: Effect
    relation: Relation
    through: strawberry.ID


@strawberry.type(description="Part of what suffers, nearest first")
class ImpactConnection(Connection[Impact]):
    """A page of an impact."""

    partial: bool = strawberry.field(description="There is more behind a limit; reason says which")
    reason: str | None


@requires(Permission.READ, of="id")
async def impact(
    info: Info, id: strawberry.ID, as_of_: AsOfArgument = None, first: int = 100, after: Cursor | None = None
) -> ImpactConnection:
    """What becomes stale or must go if this goes, nearest first."""
    context = info.context
    await context.seen(after)
    asked = as_of(as_of_)
    begin, moment = _begun(parse_page(after, "impact"), asked)
    root = parse_id(id)

    def walk() -> ImpactConnection:
        service = context.service
        position, pinned = _pinned(service, moment)
        start = begin + 1  # the walk begins with the root, which is no impact
        answer = service.views.graph.lineage(
            root, Direction.DOWN, depth=MOST_STEPS, as_of=pinned, first=first, after=start, deadline_s=DEADLINE_S
        )
        answer.nodes = [then(node, asked, context) for node in answer.nodes]
        places = {node.id: start + index for index, node in enumerate(answer.nodes)}
        items = [
            (page_text("impact", places[item.node.id], position), cast(Impact, item)) for item in impacts(answer, root)
        ]
        page = connect(items, more=answer.next_after is not None, began=begin > 0)
        return ImpactConnection(
            edges=page.edges, page_info=page.page_info, partial=answer.partial, reason=answer.reason
        )

    return await context.run(walk)


@strawberry.type
class LineageQueries:
    """Root fields about lineage."""

    lineage: LineageConnection = query(lineage)
    impact: ImpactConnection = query(impact)
