"""The server profile's views over real servers, and a log in one file: Kafka alone is played by a list."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from domain.views import Views
from events.envelope import Proposed
from infra.event_rows import COLUMNS, Row
from infra.server import ledger, registry
from infra.server.documents import PgDocuments, PgRecords, catalogue_store, dead_letters_store, jobs_store
from infra.server.folding import Folding
from infra.server.generations import Live
from infra.server.graph import Neo4jGraph
from infra.server.graph_rows import GraphStore
from infra.server.migrating import migrate
from infra.server.milvus import Milvus
from infra.server.neo4j import Neo4j
from infra.server.postgres import Pg, Postgres, identifier
from infra.server.records import Headers, Partition, headers_of
from infra.server.registry import Registry
from infra.server.relay import partition_of
from infra.server.series import PgSeries, SeriesStore
from infra.server.store import View
from infra.server.vectors import MilvusVectors, VectorStore
from infra.server.views import ServerViews
from projections import catalogue, dead_letters, jobs, lineage_graph, measurements, similarity
from tests.servers import fresh_name, servers
from tests.spine import Spine

PARTITIONS = 3
PAGE = 40
"""Records that a rebuild folds at once: few, so that there are several pages."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the topic."""

    partition: int
    offset: int
    value: bytes | None
    headers: Headers
    topic: str = "listed"


class Topic:
    """What a log holds as Kafka would: lists of records, and PostgreSQL told of them as by the relay."""

    def __init__(self) -> None:
        self.records: dict[int, list[Record]] = {partition: [] for partition in range(PARTITIONS)}
        self._last = dict.fromkeys(range(PARTITIONS), 0)

    def publish(self, connection: Pg, rows: list[Row], projects: list[str]) -> dict[int, list[Record]]:
        """Take the next events of the log; returns what is new, by partition."""
        fresh: dict[int, list[Record]] = defaultdict(list)
        for row, project in zip(rows, projects, strict=True):
            partition = partition_of(project, PARTITIONS)
            headers = headers_of(row, self._last[partition])
            record = Record(partition, len(self.records[partition]), row[ledger.DATA], headers)
            self.records[partition].append(record)
            fresh[partition].append(record)
            self._last[partition] = row[0]
        places = {row[0]: partition_of(project, PARTITIONS) for row, project in zip(rows, projects, strict=True)}
        offsets = {partition: iter(records) for partition, records in fresh.items()}
        segment = ledger.Segment(
            rows[0][0],
            rows[-1][0],
            array("H", places.values()),
            array("q", [next(offsets[partition]).offset for partition in places.values()]),
        )
        connection.execute("UPDATE sequencer SET position = %s", (rows[-1][0],))
        assert ledger.record_published(connection, segment, {each: self._last[each] for each in fresh})
        return fresh

    def ends(self) -> dict[int, int]:
        """See `History.ends`."""
        return {partition: len(records) for partition, records in self.records.items()}

    def pages(
        self, starts: Mapping[int, int], ends: Mapping[int, int] | None = None
    ) -> Iterator[tuple[int, list[Record]]]:
        """See `History.pages`; small pages, partition by partition."""
        for partition, start in starts.items():
            upto = (ends or self.ends())[partition]
            for at in range(start, upto, 50):
                yield partition, self.records[partition][at : min(at + 50, upto)]


class FoldedViews:
    """All views on their servers, in a corner of their own; the partitions are folded last first."""

    def __init__(self, folder: Path) -> None:
        addresses = servers()
        self.prefix = fresh_name()
        self.spine = Spine(folder / "disco.sqlite")
        self.postgres = Postgres(addresses.postgres, prefix=self.prefix)
        migrate(self.postgres)
        self.topic = Topic()
        self.milvus = Milvus(addresses.milvus)
        self.neo4j = Neo4j(addresses.neo4j)
        self.stores = stores(self.prefix, self.milvus, self.neo4j)
        self.folding = Folding(self.postgres, self.topic, self.stores, page=PAGE)  # type: ignore[arg-type]  # a list for Kafka
        self.folding.prepare()
        self.known = Registry(self.postgres)
        self.views: Views = ServerViews(
            self.postgres,
            self.spine.log,
            self.folding,
            self.known,
            self.stores,
            graph=Neo4jGraph(self.neo4j, self.prefix, lambda: self.known.live(lineage_graph.NAME)),
            vectors=MilvusVectors(self.milvus, self._live(similarity.NAME)),
            series=PgSeries(self._live(measurements.NAME)),
            documents=PgDocuments(self._live(catalogue.NAME), self.spine.log),
            jobs=PgRecords(self._live(jobs.NAME), "job"),
            dead_letters=PgRecords(self._live(dead_letters.NAME), "dead letter"),
            partitions=PARTITIONS,
        )

    def _live(self, name: str) -> Live:
        return Live(self.postgres, name, lambda: self.known.live(name))

    def given(self, events: Iterable[Proposed]) -> list[int]:
        """See `ViewsAdapter.given`."""
        positions = self.spine.append(events)
        self.spine.views.catch_up()
        for partition, records in sorted(self.published().items(), reverse=True):
            for view in self.stores:
                self.fold(view.name, partition, records)
        return positions

    def published(self) -> dict[int, list[Record]]:
        """Bring to the topic what the log has more; returns it, by partition."""
        last = sum(map(len, self.topic.records.values()))
        with self.spine.database.read() as connection:
            rows: list[Row] = connection.execute(
                f"SELECT {COLUMNS} FROM events WHERE position > ? ORDER BY position",  # noqa: S608  # columns of ours
                (last,),
            ).fetchall()
        if not rows:
            return {}
        projects = [event.project for event in self.spine.log.read(last, limit=len(rows))]
        with self.postgres.transaction() as connection:
            return self.topic.publish(connection, rows, projects)

    def fold(self, name: str, partition: int, records: list[Record]) -> None:
        """Fold these records of a partition into a view."""
        previous = int(dict(records[0].headers)["ce_previous"])
        events = Partition(previous).take(records)
        assert self.folding.fold(name, partition, previous, events) == events[-1].position

    def rebuild(self) -> None:
        """See `ViewsAdapter.rebuild`."""
        assert isinstance(self.views, ServerViews)
        self.views.rebuild()

    def close(self) -> None:
        """See `ViewsAdapter.close`."""
        for collection in self.milvus.collections(self.prefix):
            self.milvus.drop(collection)
        self.milvus.close()
        self._forget_graph()
        with self.postgres.transaction(statement_s=0) as connection:
            query = "SELECT nspname FROM pg_namespace WHERE nspname = %s OR nspname LIKE %s"
            for (schema,) in connection.execute(query, (self.prefix, f"{self.prefix}\\_%")).fetchall():
                connection.execute(f"DROP SCHEMA {identifier(schema)} CASCADE")
        self.postgres.close()
        self.spine.close()

    def _forget_graph(self) -> None:
        with self.postgres.transaction(statement_s=0) as connection:
            for each in registry.generations(connection, lineage_graph.NAME):
                GraphStore(self.neo4j, self.prefix).drop(connection, each.number)
        self.neo4j.close()


def stores(prefix: str, milvus: Milvus, neo4j: Neo4j) -> list[View]:
    """The views and their stores."""
    return [
        View(catalogue_store(prefix), catalogue.apply),
        View(jobs_store(prefix), jobs.apply),
        View(dead_letters_store(prefix), dead_letters.apply),
        View(SeriesStore(prefix), measurements.apply),
        View(VectorStore(milvus, prefix), similarity.apply),
        View(GraphStore(neo4j, prefix), lineage_graph.apply),
    ]
