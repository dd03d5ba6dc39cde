"""Lineage: GraphQL in process against a bare recursive query that fetches the same nodes."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import apsw

from benchmarks.figures import Bench, Measured
from benchmarks.graphql import Client
from benchmarks.scale import BIG_UNITS, SMALL_UNITS
from benchmarks.stores import Store
from benchmarks.timing import in_turn, percentile
from domain.views import LINEAGE, Direction
from infra.embedded.graph_rows import CODES, EVER
from infra.embedded.rows import id_of, key_of

DEPTH = 5
FIRST = 100
STARTS = 400
ANCESTORS = 2_000
ANCESTRIES = 120
GROWTHS = 150
QUERY = """query ($id: ID!, $at: Moment) {
  lineage(id: $id, direction: UP, depth: 5, first: 100, asOf: $at) {
    nodes { id kind variant name projectId position time archived facts depth }
    partial
  }
}"""
LINKED = QUERY.replace("partial", "links { relation upstream downstream position } partial")


class Bare:
    """The same questions in SQL alone, over the same tables, by the same driver."""

    def __init__(self, store: Store) -> None:
        self._connection = apsw.Connection(str(store.path), flags=apsw.SQLITE_OPEN_READONLY)
        self._connection.pragma("cache_size", -16_384)
        found = self._connection.execute("SELECT generation FROM views WHERE name = 'lineage_graph' AND state = 'live'")
        graph = f"lineage_graph_{found.get}"
        codes = ", ".join(str(CODES[relation]) for relation in LINEAGE)
        edge = f"JOIN {graph}_edges e ON e.down = w.key AND e.relation IN ({codes}) AND e.until = {EVER}"
        start = f"SELECT key FROM {graph}_ids WHERE id = ?"
        columns = "n.id, n.kind, n.variant, n.label, n.project, n.born, n.born_us, n.archived, n.facts"
        node = f"JOIN {graph}_nodes n ON n.key = w.key AND n.until = {EVER}"
        self._nodes = f"""
            WITH RECURSIVE w(key, depth) AS (
                SELECT ({start}), 0 UNION SELECT e.up, w.depth + 1 FROM w {edge} WHERE w.depth < {DEPTH}),
            near(key, depth) AS (SELECT key, min(depth) FROM w GROUP BY key)
            SELECT {columns}, w.depth FROM near w {node} ORDER BY w.depth, n.born, n.id LIMIT {FIRST}"""
        self._links = f"""
            WITH RECURSIVE w(key, depth) AS (
                SELECT ({start}), 0 UNION SELECT e.up, w.depth + 1 FROM w {edge} WHERE w.depth < {DEPTH}),
            near(key) AS (SELECT key FROM w WHERE w.depth < {DEPTH} GROUP BY key)
            SELECT e.relation, e.up, e.down, e.since FROM near w {edge}"""
        self._all = f"""
            WITH RECURSIVE w(key) AS (SELECT ({start}) UNION SELECT e.up FROM w {edge})
            SELECT {columns} FROM w {node} LIMIT {ANCESTORS}"""
        self._reached = f"SELECT count(*) FROM {graph}_nodes"
        self._edges = f"SELECT count(*) FROM {graph}_edges"

    def nodes(self, id: str) -> list[tuple[Any, ...]]:
        """Five steps up, the first hundred nodes."""
        return self._connection.execute(self._nodes, (key_of(id),)).fetchall()

    def linked(self, id: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """The same nodes, and the links between them."""
        return self.nodes(id), self._connection.execute(self._links, (key_of(id),)).fetchall()

    def ancestry(self, id: str) -> list[tuple[Any, ...]]:
        """All the way up, two thousand nodes."""
        return self._connection.execute(self._all, (key_of(id),)).fetchall()

    def size(self) -> str:
        """How large the graph is."""
        nodes, edges = (int(self._connection.execute(query).get) for query in (self._reached, self._edges))
        return f"{nodes:,} nodes, {edges:,} edges"


def _starts(store: Store, count: int, *, share: float = 1.0) -> list[str]:
    """Assets to ask about, from this first part of the catalogue."""
    known = store.renders[: max(1, int(len(store.renders) * share))]
    return random.Random(count).sample(known, min(count, len(known)))


def _agree(client: Client, bare: Bare, starts: Sequence[str]) -> None:
    """Both answer with the same nodes in the same order."""
    for start in starts:
        nodes = client.ask(QUERY, id=start)["lineage"]["nodes"]
        rows = bare.nodes(start)
        assert [node["id"] for node in nodes] == [id_of(row[0]) for row in rows], f"answers differ for {start}"


def _depth5(bench: Bench, query: str, *, links: bool) -> Measured:
    store = bench.store(BIG_UNITS)
    bare, client = Bare(store), Client(store.disco)
    starts = _starts(store, bench.scaled(STARTS, least=60))
    _agree(client, bare, starts)
    nodes = median(len(bare.nodes(start)) for start in starts)
    ours, theirs = in_turn(lambda start: client.answer(query, id=start), bare.linked if links else bare.nodes, starts)
    client.close()
    medians = f"median {1e3 * median(ours):.1f} against {1e3 * median(theirs):.1f} ms"
    note = f"{bare.size()}, {nodes:g} nodes an answer, {medians}"
    return Measured(1e3 * percentile(ours, 0.95), 1e3 * percentile(theirs, 0.95), note)


def depth5(bench: Bench) -> Measured:
    """Five steps up, all columns of the first hundred nodes."""
    return bench.once("depth5", lambda: _depth5(bench, QUERY, links=False))


def depth5_linked(bench: Bench) -> Measured:
    """The same with the links between them, which takes the bare SQL a second query."""
    return _depth5(bench, LINKED, links=True)


def ancestry(bench: Bench) -> Measured:
    """Two thousand ancestors at once, at the port."""
    store = bench.store(BIG_UNITS)
    bare, graph = Bare(store), store.disco.views.graph

    def ours(start: str) -> int:
        return len(graph.lineage(start, Direction.UP, depth=1_000, first=ANCESTORS).nodes)

    deep = store.deep or store.renders[-5:]
    count = bench.scaled(ANCESTRIES, least=10)
    starts = (deep * (count // len(deep) + 1))[:count]
    found = median(ours(start) for start in deep)
    taken, theirs = in_turn(ours, bare.ancestry, starts)
    note = f"{found:g} nodes, median {1e3 * median(taken):.1f} ms"
    return Measured(1e3 * percentile(taken, 0.99), 1e3 * percentile(theirs, 0.99), note)


def as_of(bench: Bench) -> Measured:
    """The same question at a moment, of assets whose lineage was whole by then."""
    store = bench.store(BIG_UNITS)
    client = Client(store.disco)
    moment = int(store.events * 0.6)
    starts = _starts(store, bench.scaled(GROWTHS, least=60), share=0.5)

    def then(start: str) -> dict[str, Any]:
        return client.ask(QUERY, id=start, at=str(moment))

    def now(start: str) -> dict[str, Any]:
        return client.ask(QUERY, id=start)

    for start in starts:
        kinds = [[node["id"] for node in ask(start)["lineage"]["nodes"]] for ask in (then, now)]
        assert kinds[0] == kinds[1], f"the answer for {start} is not the same at {moment}"
    before, today = in_turn(then, now, starts)
    client.close()
    return Measured(1e3 * median(before), 1e3 * median(today))


def growth(bench: Bench) -> Measured:
    """The same question to a graph a tenth the size, answers alike in shape."""
    big, small = bench.store(BIG_UNITS), bench.store(SMALL_UNITS)
    clients = [Client(big.disco), Client(small.disco)]
    count = bench.scaled(GROWTHS, least=60)
    pairs = zip(clients, (big, small), strict=True)
    asked = [_full(client, _starts(store, 3 * count), count) for client, store in pairs]
    taken: tuple[list[float], list[float]] = ([], [])
    for pair in zip(*asked, strict=False):
        for place, start in enumerate(pair):
            begun = time.perf_counter()
            clients[place].ask(QUERY, id=start)
            taken[place].append(time.perf_counter() - begun)
    for client in clients:
        client.close()
    return Measured(1e3 * median(taken[0]), 1e3 * median(taken[1]), f"{len(taken[0])} answers of {FIRST} nodes")


def _full(client: Client, starts: Sequence[str], count: int) -> list[str]:
    """Starts whose answer fills a page."""
    full = (start for start in starts if len(client.ask(QUERY, id=start)["lineage"]["nodes"]) == FIRST)
    return [start for start, _ in zip(full, range(count), strict=False)]
