"""Questions to the lineage graph in Neo4j.

A walk goes level by level, so that it visits each edge once however many paths there are, and its cost grows with what
it walks over. Several levels, and the page that comes of them, are one statement: with a round trip for each level a
walk took three times as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from domain.errors import NotFound, Unavailable
from domain.ids import ProjectId, ResourceId
from domain.views import LINEAGE, NOW, AsOf, Direction, Edge, Lineage, Node, Relation
from infra.keys import id_of, key_of
from infra.server.graph_rows import THERE, gone, labelled, suffix_of
from infra.server.neo4j import Neo4j

if TYPE_CHECKING:
    from neo4j import Record

    from infra.server.neo4j import Ask

LEVELS = 5
"""The most levels of one statement."""
FOREVER_MS = 1 << 50

# The driver unpacks each value by itself, in Python: a node or an edge as one text is read in a fifth of the time.
BETWEEN = "\x1f"
"""Stands between the parts of a node's text: it is in no id or kind, in JSON it is escaped, and a label comes last."""
_PARTS = ("n.id", "n.kind", "n.variant", "n.project", "n.born", "n.born_us", "toString(v[1])", "n.facts", "v[0]")
TOLD = " + '\\u001f' + ".join(_PARTS)
ID = 36
"""How long an id is."""
LINKED = "h.id + n.id + e.since + ' ' + type(e)"
VALUES = {relation.name: relation.value for relation in Relation}
# `<step>` leads from h along e to n; `<edge>` and `<node>` say whether e and n hold at the moment; `<told>` answers n.
STEPS = {Direction.UP: "(h)<-[e:<relations>]-(n)", Direction.DOWN: "(h)-[e:<relations>]->(n)"}
FOUND = "UNWIND $ids AS id MATCH (n:Resource {id: id}) WHERE <node> <told>"
NEIGHBOURS = """UNWIND $ids AS id MATCH (h:Resource {id: id}) MATCH <step> WHERE <edge> AND <node>
WITH DISTINCT id, n <told>, id"""
BEGIN = """UNWIND range(0, size($seen) - 1) AS place MATCH (n:Resource {id: $seen[place]}) WHERE <node>
WITH n ORDER BY place
WITH collect(n) AS seen
WITH seen, [n IN seen WHERE n.id IN $near] AS near, [] AS levels, $levels > 0 AS going, false AS late,
    seen[..1] + [n IN seen[1..] WHERE $all OR n.kind IN $kinds] AS answer, datetime.realtime().epochMillis AS begun
"""
LEVEL = """CALL (seen, near, going) {
    UNWIND CASE WHEN going THEN near ELSE [] END AS h
    MATCH <step> WHERE <edge>
    WITH DISTINCT n WHERE <node> AND NOT n IN seen
    WITH n ORDER BY n.born, n.id <room>
    RETURN collect(n) AS found
}
WITH begun, going, seen + found AS seen, CASE WHEN going THEN found ELSE near END AS near,
    CASE WHEN going THEN levels + [[n IN found | n.id]] ELSE levels END AS levels,
    answer + [n IN found WHERE $all OR n.kind IN $kinds] AS answer,
    late OR (found <> [] AND datetime.realtime().epochMillis - begun >= $left_ms) AS late
WITH *, near <> [] AND NOT late AND size(answer) <= $enough AND size(levels) < $levels AS going
"""
END = f"""WITH *, CASE WHEN $last OR late OR near = [] OR size(answer) > $enough THEN answer[..$enough] ELSE [] END
    AS page
RETURN seen <> [] AS begun, levels, late,
    COLLECT {{ UNWIND page AS h MATCH <step> WHERE <edge> AND n IN page RETURN {LINKED} }} AS edges,
    CASE WHEN $all THEN [] ELSE [n IN answer | n.id] END AS wanted,
    $last AND EXISTS {{ UNWIND near AS h MATCH <step> WHERE <edge> AND NOT n IN seen }} AS beyond,
    COLLECT {{ UNWIND page[$after..] AS n <told> }} AS nodes
"""
_NEWEST = "[n.label, coalesce(n.archived, false)]"
_THEN = f"""CASE WHEN coalesce(n.<since>, n.<born>) <= $moment THEN {_NEWEST} ELSE head(COLLECT {{
    MATCH (n)-[:WAS]->(v:Version) WHERE v.<since> <= $moment AND v.<until> > $moment
    RETURN [v.label, v.archived] ORDER BY v.since DESC LIMIT 1
}}) END"""


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds at a moment, in Cypher: conditions on an edge e and a node n, and what n is called then."""

    edge: str
    node: str
    version: str


NOW_HOLDING = Holding("e.until IS NULL", "n.born IS NOT NULL", _NEWEST)
BY_POSITION = Holding(
    "e.since <= $moment AND coalesce(e.until > $moment, true)",
    "n.born <= $moment",
    _THEN.replace("<since>", "since").replace("<born>", "born").replace("<until>", "until"),
)
BY_TIME = Holding(
    "e.since_us <= $moment AND coalesce(e.until_us > $moment, true)",
    "coalesce(n.first_us, n.born_us) <= $moment",
    _THEN.replace("<since>", "since_us").replace("<born>", "born_us").replace("<until>", "until_us"),
)


class Neo4jGraph:
    """`Graph` over the live generation."""

    def __init__(self, neo4j: Neo4j, prefix: str, live: Callable[[], int]) -> None:
        self._neo4j = neo4j
        self._prefix = prefix
        self._live = live

    def node(self, id: str, as_of: AsOf = NOW) -> Node:
        """See `Graph.node`."""
        found = self.nodes([id], as_of)
        if not found:
            raise self._not_found(id, as_of)
        return next(iter(found.values()))

    def nodes(self, ids: Sequence[str], as_of: AsOf = NOW) -> dict[str, Node]:
        """See `Graph.nodes`."""
        rows = self._rows(FOUND, as_of, ids=[id_of(key_of(id)) for id in ids])
        return {node.id: node for node in (_node(row["told"]) for row in rows)}

    def neighbours(
        self, ids: Sequence[str], relation: Relation, direction: Direction, as_of: AsOf = NOW
    ) -> dict[str, list[Node]]:
        """See `Graph.neighbours`."""
        given = {id_of(key_of(id)): id for id in ids}
        rows = self._rows(NEIGHBOURS, as_of, direction, (relation,), ids=list(given))
        answer: dict[str, list[Node]] = {id: [] for id in ids}
        for row in rows:
            answer[given[row["id"]]].append(_node(row["told"]))
        for found in answer.values():
            found.sort(key=lambda node: (node.position, node.id))
        return answer

    def _rows(
        self,
        query: str,
        as_of: AsOf,
        direction: Direction = Direction.UP,
        relations: Sequence[str] = LINEAGE,
        **values: object,
    ) -> list[Record]:
        text = worded(query, direction, tuple(relations), _holding(as_of), suffix_of(self._prefix, self._live()))
        return self._neo4j.read(lambda ask: list(ask(text, {"moment": _value(as_of), **values})))

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
        """See `Graph.lineage`."""
        start, suffix = id_of(key_of(id)), suffix_of(self._prefix, self._live())
        asked = Asked(direction, tuple(relations), tuple(kinds), as_of, first, after)
        found = self._neo4j.read(lambda ask: Walk(ask, suffix, asked, start).run(depth, deadline_s))
        if found is None:
            raise self._not_found(id, as_of)
        return found

    def _not_found(self, id: str, as_of: AsOf) -> NotFound | Unavailable:
        there = labelled(THERE, suffix_of(self._prefix, self._live()))
        if self._neo4j.read(lambda ask: ask(there, {}).single()) is None:
            return gone(self._neo4j.where)
        return NotFound(f"there is no resource {id} in the graph{'' if as_of == NOW else ' at that moment'}", id=id)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a walk is asked for; see `Graph.lineage`."""

    direction: Direction
    relations: tuple[str, ...]
    kinds: tuple[str, ...]
    as_of: AsOf
    first: int
    after: int

    @property
    def enough(self) -> int:
        """How many nodes there must be for the page."""
        return self.after + self.first


class Walk:
    """Breadth first from one node, some levels at a time. Only ids are kept on the way."""

    def __init__(self, ask: Ask, suffix: str, asked: Asked, start: str) -> None:
        self._ask = ask
        self._suffix = suffix
        self._asked = asked
        self._seen = [start]
        self._near = [start]
        self._answer = {start: 0}  # id -> depth, in order

    def run(self, depth: int, deadline_s: float | None) -> Lineage | None:
        """Walk until a limit is met, and return the page; None where there is nothing to begin from."""
        end = None if deadline_s is None else time.monotonic() + deadline_s
        begun = 0
        while True:
            levels = min(LEVELS, depth - begun)
            last = begun + levels == depth
            left_ms = FOREVER_MS if end is None else max(0, int(1000 * (end - time.monotonic())))
            row = self._levels(levels, last, left_ms)
            if not row["begun"]:
                return None
            wanted = set(row["wanted"])
            for level, found in enumerate(row["levels"], begun + 1):
                self._visit(found, wanted, level)
            begun += len(row["levels"])
            if len(self._answer) > self._asked.enough:
                return self._page(row, "count")
            if row["late"]:
                return self._page(row, "deadline")
            if last or not self._near:
                return self._page(row, "depth" if row["beyond"] else None)

    def _levels(self, levels: int, last: bool, left_ms: int) -> Record:
        asked = self._asked
        values: dict[str, object] = {
            "moment": _value(asked.as_of),
            "seen": self._seen,
            "near": self._near,
            "levels": levels,
            "all": not asked.kinds,
            "kinds": asked.kinds,
            "enough": asked.enough,
            "after": asked.after,
            "room": asked.enough + 1 - len(self._answer),
            "left_ms": left_ms,
            "last": last,
        }
        # Where all kinds are wanted, no level needs more; where not, those left out may lead to others.
        level = LEVEL.replace("<room>", "" if asked.kinds else "LIMIT $room")
        text = BEGIN + level * LEVELS + END
        text = worded(text, asked.direction, asked.relations, _holding(asked.as_of), self._suffix)
        return self._ask(text, values).single(strict=True)

    def _visit(self, found: list[str], wanted: AbstractSet[str], depth: int) -> None:
        """Take in the nodes of a level, which come in their order."""
        self._near = found
        self._seen += found
        self._answer |= dict.fromkeys((id for id in found if not self._asked.kinds or id in wanted), depth)

    def _page(self, row: Record, reason: str | None) -> Lineage:
        end = self._asked.enough
        nodes = [_node(told, self._answer[told[:ID]]) for told in row["nodes"]]
        more = len(self._answer) > end
        return Lineage(
            nodes,
            self._edges(row["edges"]),
            partial=reason is not None or more,
            reason=reason,
            next_after=end if more else None,
        )

    def _edges(self, texts: Iterable[str]) -> list[Edge]:
        """The edges that end in the page, of those between its nodes and the ones before."""
        before = set(islice(self._answer, self._asked.after))
        upwards = self._asked.direction is Direction.UP
        since = dict[tuple[str, str, str], int]()
        for text in texts:
            here, there, (position, _, relation) = text[:ID], text[ID : 2 * ID], text[2 * ID :].partition(" ")
            if not before or here not in before or there not in before:
                edge = (VALUES[relation], there, here) if upwards else (VALUES[relation], here, there)
                at = int(position)
                since[edge] = min(at, since.get(edge, at))
        found = [(position, *edge) for edge, position in since.items()]
        found.sort()
        return [Edge(relation, ResourceId(up), ResourceId(down), position) for position, relation, up, down in found]


@lru_cache(256)
def worded(text: str, direction: Direction, relations: tuple[str, ...], holding: Holding, suffix: str) -> str:
    """A question in Cypher, in the words of a direction, some relations, a kind of moment and a generation."""
    types = "|".join(Relation(relation).name for relation in relations)
    step = STEPS[direction].replace(":<relations>", f":{types}" if types else ":NONE")
    told = f"WITH *, {holding.version} AS v RETURN {TOLD} AS told"
    for mark, words in (("<step>", step), ("<edge>", holding.edge), ("<node>", holding.node), ("<told>", told)):
        text = text.replace(mark, words)
    return labelled(text, suffix)


def _holding(as_of: AsOf) -> Holding:
    if as_of.time_us is not None:
        return BY_TIME
    return NOW_HOLDING if as_of.position is None else BY_POSITION


def _value(as_of: AsOf) -> int | None:
    return as_of.position if as_of.time_us is None else as_of.time_us


def _node(told: str, depth: int = 0) -> Node:
    """A node as it was told."""
    id, kind, variant, project, born, born_us, archived, facts, label = told.split(BETWEEN, len(_PARTS) - 1)
    at = int(born), int(born_us)
    return Node(
        ResourceId(id), kind, variant, label, ProjectId(project), *at, archived == "true", orjson.loads(facts), depth
    )
