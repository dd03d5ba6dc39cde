"""The views: what projections write to (`…Rows`) and what people read from, whatever store holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from domain.ids import ProjectId, ResourceId

Facts = Mapping[str, Any]  # Any: JSON
Document = dict[str, Any]  # Any: JSON


class Kind(StrEnum):
    """Kinds of nodes in the graph."""

    PROJECT = "project"
    TRACK = "track"
    ASSET = "asset"
    ANALYSIS = "analysis"
    GENERATION = "generation"
    MODEL_VERSION = "model_version"
    EXPORT = "export"


class Relation(StrEnum):
    """Kinds of edges. An edge runs downstream: what is at its end exists because of what is at its start."""

    CONTAINS = "contains"
    DERIVED_FROM = "derived_from"
    ANALYSED_AS = "analysed_as"
    USED = "used"
    GENERATED_BY = "generated_by"
    USED_MODEL = "used_model"
    VERSION_OF = "version_of"


LINEAGE = tuple(relation for relation in Relation if relation is not Relation.CONTAINS)
"""The relations by which one thing comes of another; containment is only where it lies."""


class Direction(StrEnum):
    """UP: what it was made from. DOWN: what was made from it."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class AsOf:
    """A moment: a position in the log, or a time; neither means now."""

    position: int | None = None
    time_us: int | None = None

    def covers(self, position: int, time_us: int) -> bool:
        """Whether what happened there and then had happened by this moment."""
        if self.position is not None:
            return position <= self.position
        return self.time_us is None or time_us <= self.time_us


NOW = AsOf()


class At(NamedTuple):
    """Where and when something became so."""

    position: int
    time_us: int


@dataclass(slots=True)
class Node:
    """A node as of the moment asked for; `depth` counts the steps from where the walk began."""

    id: ResourceId
    kind: str
    variant: str
    label: str
    project: ProjectId
    position: int
    time_us: int
    archived: bool
    facts: Facts
    depth: int = 0


@dataclass(slots=True, unsafe_hash=True)
class Edge:
    """An edge; `position` is that of the event that says why."""

    relation: str
    upstream: ResourceId
    downstream: ResourceId
    position: int


@dataclass(slots=True)
class Lineage:
    """Part of a walk, breadth first: nodes by depth, then position, then id; edges between nodes walked so far.

    partial: there is more behind a limit (`reason` says which); next_after: where the next page goes on.
    """

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    partial: bool = False
    reason: str | None = None
    next_after: int | None = None


class GraphRows(Protocol):
    """Where the lineage graph is written. Everything is keyed by id and position: twice is once.

    `within` names the asset that an analysis was found in, wherever what is written of is one.
    """

    def node(self, kind: Kind, id: str, *, variant: str, label: str, project: str, at: At, facts: Facts) -> None:
        """A node exists from here on; what is known under this id already stays as it is."""

    def finding(self, id: str, asset: str, *, variant: str, project: str, at: At, facts: Facts) -> None:
        """An analysis exists from here on, under the id of the event at this position, and an edge leads to it."""

    def relabel(self, id: str, label: str, at: At, *, within: str | None = None) -> None:
        """The node has another label from here on."""

    def archive(self, id: str, archived: bool, at: At, *, within: str | None = None) -> None:
        """The node is archived, or not, from here on."""

    def edge(self, relation: Relation, upstream: str, downstream: str, at: At, *, within: str | None = None) -> None:
        """An edge holds from here on; `within` is told of its upstream."""

    def end_edge(self, relation: Relation, upstream: str, downstream: str, at: At) -> None:
        """An edge no longer holds from here on."""


class VectorRows(Protocol):
    """Where embeddings are written."""

    def vector(self, id: str, *, project: str, space: str, packed: str, at: At) -> None:
        """The embedding of a resource from here on, little-endian float32 in base64; until here, the one before it."""

    def archive(self, id: str, archived: bool, at: At) -> None:
        """The resource is archived, or not, from here on, whether or not it has an embedding."""


class SeriesRows(Protocol):
    """Where measurements over time are written."""

    def point(self, name: str, *, project: str, subject: str, value: float, at: At) -> None:
        """One measurement; keyed by name and position."""


class DocumentRows(Protocol):
    """Where documents are written: read, fold, put back."""

    def expect(self, ids: Iterable[str]) -> None:
        """These will be asked for: a store that is far away reads them together."""

    def get(self, id: str) -> Document | None:
        """The document as it stands."""

    def put(self, id: str, document: Document) -> None:
        """The document from here on."""

    def remove(self, id: str) -> None:
        """There is no such document from here on."""


class Graph(Protocol):
    """Questions to the lineage graph."""

    def node(self, id: str, as_of: AsOf = NOW) -> Node:
        """Raises: NotFound."""

    def nodes(self, ids: Sequence[str], as_of: AsOf = NOW) -> dict[str, Node]:
        """Those of the ids that are nodes."""

    def neighbours(
        self, ids: Sequence[str], relation: Relation, direction: Direction, as_of: AsOf = NOW
    ) -> dict[str, list[Node]]:
        """The nodes one step away, per id, in the order they came."""

    def lineage(
        self,
        id: str,
        direction: Direction,
        *,
        depth: int = 10,
        relations: Sequence[str] = LINEAGE,
        kinds: Sequence[str] = (),
        as_of: AsOf = NOW,
        first: int = 100,
        after: int = 0,
        deadline_s: float | None = None,
    ) -> Lineage:
        """Walk breadth first; `after` skips that many nodes, `kinds` keeps others out of the answer, not of the walk.

        Raises: NotFound.
        """


@dataclass(frozen=True, slots=True)
class Hit:
    """A found resource; a greater score is a better hit."""

    id: ResourceId
    score: float


class Vectors(Protocol):
    """Questions to the embeddings; as of a moment, to those that held then.

    `archived` adds those of what is archived, which are left out otherwise.
    """

    def similar(
        self, id: str, *, first: int = 10, project: str | None = None, archived: bool = False, as_of: AsOf = NOW
    ) -> list[Hit]:
        """The nearest to a resource, itself left out, by cosine. Raises: NotFound, where it has no embedding."""

    def nearest(
        self,
        vector: bytes,
        *,
        space: str,
        first: int = 10,
        project: str | None = None,
        archived: bool = False,
        as_of: AsOf = NOW,
    ) -> list[Hit]:
        """The nearest to a vector of little-endian float32."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which resources are wanted; an empty field wants all. `name` is the whole of it, in the same letters."""

    kinds: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    project: str | None = None
    container: str | None = None
    tag: str | None = None
    name: str | None = None
    name_contains: str | None = None
    key: str | None = None
    tempo_from_bpm: float | None = None
    tempo_to_bpm: float | None = None
    archived: bool = False


class Documents(Protocol):
    """Questions to the documents of resources.

    As of a moment the answer is what it would have been then: documents that have changed since are folded back from
    the log. Raises: LimitExceeded, where that would take too long.
    """

    def get(self, id: str, as_of: AsOf = NOW) -> Document:
        """Raises: NotFound."""

    def many(self, ids: Sequence[str], as_of: AsOf = NOW) -> dict[str, Document]:
        """Those of the ids that have a document."""

    def find(self, prefix: str) -> list[str]:
        """Ids that begin with this text, at most ten."""

    def page(
        self, filter: Filter, *, first: int = 50, after: int = 0, as_of: AsOf = NOW
    ) -> tuple[list[tuple[int, Document]], bool]:
        """Documents in the order they came, each with its cursor, and whether there are more."""

    def count(self, filter: Filter, as_of: AsOf = NOW) -> int:
        """How many there are."""

    def search(self, text: str, *, first: int = 20, project: str | None = None, as_of: AsOf = NOW) -> list[Hit]:
        """Resources whose name, tags, metadata or findings hold all the words, best first."""


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of a series: `time_us` is its start; a bucket of width 0 is a single measurement."""

    time_us: int
    count: int
    mean: float
    minimum: float
    maximum: float
    subject: str | None


class Series(Protocol):
    """Questions to the measurements."""

    def names(self, project: str | None = None, as_of: AsOf = NOW) -> list[str]:
        """The series there are."""

    def points(
        self,
        name: str,
        *,
        project: str | None = None,
        from_us: int = 0,
        to_us: int | None = None,
        bucket_us: int = 0,
        first: int = 1000,
        as_of: AsOf = NOW,
    ) -> list[Point]:
        """Measurements in order of time, or their buckets; as of a moment, those taken until then."""


class Records(Protocol):
    """Documents without search: dead letters, jobs."""

    def get(self, id: str) -> Document:
        """Raises: NotFound."""

    def page(
        self, *, project: str | None = None, first: int = 50, after: int = 0
    ) -> tuple[list[tuple[int, Document]], bool]:
        """In the order they came, each with its cursor (its event's position), and whether there are more."""

    def count(self) -> int:
        """How many there are."""


@dataclass(frozen=True, slots=True)
class ViewStatus:
    """How a view stands against the log; state is live, rebuilding or failing, and `failure` says why."""

    name: str
    version: int
    position: int
    lag: int
    state: str
    building_position: int | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A row in which a view and a fresh fold of the log differ: missing, changed or ghost; or damage to the log."""

    view: str
    kind: str
    key: str
    detail: str = ""


class Views(Protocol):
    """All views together: where they stand, waiting for them, building them anew."""

    @property
    def graph(self) -> Graph:
        """Lineage."""

    @property
    def vectors(self) -> Vectors:
        """Likeness."""

    @property
    def documents(self) -> Documents:
        """Resources."""

    @property
    def series(self) -> Series:
        """Measurements."""

    @property
    def jobs(self) -> Records:
        """Jobs."""

    @property
    def dead_letters(self) -> Records:
        """What processors gave up on."""

    def status(self) -> list[ViewStatus]:
        """How every view stands."""

    def position(self, name: str | None = None) -> int:
        """The position that every live view has come to, or the one of this name; 0 where there is none."""

    def wait(self, position: int, timeout_s: float = 5.0, *, project: ProjectId | None = None) -> None:
        """Return when every view has come to this position, in one project or all. Raises: Unavailable, in the end."""

    def digests(self) -> dict[str, str]:
        """A digest of every view's content: equal digests, equal views."""

    def differences(self) -> Iterator[Difference]:
        """Compare every view with a fresh fold of the log."""
