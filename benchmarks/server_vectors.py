"""Vectors of the server profile: building them anew and asking for what is near, each against the bare driver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from statistics import median
from typing import Any  # of the driver, which is untyped

import numpy as np

from benchmarks.catalogue import START_US
from benchmarks.figures import Bench, Measured
from benchmarks.material import Material
from benchmarks.server_rows import PAGE, UNITS, proposed_events, recorded
from benchmarks.servers import address, fresh_prefix
from benchmarks.stores import SEED
from benchmarks.timing import in_turn, percentile
from domain import ids
from domain.ids import EventId, ProjectId
from domain.values import unpack_floats
from events.analyses import EmbeddingComputed
from events.envelope import Proposed, Recorded
from infra.server.generations import Live, schema_of
from infra.server.milvus import Milvus
from infra.server.postgres import Postgres
from infra.server.vectors import MilvusVectors, VectorStore, number_of
from processors.likeness.space import DIMENSIONS, SPACE
from projections import similarity

VECTORS = 100_000
PROJECTS = 1_000
QUERIES = 200
NEAREST = 10
SETTLED_S = 10.0
OURS, RAW = 1, 2

Row = dict[str, object]


class Corner:
    """A corner of both servers: a generation of ours, and a bare collection beside it."""

    def __init__(self) -> None:
        self.postgres = Postgres(address("postgres"), prefix=fresh_prefix(), statement_s=0)
        self.milvus = Milvus(address("milvus"))
        self.store = VectorStore(self.milvus, self.postgres.schema)
        for generation in (OURS, RAW):
            with self.postgres.transaction() as connection:
                self.store.create(connection, generation)

    def collection(self, generation: int) -> str:
        """Its collection."""
        return schema_of(self.postgres.schema, similarity.NAME, generation)

    def fold(self, page: list[Recorded]) -> None:
        """What a rebuild does with a page it has read."""
        with self.postgres.transaction() as connection:
            rows = self.store.rows(connection, OURS, fresh=True)
            similarity.apply(rows, page)
            rows.flush()

    def insert(self, rows: list[Row]) -> None:
        """The driver's own insert of ready rows."""
        with self.milvus._asked() as client:
            client.insert(self.collection(RAW), rows)

    def finish(self) -> None:
        """What readers need, once Milvus has it ready."""
        with self.postgres.transaction() as connection:
            self.store.finish(connection, OURS)
        time.sleep(SETTLED_S)

    def close(self) -> None:
        """Take it out of the servers, and let go."""
        for generation in (OURS, RAW):
            with self.postgres.transaction() as connection:
                self.store.drop(connection, generation)
        self.milvus.close()
        self.postgres.close()


def rebuild(bench: Bench) -> Measured:
    """Embeddings a second into a fresh generation, from a log that holds all else as well; page by page, in turn."""
    proposed = bench.once("server events", lambda: list(proposed_events(bench.scaled(UNITS, least=40))))
    log, again = recorded(proposed), recorded(proposed)  # what rows were gathered from is decoded
    taken, count = {OURS: 0.0, RAW: 0.0}, 0
    with closing(Corner()) as corner:
        for turn, at in enumerate(range(0, len(log), PAGE)):
            page = again[at : at + PAGE]
            rows = [_row(event) for event in log[at : at + PAGE] if event.type == EmbeddingComputed.TYPE]
            both: list[tuple[int, Callable[[], None]]] = [
                (OURS, partial(corner.fold, page)),
                (RAW, partial(corner.insert, rows)),
            ]
            for which, work in both if turn % 2 else reversed(both):
                begun = time.perf_counter()
                work()
                taken[which] += time.perf_counter() - begun
            count += len(rows)
    return Measured(count / taken[OURS], count / taken[RAW], f"{count:,} vectors of {len(log):,} events")


def _row(event: Recorded) -> Row:
    return {
        "id": event.position,
        "project": event.project,
        "space": number_of(event.json["space"].encode()),
        "time_us": event.time_us,
        "vector": unpack_floats(event.json["vector"]),
    }


def similar(bench: Bench) -> Measured:
    """The ten nearest of all, and of one project, in turn; exact."""
    count = bench.scaled(VECTORS, least=2_000)
    events = recorded(list(_embeddings(count)))
    bench.say(f"{count:,} vectors into Milvus")
    with closing(Corner()) as corner:
        for at in range(0, count, PAGE):
            corner.fold(events[at : at + PAGE])
        corner.finish()
        return _asked(bench, corner, events)


def _asked(bench: Bench, corner: Corner, events: list[Recorded]) -> Measured:
    matrix = np.stack([unpack_floats(event.json["vector"]) for event in events])
    vectors = MilvusVectors(corner.milvus, Live(corner.postgres, similarity.NAME, lambda: OURS))
    chance = np.random.default_rng(2)
    asked = [(int(number), bool(turn % 2)) for turn, number in enumerate(chance.integers(0, len(events), QUERIES))]
    asked = asked[: bench.scaled(QUERIES, least=30)]

    def ours(which: tuple[int, bool]) -> list[float]:
        event = events[which[0]]
        return [hit.score for hit in vectors.similar(event.subject, project=event.project if which[1] else None)]

    def brute(number: int, within: bool) -> list[float]:
        scores = matrix[number % PROJECTS :: PROJECTS] @ matrix[number] if within else matrix @ matrix[number]
        return sorted(map(float, scores), reverse=True)[1 : NEAREST + 1]

    for number, within in asked[:30]:
        assert np.allclose(ours((number, within)), brute(number, within), atol=1e-4), "a hit was lost"
    with corner.milvus._asked() as client:
        bare = partial(_bare, client, corner.collection(OURS), matrix, events)
        taken, theirs = in_turn(ours, bare, asked)
    note = f"{len(events):,} × {DIMENSIONS}, median {1e3 * median(taken):.1f} ms"
    return Measured(1e3 * percentile(taken, 0.95), 1e3 * percentile(theirs, 0.95), note)


def _bare(client: Any, collection: str, matrix: np.ndarray, events: list[Recorded], which: tuple[int, bool]) -> None:
    number, within = which
    where = f'project == "{events[number].project}"' if within else ""
    client.search(collection, [matrix[number]], filter=where, limit=NEAREST + 1, consistency_level="Eventually")


def _embeddings(count: int) -> Iterator[Proposed]:
    material = Material(SEED)
    projects = [ProjectId(ids.derived("bench", number)) for number in range(PROJECTS)]
    for number in range(count):
        asset = ids.derived("bench asset", number)
        data = EmbeddingComputed.model_construct(
            asset_id=asset, space=SPACE, dimensions=DIMENSIONS, vector=material.vector()
        )
        project = projects[number % PROJECTS]
        yield Proposed(
            EventId(ids.derived("bench event", number)), project, data, START_US, "/processors/bench/1", "bench", asset
        )
