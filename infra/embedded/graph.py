"""The lineage graph in SQLite: nodes and edges by small integer keys, each with the positions it holds between.

A walk goes level by level, so it visits each edge once, however many paths there are, and its cost grows with the
answer, not with the graph.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import apsw
import orjson

from domain.errors import NotFound
from domain.ids import ProjectId
from domain.views import (
    LINEAGE,
    NOW,
    AsOf,
    At,
    Direction,
    Edge,
    Facts,
    Kind,
    Lineage,
    Node,
    Relation,
)
from infra.embedded.generation import Snapshot
from infra.embedded.rows import fetch, fetch_one, id_of, key_of

EVER = (1 << 62) - 1
CACHED_KEYS = 200_000
FINDINGS = 1 << 40
"""Above it lie the keys of analyses: FINDINGS + position. Their ids, random and by far the most, are not indexed
while a generation is built, so that its rate does not fall as it grows."""
RELATIONS = tuple(Relation)
NAMES = tuple(relation.value for relation in RELATIONS)
CODES = {relation: code for code, relation in enumerate(RELATIONS)}

SCHEMA = """
CREATE TABLE {t}_ids (key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
CREATE TABLE {t}_nodes (
    key INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, since_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL, id BLOB NOT NULL, born INTEGER NOT NULL, born_us INTEGER NOT NULL, kind TEXT NOT NULL,
    variant TEXT NOT NULL, label TEXT NOT NULL, project BLOB NOT NULL, archived INTEGER NOT NULL, facts BLOB NOT NULL,
    PRIMARY KEY (key, since)) WITHOUT ROWID;
CREATE TABLE {t}_edges (
    down INTEGER NOT NULL, up INTEGER NOT NULL, relation INTEGER NOT NULL, since INTEGER NOT NULL,
    until INTEGER NOT NULL, since_us INTEGER NOT NULL, until_us INTEGER NOT NULL,
    PRIMARY KEY (down, up, relation, since)) WITHOUT ROWID;
CREATE INDEX {t}_downstream ON {t}_edges (up, down, relation, since, until, since_us, until_us);
"""
INDEXES = f"CREATE INDEX {{t}}_findings ON {{t}}_nodes (id) WHERE key >= {FINDINGS};"
TABLES = ("ids", "nodes", "edges")
NODE = "n.id, n.kind, n.variant, n.label, n.project, n.born, n.born_us, n.archived, n.facts"


class SqliteGraphRows:
    """`GraphRows` for one page: rows are gathered, then written together by `flush`."""

    def __init__(self, connection: apsw.Connection, table: str, keys: dict[str, int]) -> None:
        self._connection = connection
        self._table = table
        self._keys = keys
        self._new = f"INSERT INTO {table}_ids (id) VALUES (?) ON CONFLICT DO NOTHING RETURNING key"
        self._fresh: set[int] = set()
        self._nodes: list[tuple[object, ...]] = []
        self._gathered: set[int] = set()
        self._edges: list[tuple[int, int, int, int, int, int, int]] = []

    def _key(self, id: str) -> int:
        key = self._keys.get(id)
        if key is None:
            values = (key_of(id),)
            key = fetch_one(self._connection, self._new, values)
            if key is None:
                key = fetch_one(self._connection, f"SELECT key FROM {self._table}_ids WHERE id = ?", values)
            else:
                self._fresh.add(key)
            self._keys[id] = key
        return key

    def node(self, kind: Kind, id: str, *, variant: str, label: str, project: str, at: At, facts: Facts) -> None:
        """See `GraphRows.node`."""
        key = self._key(id)
        if key in self._fresh:
            self._fresh.discard(key)
        elif self._has_node(key):
            return
        self._add(key, kind, id, variant, label, project, at, facts)

    def finding(self, id: str, asset: str, *, variant: str, project: str, at: At, facts: Facts) -> None:
        """See `GraphRows.finding`. Its key follows from its position, so nothing has to be looked up."""
        key = self._keys[id] = FINDINGS + at.position
        self._add(key, Kind.ANALYSIS, id, variant, variant, project, at, facts)
        code = CODES[Relation.ANALYSED_AS]
        self._edges.append((key, self._key(asset), code, at.position, EVER, at.time_us, EVER))

    def _add(self, key: int, kind: Kind, id: str, variant: str, label: str, project: str, at: At, facts: Facts) -> None:
        position, time_us = at.position, at.time_us
        place = (key, position, EVER, time_us, EVER, key_of(id), position, time_us)
        self._gathered.add(key)
        self._nodes.append((*place, kind.value, variant, label, key_of(project), 0, orjson.dumps(facts)))

    def _has_node(self, key: int) -> bool:
        if key in self._gathered:
            return True
        query = f"SELECT 1 FROM {self._table}_nodes WHERE key = ? LIMIT 1"
        return self._connection.execute(query, (key,)).get is not None

    def relabel(self, id: str, label: str, at: At) -> None:
        """See `GraphRows.relabel`."""
        self._amend(id, "label", label, at)

    def archive(self, id: str, archived: bool, at: At) -> None:
        """See `GraphRows.archive`."""
        self._amend(id, "archived", int(archived), at)

    def _amend(self, id: str, column: str, value: object, at: At) -> None:
        key, nodes = self._key(id), f"{self._table}_nodes"
        if key in self._gathered:
            self.flush()
        newest = f"SELECT max(since) FROM {nodes} WHERE key = ?"
        since = self._connection.execute(newest, (key,)).get
        if since is None or since >= at.position:
            return
        copied = "key, ?, until, ?, until_us, id, born, born_us, kind, variant, label, project, archived, facts"
        copied = copied.replace(column, "?")
        self._connection.execute(
            f"INSERT INTO {nodes} SELECT {copied} FROM {nodes} WHERE key = ? AND since = ?",
            (at.position, at.time_us, value, key, since),
        )
        self._connection.execute(
            f"UPDATE {nodes} SET until = ?, until_us = ? WHERE key = ? AND since = ?",
            (at.position, at.time_us, key, since),
        )

    def edge(self, relation: Relation, upstream: str, downstream: str, at: At, *, within: str | None = None) -> None:
        """See `GraphRows.edge`."""
        up = self._key(upstream) if within is None else self._finding_key(within, upstream)
        self._edges.append((self._key(downstream), up, CODES[relation], at.position, EVER, at.time_us, EVER))

    def _finding_key(self, asset: str, finding: str) -> int:
        if finding in self._keys:
            return self._keys[finding]
        query = f"""SELECT n.key FROM {self._table}_edges e JOIN {self._table}_nodes n ON n.key = e.down
                    WHERE e.up = ? AND e.relation = ? AND n.id = ?"""
        values = (self._key(asset), CODES[Relation.ANALYSED_AS], key_of(finding))
        key: int | None = fetch_one(self._connection, query, values)
        if key is None:
            return self._key(finding)
        self._keys[finding] = key
        return key

    def end_edge(self, relation: Relation, upstream: str, downstream: str, at: At) -> None:
        """See `GraphRows.end_edge`."""
        self.flush()
        self._connection.execute(
            f"UPDATE {self._table}_edges SET until = ?, until_us = ?"
            " WHERE down = ? AND up = ? AND relation = ? AND until = ? AND since < ?",
            (at.position, at.time_us, self._key(downstream), self._key(upstream), CODES[relation], EVER, at.position),
        )

    def flush(self) -> None:
        """Write what was gathered."""
        for name, columns, rows in (("nodes", 14, self._nodes), ("edges", 7, self._edges)):
            if rows:
                marks = ", ".join("?" * columns)
                self._connection.executemany(
                    f"INSERT OR IGNORE INTO {self._table}_{name} VALUES ({marks})",
                    rows,
                )
                rows.clear()
        self._gathered.clear()
        if len(self._keys) > CACHED_KEYS:
            self._keys.clear()


def content(connection: apsw.Connection, table: str) -> Iterator[tuple[str, str]]:
    """Every row as (key, content), in order of key, without what only this store knows."""
    nodes = f"""SELECT hex(id) || '@' || since, kind, variant, label, hex(project), archived, born, born_us, until,
                       since_us, until_us, facts
                FROM {table}_nodes ORDER BY 1"""
    for key, *rest in connection.execute(nodes):
        yield f"node {key}", repr(rest)
    edges = f"""SELECT hex(coalesce(u.id, uf.id)) || ' > ' || hex(coalesce(d.id, df.id)) || ' ' || e.relation || '@'
                       || e.since, e.until, e.since_us, e.until_us
                FROM {table}_edges e
                LEFT JOIN {table}_ids u ON u.key = e.up LEFT JOIN {table}_nodes uf ON uf.key = e.up
                LEFT JOIN {table}_ids d ON d.key = e.down LEFT JOIN {table}_nodes df ON df.key = e.down
                GROUP BY e.down, e.up, e.relation, e.since ORDER BY 1"""
    for key, *rest in connection.execute(edges):
        yield f"edge {key}", repr(rest)


class SqliteGraph:
    """`Graph` over the live generation."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def node(self, id: str, as_of: AsOf = NOW) -> Node:
        """See `Graph.node`."""
        found = self.nodes([id], as_of)
        if id not in found:
            raise NotFound(f"there is no resource {id} in the graph{_moment(as_of)}", id=id)
        return found[id]

    def nodes(self, ids: Sequence[str], as_of: AsOf = NOW) -> dict[str, Node]:
        """See `Graph.nodes`."""
        with self._snapshot() as (connection, table):
            keys = [key for id in ids if (key := _key(connection, table, id)) is not None]
            return {node.id: node for _, node in _nodes(connection, table, keys, as_of)}

    def neighbours(
        self, ids: Sequence[str], relation: Relation, direction: Direction, as_of: AsOf = NOW
    ) -> dict[str, list[Node]]:
        """See `Graph.neighbours`."""
        with self._snapshot() as (connection, table):
            keys = {key: id for id in ids if (key := _key(connection, table, id)) is not None}
            step = _Step(connection, table, direction, (relation,), as_of)
            pairs = {(here, there) for here, there, _, _ in step.from_(list(keys))}
            nodes = dict(_nodes(connection, table, sorted({there for _, there in pairs}), as_of))
        answer: dict[str, list[Node]] = {id: [] for id in ids}
        for here, there in pairs:
            if there in nodes:
                answer[keys[here]].append(nodes[there])
        for found in answer.values():
            found.sort(key=_order)
        return answer

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
        with self._snapshot() as (connection, table):
            start = _key(connection, table, id)
            begun = _nodes(connection, table, [start], as_of) if start is not None else []
            if not begun:
                raise NotFound(f"there is no resource {id} in the graph{_moment(as_of)}", id=id)
            walk = _Walk(connection, table, _Step(connection, table, direction, relations, as_of), as_of, begun[0])
            reason = walk.run(depth=depth, kinds=kinds, enough=after + first, deadline_s=deadline_s)
            return walk.page(after, first, reason)


class _Walk:
    """Breadth first from one node."""

    def __init__(
        self, connection: apsw.Connection, table: str, step: _Step, as_of: AsOf, start: tuple[int, Node]
    ) -> None:
        self._connection = connection
        self._table = table
        self._step = step
        self._as_of = as_of
        self._seen: dict[int, Node] = dict([start])
        self._answer: list[Node] = [start[1]]
        self._edges: dict[tuple[int, int, int], int] = {}

    def run(self, *, depth: int, kinds: Sequence[str], enough: int, deadline_s: float | None) -> str | None:
        """Walk until a limit is met; return which, or None where all was walked."""
        end = time.monotonic() + deadline_s if deadline_s is not None else None
        frontier = list(self._seen)
        for level in range(1, depth + 1):
            frontier = self._level(frontier, level, kinds)
            if not frontier:
                return "count" if len(self._answer) > enough else None
            if len(self._answer) > enough:
                self._note(self._step.from_(frontier))
                return "count"
            if end is not None and time.monotonic() > end:
                return "deadline"
        beyond = self._step.from_(frontier)
        self._note(beyond)
        return "depth" if any(there not in self._seen for _, there, _, _ in beyond) else None

    def _level(self, frontier: list[int], depth: int, kinds: Sequence[str]) -> list[int]:
        rows = self._step.from_(frontier)
        wanted = sorted({there for _, there, _, _ in rows if there not in self._seen})
        found = sorted(_nodes(self._connection, self._table, wanted, self._as_of), key=lambda pair: _order(pair[1]))
        for key, node in found:
            node.depth = depth
            self._seen[key] = node
            if not kinds or node.kind in kinds:
                self._answer.append(node)
        self._note(rows)
        return [key for key, _ in found]

    def _note(self, rows: list[tuple[int, int, int, int]]) -> None:
        """Keep edges; those to nodes that are not walked any more are left out by `page`."""
        upwards, edges = self._step.direction is Direction.UP, self._edges
        for here, there, relation, since in rows:
            edge = (there, here, relation) if upwards else (here, there, relation)
            known = edges.get(edge)
            if known is None or since < known:
                edges[edge] = since

    def page(self, after: int, first: int, reason: str | None) -> Lineage:
        """The nodes of one page, and the edges that end in it and lead to nothing later."""
        nodes = self._answer[after : after + first]
        end = after + len(nodes)
        more = len(self._answer) > after + first
        return Lineage(
            nodes,
            self._edges_between(after, end),
            partial=reason is not None or more,
            reason=reason or ("count" if more else None),
            next_after=after + first if more else None,
        )

    def _edges_between(self, after: int, end: int) -> list[Edge]:
        places = {node.id: place for place, node in enumerate(self._answer)}
        seen = {key: (node.id, places.get(node.id, end)) for key, node in self._seen.items()}
        found = []
        for (up, down, relation), since in self._edges.items():
            if up in seen and down in seen:
                (up_id, up_place), (down_id, down_place) = seen[up], seen[down]
                if after <= max(up_place, down_place) < end:
                    found.append((since, NAMES[relation], up_id, down_id))
        found.sort()
        return [Edge(relation, up, down, since) for since, relation, up, down in found]


class _Step:
    """One step along edges from many nodes at once."""

    def __init__(
        self, connection: apsw.Connection, table: str, direction: Direction, relations: Sequence[str], as_of: AsOf
    ) -> None:
        here, there = ("down", "up") if direction is Direction.UP else ("up", "down")
        codes = ", ".join(str(CODES[Relation(relation)]) for relation in relations)
        since, until, self._moment = _holds(as_of)
        self.direction = direction
        self._connection = connection
        self._query = (
            f"SELECT e.{here}, e.{there}, e.relation, e.since FROM json_each(?) j CROSS JOIN {table}_edges e"
            f" WHERE e.{here} = j.value AND e.relation IN ({codes}) AND e.{since} <= ? AND e.{until} > ?"
        )

    def from_(self, keys: list[int]) -> list[tuple[int, int, int, int]]:
        """(here, there, relation, since) for every edge."""
        values = (orjson.dumps(keys).decode(), self._moment, self._moment)
        return fetch(self._connection, self._query, values)


def _holds(as_of: AsOf) -> tuple[str, str, int]:
    if as_of.time_us is not None:
        return "since_us", "until_us", as_of.time_us
    return "since", "until", as_of.position if as_of.position is not None else EVER - 1


def _moment(as_of: AsOf) -> str:
    if as_of.position is not None:
        return f" as of position {as_of.position}"
    return " at that time" if as_of.time_us is not None else ""


def _order(node: Node) -> tuple[int, str]:
    return node.position, node.id


def _key(connection: apsw.Connection, table: str, id: str) -> int | None:
    values = (key_of(id),)
    key: int | None = fetch_one(connection, f"SELECT key FROM {table}_ids WHERE id = ?", values)
    if key is None:
        query = f"SELECT key FROM {table}_nodes WHERE id = ? AND key >= {FINDINGS} LIMIT 1"
        key = fetch_one(connection, query, values)
    return key


def _nodes(connection: apsw.Connection, table: str, keys: Sequence[int], as_of: AsOf) -> list[tuple[int, Node]]:
    since, until, moment = _holds(as_of)
    query = (
        f"SELECT n.key, {NODE} FROM json_each(?) j CROSS JOIN {table}_nodes n"
        f" WHERE n.key = j.value AND n.{since} <= ? AND n.{until} > ?"
    )
    rows = fetch(connection, query, (orjson.dumps(keys).decode(), moment, moment))
    return [(key, _node(*rest)) for key, *rest in rows]


def _node(
    id: bytes,
    kind: str,
    variant: str,
    label: str,
    project: bytes,
    born: int,
    born_us: int,
    archived: int,
    facts: Any,  # Any: bytes of JSON
) -> Node:
    return Node(
        id_of(id), kind, variant, label, ProjectId(id_of(project)), born, born_us, bool(archived), orjson.loads(facts)
    )
