"""The lineage graph as it lies in Neo4j, and how it is written.

A resource is a node, an edge a relationship with the positions and times it holds between; what a node was called, or
whether it was archived, before it was last amended lies in nodes of its own (`Version`) behind it. All bear labels that
end in the generation. An edge may come before the node it leads from, for that may be of another partition: then there
is a node with nothing but its id, which is filled when its turn comes, and is no node to any reader until then.

Rows are keyed: nodes by id, edges by their ends, relation and position, versions by the position they begin at. Whoever
writes a page first takes hold of its nodes, so that a writer who is late finds all of it there, or waits until it is.
An edge's downstream end is always of the partition that brings it, so that holding it is holding its edges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson

from domain.errors import Unavailable
from domain.views import At, Facts, Kind, Relation
from infra import content
from infra.embedded.graph_rows import CODES, EVER
from infra.server.neo4j import Neo4j
from infra.server.postgres import Pg
from projections import lineage_graph

if TYPE_CHECKING:
    from neo4j import Record

    from infra.server.neo4j import Ask, Tx

ROWS = 5_000
"""Rows of one statement."""
DROPPED = 10_000
"""Relationships or nodes deleted in one transaction: what is deleted is kept in the server's memory until its end."""
PAGE = 5_000
ANY_RELATION = "|".join(relation.name for relation in Relation)

_NODE = """n.kind = r[1], n.variant = r[2], n.label = r[3], n.project = r[4], n.born = r[5], n.born_us = r[6],
    n.facts = r[7]"""
_EDGE = "{since: r[2], since_us: r[3]}"
_NEWEST = "coalesce(n.since, n.born), coalesce(n.since_us, n.born_us)"

CONSTRAINT = "CREATE CONSTRAINT `{name}` IF NOT EXISTS FOR (n:Resource) REQUIRE n.id IS UNIQUE"
MADE = "MERGE (:Generation)"
THERE = "MATCH (g:Generation) RETURN g LIMIT 1"
NEW_NODES = f"UNWIND $rows AS r CREATE (n:Resource {{id: r[0]}}) SET {_NODE}"
HELD = "UNWIND $rows AS id MERGE (n:Resource {id: id}) SET n.held = true REMOVE n.held"
NAMED = "UNWIND $rows AS id MERGE (:Resource {id: id})"
FILLED = f"UNWIND $rows AS r MATCH (n:Resource {{id: r[0]}}) WHERE n.born IS NULL SET {_NODE}"
ENDS = "UNWIND $rows AS r MATCH (u:Resource {id: r[0]}) MATCH (d:Resource {id: r[1]})"
NEW_EDGES = f"{ENDS} CREATE (u)-[:RELATION {_EDGE}]->(d)"
EDGES = f"""{ENDS} WHERE NOT EXISTS {{ MATCH (u)-[e:RELATION]->(d) WHERE e.since = r[2] }}
CREATE (u)-[:RELATION {_EDGE}]->(d)"""
ENDED = """UNWIND $rows AS r MATCH (:Resource {id: r[0]})-[e:RELATION]->(:Resource {id: r[1]})
WHERE e.until IS NULL
WITH e, head([at IN r[2] WHERE at[0] > e.since]) AS at WHERE at IS NOT NULL
SET e.until = at[0], e.until_us = at[1]"""
AMENDED = f"""UNWIND $rows AS r MATCH (n:Resource {{id: r[0]}}) WHERE n.born IS NOT NULL
WITH n, reduce(vs = [[{_NEWEST}, n.label, coalesce(n.archived, false)]],
    a IN [a IN r[1] WHERE a[0] > coalesce(n.since, n.born)] |
    vs + [[a[0], a[1], coalesce(a[2], vs[-1][2]), coalesce(a[3], vs[-1][3])]]) AS vs
WHERE size(vs) > 1
WITH n, vs, vs[-1] AS v
SET n.since = v[0], n.since_us = v[1], n.label = v[2], n.archived = v[3],
    n.first_us = reduce(t = coalesce(n.first_us, n.born_us), v IN vs | CASE WHEN v[1] < t THEN v[1] ELSE t END)
WITH n, vs UNWIND range(0, size(vs) - 2) AS i
CREATE (n)-[:WAS]->(:Version {{since: vs[i][0], since_us: vs[i][1], until: vs[i + 1][0], until_us: vs[i + 1][1],
    label: vs[i][2], archived: vs[i][3]}})"""

NODES = f"""MATCH (n:Resource) WHERE n.id > $after AND n.born IS NOT NULL WITH n ORDER BY n.id LIMIT $page
RETURN n.id, n.kind, n.variant, n.project, n.born, n.born_us, n.facts, COLLECT {{
    MATCH (n)-[:WAS]->(v)
    RETURN [v.since, v.since_us, v.until, v.until_us, v.label, v.archived]
}} + [[{_NEWEST}, $ever, $ever, n.label, coalesce(n.archived, false)]]"""
RELATIONSHIPS = f"""MATCH (n:Resource) WHERE n.id > $after WITH n ORDER BY n.id LIMIT $page
OPTIONAL MATCH (n)-[e:{ANY_RELATION}]->(d)
RETURN n.id, d.id, type(e), e.since, coalesce(e.until, $ever), e.since_us, coalesce(e.until_us, $ever) ORDER BY n.id"""
FORGET_EDGES = "MATCH (:Resource)-[e]->() CALL (e) { DELETE e } IN TRANSACTIONS OF $size ROWS"
FORGET_NODES = "MATCH (n:Resource|Version|Generation) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF $size ROWS"


@lru_cache(1024)
def labelled(query: str, suffix: str) -> str:
    """A statement about one generation: its labels with the generation's suffix."""
    return re.sub(r"\b(Resource|Version|Generation)\b", rf"\1_{suffix}", query)


class Neo4jGraphRows:
    """`GraphRows` for one page: rows are gathered, then written in one transaction by `flush`.

    `fresh`: nobody else writes this generation, so that rows are made without looking whether they are there. Where
    that fails, for a node may already have been named by an edge, they are written as any others.
    """

    def __init__(self, neo4j: Neo4j, suffix: str, *, fresh: bool) -> None:
        self._neo4j = neo4j
        self._suffix = suffix
        self._fresh = fresh
        self._nodes: dict[str, list[object]] = {}
        self._edges: dict[Relation, dict[tuple[str, str, int], int]] = {}
        self._ended: dict[Relation, dict[tuple[str, str], set[At]]] = {}
        self._amended: dict[str, dict[int, list[object]]] = {}

    def node(self, kind: Kind, id: str, *, variant: str, label: str, project: str, at: At, facts: Facts) -> None:
        """See `GraphRows.node`."""
        told = orjson.dumps(facts).decode()
        self._nodes.setdefault(id, [id, kind.value, variant, label, project, *at, told])

    def finding(self, id: str, asset: str, *, variant: str, project: str, at: At, facts: Facts) -> None:
        """See `GraphRows.finding`."""
        self.node(Kind.ANALYSIS, id, variant=variant, label=variant, project=project, at=at, facts=facts)
        self.edge(Relation.ANALYSED_AS, asset, id, at)

    def relabel(self, id: str, label: str, at: At, *, within: str | None = None) -> None:
        """See `GraphRows.relabel`. An id is enough here, of an analysis too."""
        self._amended.setdefault(id, {}).setdefault(at.position, [*at, label, None])

    def archive(self, id: str, archived: bool, at: At, *, within: str | None = None) -> None:
        """See `GraphRows.archive`."""
        self._amended.setdefault(id, {}).setdefault(at.position, [*at, None, archived])

    def edge(self, relation: Relation, upstream: str, downstream: str, at: At, *, within: str | None = None) -> None:
        """See `GraphRows.edge`."""
        self._edges.setdefault(relation, {}).setdefault((upstream, downstream, at.position), at.time_us)

    def end_edge(self, relation: Relation, upstream: str, downstream: str, at: At) -> None:
        """See `GraphRows.end_edge`."""
        self._ended.setdefault(relation, {}).setdefault((upstream, downstream), set()).add(at)

    def flush(self) -> None:
        """Write what was gathered."""
        if not (self._fresh and self._tried()):
            self._neo4j.write(self._write)
        for gathered in (self._nodes, self._edges, self._ended, self._amended):
            gathered.clear()

    def _tried(self) -> bool:
        """Whether all could be written without a look at what is there."""
        try:
            self._neo4j.write_once(self._write_fresh)
        except Unavailable:
            return False
        return True

    def _write_fresh(self, tx: Tx) -> None:
        ends = {end for edges in self._edges.values() for key in edges for end in key[:2]}
        self._run(tx, NEW_NODES, list(self._nodes.values()))
        self._run(tx, NAMED, list(ends - self._nodes.keys()))
        self._run_edges(tx, NEW_EDGES)
        self._write_changes(tx)

    def _write(self, tx: Tx) -> None:
        if tx.run(labelled(THERE, self._suffix)).single() is None:
            raise gone(self._neo4j.where)
        upstream = {up for edges in self._edges.values() for up, _, _ in edges}
        mine = {down for edges in self._edges.values() for _, down, _ in edges}
        mine |= {down for ended in self._ended.values() for _, down in ended}
        mine |= self._nodes.keys() | self._amended.keys()
        # In order of id: two that want the same nodes seldom wait for each other.
        self._run(tx, HELD, sorted(mine))
        self._run(tx, NAMED, sorted(upstream - mine))
        self._run(tx, FILLED, list(self._nodes.values()))
        self._run_edges(tx, EDGES)
        self._write_changes(tx)

    def _run_edges(self, tx: Tx, query: str) -> None:
        for relation, edges in self._edges.items():
            self._run(tx, query, [[*ends, since_us] for ends, since_us in edges.items()], relation)

    def _write_changes(self, tx: Tx) -> None:
        for relation, ended in self._ended.items():
            self._run(tx, ENDED, [[*ends, [list(one) for one in sorted(at)]] for ends, at in ended.items()], relation)
        amended = [[id, [changes[at] for at in sorted(changes)]] for id, changes in self._amended.items()]
        self._run(tx, AMENDED, amended)

    def _run(self, tx: Tx, query: str, rows: Sequence[object], relation: Relation | None = None) -> None:
        text = labelled(query, self._suffix)
        if relation is not None:
            text = text.replace(":RELATION", f":{relation.name}")
        for start in range(0, len(rows), ROWS):
            tx.run(text, rows=rows[start : start + ROWS]).consume()


@dataclass(frozen=True, slots=True)
class GraphStore:
    """Where the lineage graph lies: labels and relationships of each generation in one database."""

    neo4j: Neo4j
    prefix: str
    name: str = lineage_graph.NAME
    version: int = lineage_graph.VERSION

    def create(self, connection: Pg, generation: int) -> None:
        """Make the constraint that ids are unique, and with it the index that every statement begins at.

        It is done when the index is; to wait for all the database's would be to wait for those who wait for us. A node
        with nothing in it says that the generation is there: a server that lost its data would know as little of any.
        """
        suffix = suffix_of(self.prefix, generation)
        constraint = labelled(CONSTRAINT.format(name=f"resource_{suffix}"), suffix)
        self._do(constraint)
        self._do(labelled(MADE, suffix))

    def rows(self, connection: Pg, generation: int, *, fresh: bool) -> Neo4jGraphRows:
        """What the projection writes to, in a transaction of its own: it comes before the page's checkpoint."""
        return Neo4jGraphRows(self.neo4j, suffix_of(self.prefix, generation), fresh=fresh)

    def finish(self, connection: Pg, generation: int) -> None:
        """Nothing is left to make: readers need what writers need."""

    def drop(self, connection: Pg, generation: int) -> None:
        """Take a generation away, in many small transactions."""
        suffix = suffix_of(self.prefix, generation)
        for forget in (FORGET_EDGES, FORGET_NODES):
            self.neo4j.ask(labelled(forget, suffix), size=DROPPED)
        self._do(f"DROP CONSTRAINT `resource_{suffix}` IF EXISTS")

    def _do(self, statement: str) -> None:
        self.neo4j.write(lambda tx: tx.run(statement).consume())

    def content(self, connection: Pg, generation: int) -> Iterator[content.Row]:
        """Every row as (key, content), in order of key."""
        suffix = suffix_of(self.prefix, generation)
        rows = self._all(labelled(RELATIONSHIPS, suffix))
        for up, edges in groupby(rows, itemgetter(0)):
            yield from sorted(_edge_row(up, *edge) for _, *edge in edges if edge[0] is not None)
        for id, *rest, versions in self._all(labelled(NODES, suffix)):
            yield from _node_rows(id, rest, versions)

    def _all(self, query: str) -> Iterator[Record]:
        """The rows of a query about all nodes in order of id, a page of nodes at a time."""
        after = ""
        while page := self.neo4j.read(partial(_page, query, after)):
            yield from page
            after = page[-1][0]


def gone(where: str) -> Unavailable:
    """What to say of a generation that should be there and is not."""
    return Unavailable(f"{where} has lost the lineage graph; run: disco replay --view {lineage_graph.NAME}")


def suffix_of(prefix: str, generation: int) -> str:
    """What the labels of a generation end in."""
    return f"{prefix}_{generation}"


def _page(query: str, after: str, ask: Ask) -> list[Record]:
    return list(ask(query, {"after": after, "page": PAGE, "ever": EVER}))


def _node_rows(id: str, rest: Sequence[Any], versions: list[list[Any]]) -> Iterator[content.Row]:
    """A node's versions. Any: as the driver gives them."""
    kind, variant, project, born, born_us, facts = rest
    digits, place = _digits(id), _digits(project)
    for since, since_us, until, until_us, label, archived in sorted(versions, key=lambda version: str(version[0])):
        told = [kind, variant, label, place, int(archived), born, born_us, until, since_us, until_us]
        yield content.node_row(f"{digits}@{since}", [*told, str(facts).encode()])


def _edge_row(up: str, down: str, relation: str, since: int, *rest: int) -> content.Row:
    name = f"{_digits(up)} > {_digits(down)} {CODES[Relation[relation]]}@{since}"
    return content.edge_row(name, rest)


def _digits(id: object) -> str:
    """An id's digits; whatever else may be there in its place is told too."""
    return str(id).replace("-", "").upper()
