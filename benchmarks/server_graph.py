"""The lineage graph of the server profile: building it anew, and walking it, each against the bare driver."""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from statistics import median
from typing import Any, cast

from benchmarks.figures import Bench, Measured
from benchmarks.graphql import Client
from benchmarks.lineage import LINKED
from benchmarks.scale import BIG_UNITS
from benchmarks.server_room import installed
from benchmarks.servers import address
from benchmarks.stores import Store
from benchmarks.timing import in_turn, percentile
from domain.service import Service
from domain.views import LINEAGE, NOW, AsOf, Direction, Lineage
from events.envelope import Recorded
from infra.server import ledger
from infra.server.disco import ServerDisco
from infra.server.graph import Neo4jGraph
from infra.server.graph_rows import GraphStore, labelled, suffix_of
from infra.server.ledger import Segment
from infra.server.neo4j import Neo4j
from infra.server.postgres import Pg, Postgres
from infra.settings import Settings
from projections import lineage_graph

PAGE = 5_000
COMPARED = 200_000
"""Events whose rows are written both ways; the rest is written for the walks alone."""
DEPTH = 5
FIRST = 100
STARTS = 300
OURS, RAW = 1, 2
COLUMNS = ("id", "kind", "variant", "label", "project", "born", "born_us", "facts")
NO_CONNECTION = cast(Pg, None)  # the graph's store makes no use of one
TYPES = "|".join(relation.name for relation in LINEAGE)

Row = dict[str, object]

RAW_NODES = "UNWIND $rows AS r MERGE (n:Resource {id: r.id}) SET n += r"
RAW_EDGES = """UNWIND $rows AS r MERGE (u:Resource {id: r.up}) MERGE (d:Resource {id: r.down})
MERGE (u)-[e:RELATION {since: r.since}]->(d) SET e.since_us = r.since_us"""
BARE = f"""MATCH (s:Resource {{id: $id}}) (()<-[e:{TYPES} WHERE e.until IS NULL]-()){{0,{DEPTH}}} (n)
WHERE n.born IS NOT NULL
WITH n, min(size(e)) AS depth ORDER BY depth, n.born, n.id LIMIT {FIRST}
WITH collect(n) AS nodes, collect(depth) AS depths UNWIND range(0, size(nodes) - 1) AS place
WITH nodes, nodes[place] AS n, depths[place] AS depth
RETURN n.id, n.kind, n.variant, n.label, n.project, n.born, n.born_us, n.archived, n.facts, depth, COLLECT {{
    MATCH (n)<-[e:{TYPES}]-(u) WHERE e.until IS NULL AND u IN nodes RETURN [u.id, type(e), e.since]
}}"""


@dataclass(slots=True)
class Built:
    """A catalogue's graph in Neo4j, and how fast the first of it came there: ours, and the same rows by MERGE."""

    settings: Settings
    neo4j: Neo4j
    store: GraphStore
    opened: ExitStack = field(default_factory=ExitStack)
    rows: int = 0
    ours_s: float = 0.0
    raw_s: float = 0.0

    @property
    def graph(self) -> Neo4jGraph:
        """The port over it."""
        return Neo4jGraph(self.neo4j, self.store.prefix, lambda: OURS)

    def close(self) -> None:
        """Take it out of the server, and let go."""
        self.opened.close()


def _built(bench: Bench) -> Built:
    with ExitStack() as opened:
        settings = opened.enter_context(installed(bench))
        neo4j = opened.enter_context(closing(Neo4j(address("neo4j"))))
        built = Built(settings, neo4j, GraphStore(neo4j, settings.topic_prefix))
        built.store.create(NO_CONNECTION, RAW)  # ours was made with the installation
        opened.callback(built.store.drop, NO_CONNECTION, RAW)
        _fill(bench, built)
        built.opened = opened.pop_all()
    return built


def _fill(bench: Bench, built: Built) -> None:
    source, compared = bench.store(BIG_UNITS), bench.scaled(COMPARED)
    position, turn = 0, 0
    while page := source.disco.log.read(position, limit=PAGE):
        if position < compared:
            # read once more: what was gathered from is decoded
            _both(built, page, source.disco.log.read(position, limit=PAGE), ours_first=bool(turn % 2))
        else:
            _fold(built, page)
        position, turn = page[-1].position, turn + 1
        bench.say(f"the graph of {position:,} of {source.events:,} events into Neo4j")


def _both(built: Built, page: list[Recorded], again: list[Recorded], *, ours_first: bool) -> None:
    """One page both ways."""
    nodes, edges = _gathered(built, page)
    built.rows += len(nodes) + sum(map(len, edges.values()))
    for ours in (ours_first, not ours_first):
        begun = time.perf_counter()
        if ours:
            _fold(built, again)
            built.ours_s += time.perf_counter() - begun
        else:
            _merge(built, nodes, edges)
            built.raw_s += time.perf_counter() - begun


def _fold(built: Built, page: list[Recorded]) -> None:
    rows = built.store.rows(NO_CONNECTION, OURS, fresh=True)
    lineage_graph.apply(rows, page)
    rows.flush()


def _gathered(built: Built, page: list[Recorded]) -> tuple[list[Row], dict[str, list[Row]]]:
    """The page's nodes, and its edges by type."""
    rows = built.store.rows(NO_CONNECTION, OURS, fresh=True)
    lineage_graph.apply(rows, page)
    nodes = [dict(zip(COLUMNS, row, strict=True)) for row in rows._nodes.values()]
    edges = {
        relation.name: [
            {"up": up, "down": down, "since": since, "since_us": us} for (up, down, since), us in found.items()
        ]
        for relation, found in rows._edges.items()
    }
    return nodes, edges


def _merge(built: Built, nodes: list[Row], edges: dict[str, list[Row]]) -> None:
    """The page by the driver alone."""
    suffix = suffix_of(built.store.prefix, RAW)

    def work(tx: Any) -> None:  # Any: a transaction of the driver
        tx.run(labelled(RAW_NODES, suffix), rows=nodes).consume()
        for name, rows in edges.items():
            tx.run(labelled(RAW_EDGES, suffix).replace(":RELATION", f":{name}"), rows=rows).consume()

    with built.neo4j._session() as session:
        session.execute_write(work)


def rebuild(bench: Bench) -> Measured:
    """Rows a second into a fresh generation: events decoded, folded, written."""
    built = bench.once("server graph", lambda: _built(bench))
    return Measured(built.rows / built.ours_s, built.rows / built.raw_s, f"{built.rows:,} nodes and edges")


def depth5(bench: Bench) -> Measured:
    """Five steps up at the port: the first hundred nodes with all columns, and the edges between them."""
    built = bench.once("server graph", lambda: _built(bench))
    source = bench.store(BIG_UNITS)
    starts = random.Random(5).sample(source.renders, min(bench.scaled(STARTS, least=60), len(source.renders)))
    _agree(built, source, starts)
    now = _asked(bench, built, starts, NOW)
    past = _asked(bench, built, starts, AsOf(source.events))
    note = f"median {1e3 * median(now[0]):.1f} against {1e3 * median(now[1]):.1f} ms, as of a position"
    note += f" {1e3 * median(past[0]):.1f} ms"
    return Measured(1e3 * percentile(now[0], 0.95), 1e3 * percentile(now[1], 0.95), note)


def graphql(bench: Bench) -> Measured:
    """The same question as a front end puts it, links and all, to a service whose graph lies in Neo4j."""
    built = bench.once("server graph", lambda: _built(bench))
    source = bench.store(BIG_UNITS)
    starts = random.Random(7).sample(source.renders, min(bench.scaled(STARTS, least=60), len(source.renders)))
    bare = labelled(BARE, suffix_of(built.store.prefix, OURS))
    with ExitStack() as opened:
        disco = opened.enter_context(ServerDisco(built.settings, run=False))
        _stand(disco.installation.postgres, source.events)
        client = opened.enter_context(closing(Client(cast(Service, disco))))
        session = opened.enter_context(built.neo4j._session())

        for start in starts:
            found = client.ask(LINKED, id=start)["lineage"]["nodes"]
            assert [node["id"] for node in found] == [row[0] for row in session.run(bare, id=start)]
        taken, theirs = in_turn(
            lambda start: client.answer(LINKED, id=start), lambda start: list(session.run(bare, id=start)), starts
        )
    note = f"median {1e3 * median(taken):.1f} against {1e3 * median(theirs):.1f} ms"
    return Measured(1e3 * percentile(taken, 0.95), 1e3 * percentile(theirs, 0.95), note)


def _stand(postgres: Postgres, position: int) -> None:
    """Have the sequencer say that so much is in the log, and that all of it was folded."""
    with postgres.transaction() as connection:
        connection.execute("UPDATE sequencer SET position = %s", (position,))
        ledger.insert_published(connection, Segment(1, position, array("H"), array("q")))


def _asked(bench: Bench, built: Built, starts: Sequence[str], as_of: AsOf) -> tuple[list[float], list[float]]:
    bare = labelled(BARE, suffix_of(built.store.prefix, OURS))
    with built.neo4j._session() as session:
        return in_turn(
            lambda start: _walked(built, start, as_of), lambda start: list(session.run(bare, id=start)), starts
        )


def _walked(built: Built, start: str, as_of: AsOf = NOW) -> Lineage:
    return built.graph.lineage(start, Direction.UP, depth=DEPTH, first=FIRST, as_of=as_of)


def _agree(built: Built, source: Store, starts: Sequence[str]) -> None:
    """The bare statement finds the same nodes, and the embedded profile the same of everything."""
    bare = labelled(BARE, suffix_of(built.store.prefix, OURS))
    embedded = source.disco.views.graph
    for start in starts:
        walk = _walked(built, start)
        with built.neo4j._session() as session:
            assert [node.id for node in walk.nodes] == [row[0] for row in session.run(bare, id=start)]
        assert walk == embedded.lineage(start, Direction.UP, depth=DEPTH, first=FIRST), start
