"""Questions to the lineage graph in SQLite.

A walk goes level by level, so it visits each edge once, however many paths there are, and its cost grows with what it
walks over, not with the graph.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import apsw
import orjson

from domain.errors import NotFound
from domain.ids import ProjectId
from domain.views import LINEAGE, NOW, AsOf, Direction, Edge, Lineage, Node, Relation
from infra.embedded.generation import Snapshot
from infra.embedded.graph_rows import CODES, EVER, FINDINGS, NAMES
from infra.embedded.rows import fetch, fetch_one, id_of, key_of

NODE = "n.id, n.kind, n.variant, n.label, n.project, n.born, n.born_us, n.archived, n.facts"


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
            walk = _Walk(connection, table, _Step(connection, table, direction, relations, as_of), as_of)
            if start is None or not walk.begin(start):
                raise NotFound(f"there is no resource {id} in the graph{_moment(as_of)}", id=id)
            reason = walk.run(depth=depth, kinds=kinds, enough=after + first, deadline_s=deadline_s)
            return walk.page(after, first, reason)


class _Walk:
    """Breadth first from one node. Only keys are kept on the way; whole nodes are read for the page alone."""

    def __init__(self, connection: apsw.Connection, table: str, step: _Step, as_of: AsOf) -> None:
        self._connection = connection
        self._table = table
        self._step = step
        self._as_of = as_of
        since, until, self._moment = _holds(as_of)
        self._brief = (
            f"SELECT n.born, n.id, n.key, n.kind FROM json_each(?) j CROSS JOIN {table}_nodes n"
            f" WHERE n.key = j.value AND n.{since} <= ? AND n.{until} > ?"
        )
        self._seen: dict[int, bytes] = {}
        self._answer: dict[int, int] = {}  # key -> depth, in order
        self._edges: dict[tuple[int, int, int], int] = {}

    def begin(self, start: int) -> bool:
        """Whether there is such a node to begin from."""
        return bool(self._visit([start], 0, ()))

    def run(self, *, depth: int, kinds: Sequence[str], enough: int, deadline_s: float | None) -> str | None:
        """Walk until a limit is met; return which, or None where all was walked."""
        end = time.monotonic() + deadline_s if deadline_s is not None else None
        frontier = list(self._seen)
        for level in range(1, depth + 1):
            rows = self._step.from_(frontier)
            frontier = self._visit(sorted({there for _, there, _, _ in rows} - self._seen.keys()), level, kinds)
            self._note(rows)
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

    def _visit(self, keys: list[int], depth: int, kinds: Sequence[str]) -> list[int]:
        """Take in those of the keys that are nodes at the moment, the oldest first."""
        found = fetch(self._connection, self._brief, (orjson.dumps(keys).decode(), self._moment, self._moment))
        found.sort()
        for _, id, key, kind in found:
            self._seen[key] = id
            if not kinds or kind in kinds or not depth:
                self._answer[key] = depth
        return [key for _, _, key, _ in found]

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
        keys = list(self._answer)[after : after + first]
        found = dict(_nodes(self._connection, self._table, keys, self._as_of))
        for key in keys:
            found[key].depth = self._answer[key]
        more = len(self._answer) > after + first
        return Lineage(
            [found[key] for key in keys],
            self._edges_between(after, after + len(keys)),
            partial=reason is not None or more,
            reason=reason or ("count" if more else None),
            next_after=after + first if more else None,
        )

    def _edges_between(self, after: int, end: int) -> list[Edge]:
        seen, keys = self._seen, list(self._answer)
        told, before = set(keys[:end]), set(keys[:after])
        found = [
            (since, NAMES[relation], seen[up], seen[down])
            for (up, down, relation), since in self._edges.items()
            if up in told and down in told and not (up in before and down in before)
        ]
        found.sort()
        return [Edge(relation, id_of(up), id_of(down), since) for since, relation, up, down in found]


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
