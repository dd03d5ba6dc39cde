"""Resources: projects, tracks, assets, analyses, generations, models, exports, now or at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, cast

import strawberry

from api.access import requires
from api.graphql.context import Info
from api.graphql.events import Event, connect_events
from api.graphql.fields import derived, query
from api.graphql.limits import usually
from api.graphql.moments import AsOfArgument, then
from api.graphql.paging import Connection, PageInfo, connect, page_info
from api.graphql.scalars import JSON, Cursor, Instant, Long, as_of
from api.tokens import PageCursor, page_text, parse_page, parse_position
from domain.access import Permission
from domain.analyses import whole
from domain.errors import DiscoError, NotFound
from domain.ids import parse_id
from domain.service import Service
from domain.views import NOW, AsOf, Direction, Document, Filter, Kind, Relation

strawberry.enum(Kind, description="What a resource is")
strawberry.enum(Relation, description="How one resource comes of another, or lies in it")
strawberry.enum(Direction, description="UP: what it was made from. DOWN: what was made from it")
ResourceRef = Annotated["Resource", strawberry.lazy("api.graphql.resources")]
LINEAGE_STEPS = 1000


@strawberry.interface(description="Whatever has an id")
class Node:
    """Relay's node: our resource ids are its ids."""

    id: strawberry.ID


@strawberry.type(description="Large data, named by the sha256 of its bytes")
class Content:
    """A blob."""

    sha256: str
    size_bytes: Long = strawberry.field(name="size")
    media_type: str

    @derived("Where it can be downloaded, whole or in ranges")
    def url(self) -> str:
        """Its path on this service."""
        return f"/api/blobs/{self.sha256}"


@strawberry.type(description="The newest finding of one kind in an asset")
class Finding:
    """A finding."""

    id: strawberry.ID
    kind: str
    facts: JSON
    source: str
    asset: strawberry.Private[str]

    @derived("All that was found, as its event tells it: beats, chords, curves; what is large names its blob")
    async def data(self, info: Info) -> JSON:
        """The event's data."""
        return cast(JSON, (await info.context.finding(self.asset, self.id)).json)

    @derived("The processor that found it")
    def processor(self) -> str:
        """Its name."""
        return self.source.split("/")[2] if self.source.count("/") == 3 else self.source

    @derived("The version of that processor")
    def processor_version(self) -> str:
        """Its version."""
        return self.source.rpartition("/")[2]


@strawberry.type(description="A step from a resource to one beside it")
class Step:
    """One edge, seen from one of its ends."""

    relation: Relation
    direction: Direction
    node: Resource


@strawberry.type(description="Steps from a resource, in the order they came")
class StepConnection:
    """A page of steps."""

    nodes: list[Step] = strawberry.field(metadata=usually(1))
    page_info: PageInfo


@strawberry.type(description="A project, track, asset, analysis, generation, model version or export")
class Resource(Node):
    """A resource as it was at `moment`."""

    id: strawberry.ID
    kind: Kind
    variant: str = strawberry.field(description="audio, midi, score; the kind of analysis or generation; a format")
    name: str
    tags: list[str] = strawberry.field(metadata=usually(1))
    metadata: JSON = strawberry.field(description="What people noted about it, and tags embedded in its file")
    archived: bool
    version: int = strawberry.field(
        description="Give it as expectedVersion to change only what you have seen; 0 for an analysis nobody changed yet"
    )
    created: Instant | None
    updated: Instant
    actor: str | None = strawberry.field(description="Who made it")
    file_name: str | None
    facts: JSON = strawberry.field(description="What its file's header says, or its analysis found")
    analyses: list[Finding] = strawberry.field(metadata=usually(10))
    content: Content | None
    project_id: strawberry.ID
    container_id: strawberry.ID | None
    moment: strawberry.Private[AsOf] = NOW
    begun: strawberry.Private[int | None] = None

    @derived("The project it belongs to; null for what belongs to none")
    async def project(self, info: Info) -> ResourceRef | None:
        """Its project."""
        return await _found(info, self.project_id, self.moment)

    @derived("The project or track it lies in")
    async def container(self, info: Info) -> ResourceRef | None:
        """Its container."""
        return await _found(info, self.container_id, self.moment) if self.container_id else None

    @derived("The events about it; of an analysis the first is its finding, which is also about its asset")
    async def history(self, info: Info, first: int = 20, after: Cursor | None = None) -> Connection[Event]:
        """Its events, oldest first."""
        position = parse_position(after)
        events = await info.context.events_about(self.id)
        if self.kind is Kind.ANALYSIS and self.begun is not None:
            events = [await info.context.event_at(self.begun), *events]
        found = [event for event in events if event.position > position]
        held = [event for event in found if self.moment.covers(event.position, event.time_us)]
        told = [then(event, self.moment, info.context) for event in held[: first + 1]]
        return connect_events(told, first, began=position > 0)

    @derived("What lies one step away")
    async def relations(
        self,
        info: Info,
        relations: list[Relation] | None = None,
        direction: Direction | None = None,
        first: int = 20,
        after: Cursor | None = None,
    ) -> StepConnection:
        """Its neighbours by relation and direction."""
        return await _steps(info, self, relations, direction, first=first, after=after)

    @derived("All versions of an asset, the oldest first", usual=5)
    async def versions(self, info: Info) -> list[ResourceRef]:
        """The versions this one belongs to, itself included."""
        ids = await info.context.run(_version_ids, info.context.service, self.id, self.moment)
        return [await info.context.resource_at(id, self.moment) for id in ids]


async def _found(info: Info, id: str, moment: AsOf) -> Resource | None:
    try:
        return await info.context.resource_at(id, moment)
    except NotFound:
        return None


async def _steps(
    info: Info,
    of: Resource,
    relations: Sequence[Relation] | None,
    direction: Direction | None,
    *,
    first: int,
    after: str | None,
) -> StepConnection:
    cursor = parse_page(after, "relations")
    begin = cursor.after if isinstance(cursor, PageCursor) else 0
    ways = [(relation, way) for relation in relations or Relation for way in ((direction,) if direction else Direction)]
    lists = [await info.context.neighbours(of.id, relation, way, of.moment) for relation, way in ways]
    found = [(*way, node) for way, nodes in zip(ways, lists, strict=True) for node in nodes]
    page = found[begin : begin + first]
    nodes = [
        Step(relation=relation, direction=way, node=await info.context.resource_at(node.id, of.moment))
        for relation, way, node in page
    ]
    cursors = [page_text("relations", begin + index + 1) for index in range(len(page))]
    return StepConnection(nodes=nodes, page_info=page_info(cursors, more=len(found) > begin + first, began=begin > 0))


def _version_ids(service: Service, id: str, moment: AsOf) -> list[str]:
    only = (Relation.VERSION_OF,)
    ids: list[str] = []
    for direction in Direction:
        walk = service.views.graph.lineage(
            id, direction, depth=LINEAGE_STEPS, relations=only, as_of=moment, first=LINEAGE_STEPS
        )
        others = [node.id for node in walk.nodes if node.id != id]
        ids += [*reversed(others), id] if direction is Direction.UP else others
    return ids


def from_document(document: Document, moment: AsOf = NOW) -> Resource:
    """A resource of its document."""
    content = document.get("content")
    return Resource(
        id=document["id"],
        kind=Kind(document["kind"]),
        variant=document["variant"],
        name=document["name"],
        tags=list(document["tags"]),
        metadata=document["metadata"],
        archived=document["archived"],
        version=document["version"],
        created=document["created_us"],
        updated=document["updated_us"],
        actor=document["actor"],
        file_name=document.get("file_name"),
        facts=document.get("facts", {}),
        analyses=[_finding(document["id"], kind, found) for kind, found in document["analyses"].items()],
        content=Content(**content) if content else None,
        project_id=document["project"],
        container_id=document["container"],
        moment=moment,
        begun=document.get("created"),
    )


def _finding(asset: str, kind: str, found: dict[str, Any]) -> Finding:  # Any: JSON
    facts = {name: value for name, value in found.items() if name not in ("id", "source")}
    return Finding(id=found["id"], kind=kind, facts=cast(JSON, facts), source=found["source"], asset=asset)


def load_resources(service: Service, ids: Sequence[str], moment: AsOf = NOW) -> list[Resource | DiscoError]:
    """Resources as they were at a moment, in the order of the ids; NotFound stands for one that was not there."""
    known = service.views.documents.many(ids, moment)
    documents = whole(service.views.graph, known, ids, moment)
    return [
        from_document(documents[id], moment) if id in documents else NotFound(f"there is no resource {id}", id=id)
        for id in ids
    ]


@strawberry.input(description="Which resources are wanted; a field left out wants all")
class ResourceFilter:
    """See `domain.views.Filter`."""

    kinds: list[Kind] | None = None
    variants: list[str] | None = None
    project: strawberry.ID | None = None
    container: strawberry.ID | None = None
    tag: str | None = None
    name: str | None = strawberry.field(default=None, description="The whole name, in the same letters")
    name_contains: str | None = None
    key: str | None = strawberry.field(default=None, description='A key as "A minor"')
    tempo_from_bpm: float | None = None
    tempo_to_bpm: float | None = None
    archived: bool = strawberry.field(default=False, description="True adds archived ones")

    def to_filter(self) -> Filter:
        """As the views take it. Raises: Malformed, for an id that is none."""
        return Filter(
            kinds=tuple(kind.value for kind in self.kinds or ()),
            variants=tuple(self.variants or ()),
            project=parse_id(self.project) if self.project else None,
            container=parse_id(self.container) if self.container else None,
            tag=self.tag,
            name=self.name,
            name_contains=self.name_contains,
            key=self.key,
            tempo_from_bpm=self.tempo_from_bpm,
            tempo_to_bpm=self.tempo_to_bpm,
            archived=self.archived,
        )


@strawberry.type(description="Resources in the order they came")
class ResourceConnection(Connection[Resource]):
    """A page of resources."""

    wanted: strawberry.Private[Filter]
    moment: strawberry.Private[AsOf]

    @derived("How many there are in all pages")
    async def total_count(self, info: Info) -> int:
        """All that the filter lets through."""
        return await info.context.run(info.context.service.views.documents.count, self.wanted, self.moment)


async def _page(info: Info, wanted: Filter, moment: AsOf, first: int, after: str | None) -> ResourceConnection:
    await info.context.seen(after)
    cursor = parse_page(after, "resources")
    begin = cursor.after if isinstance(cursor, PageCursor) else 0
    views = info.context.service.views

    def load() -> Connection[Resource]:
        found, more = views.documents.page(wanted, first=first, after=begin, as_of=moment)
        documents = {item["id"]: item for _, item in found}
        documents = whole(views.graph, documents, list(documents), moment)
        items = [(page_text("resources", at), from_document(documents[item["id"]], moment)) for at, item in found]
        return connect(items, more=more, began=begin > 0)

    page = await info.context.run(load)
    return ResourceConnection(edges=page.edges, page_info=page.page_info, wanted=wanted, moment=moment)


@requires(Permission.READ, of="id")
async def resource(
    info: Info, id: strawberry.ID, as_of_: AsOfArgument = None, after: Cursor | None = None
) -> Resource | None:
    """A resource as it is, or was at a moment."""
    await info.context.seen(after)
    return await info.context.resource_at(parse_id(id), as_of(as_of_))


@requires(Permission.READ, of="id")
async def node(info: Info, id: strawberry.ID) -> Node | None:
    """Relay's way to a resource."""
    return await info.context.resource_at(parse_id(id), NOW)


@requires(Permission.READ, of="id")
async def project(
    info: Info, id: strawberry.ID, as_of_: AsOfArgument = None, after: Cursor | None = None
) -> Resource | None:
    """A project as it is, or was at a moment."""
    await info.context.seen(after)
    found = await info.context.resource_at(parse_id(id), as_of(as_of_))
    if found.kind is not Kind.PROJECT:
        raise NotFound(f"{found.name!r} ({id}) is a {found.kind}, not a project", id=id)
    return found


@requires(Permission.READ)
async def projects(
    info: Info, archived: bool = False, as_of_: AsOfArgument = None, first: int = 50, after: Cursor | None = None
) -> ResourceConnection:
    """All projects, in the order they were begun."""
    return await _page(info, Filter(kinds=(Kind.PROJECT,), archived=archived), as_of(as_of_), first, after)


@requires(Permission.READ)
async def resources(
    info: Info,
    filter: ResourceFilter | None = None,
    as_of_: AsOfArgument = None,
    first: int = 50,
    after: Cursor | None = None,
) -> ResourceConnection:
    """Resources that a filter lets through, in the order they came; analyses among them once they were changed."""
    return await _page(info, filter.to_filter() if filter else Filter(), as_of(as_of_), first, after)


@strawberry.type
class ResourceQueries:
    """Root fields about resources."""

    resource: Resource | None = query(resource)
    node: Node | None = query(node)
    project: Resource | None = query(project)
    projects: ResourceConnection = query(projects)
    resources: ResourceConnection = query(resources)
