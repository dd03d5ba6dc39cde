"""What one process uses of an installation: its servers, and the ports over them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from domain.errors import Conflict, Unavailable
from domain.tracing import Spans
from infra.server import ledger, registry
from infra.server.archive import Archive
from infra.server.blobs import S3Blobs
from infra.server.brokers import brokers_of
from infra.server.dead_letters import DeadLetters
from infra.server.documents import PgDocuments, PgRecords, catalogue_store, dead_letters_store, jobs_store
from infra.server.folding import Folding
from infra.server.generations import Live
from infra.server.graph import Neo4jGraph
from infra.server.graph_rows import GraphStore
from infra.server.health import ask_kafka
from infra.server.log import ServerLog
from infra.server.migrating import migrate
from infra.server.milvus import Milvus
from infra.server.neo4j import Neo4j
from infra.server.pending import Pending
from infra.server.postgres import Pg, postgres_of
from infra.server.progress import KafkaProgress
from infra.server.recovery import unknown
from infra.server.registry import Registry
from infra.server.relay import Relay
from infra.server.replay import History
from infra.server.s3 import S3Address
from infra.server.series import PgSeries, SeriesStore
from infra.server.store import View
from infra.server.timescale import DAY_US, Policies
from infra.server.topics import dead_letters_topic, events_topic, make_topics, progress_topic
from infra.server.vectors import MilvusVectors, VectorStore
from infra.server.views import ServerViews
from infra.settings import Settings
from infra.tracing import OFF
from projections import catalogue, dead_letters, jobs, lineage_graph, measurements, similarity

CACHE_FOLDER = "blob-cache"
POLL_S = 0.02


class Installation:
    """One process's connections to the servers that the settings name; what is not there yet is made.

    spans: where it is told what is written, relayed and folded.
    Raises: Malformed, where a setting is missing or cannot be read; Unavailable, naming the server that is down.
    """

    def __init__(self, settings: Settings, spans: Spans = OFF) -> None:
        self.settings = settings
        self.spans = spans
        self.brokers = brokers_of(settings)
        self.topic = events_topic(settings)
        s3, milvus = S3Address.parse(settings.address("s3")), settings.address("milvus")
        self.open_blobs: Callable[[], S3Blobs] = partial(
            S3Blobs, s3, settings.home / CACHE_FOLDER, cache_bytes=settings.blob_cache_mib << 20
        )
        with ExitStack() as opened:  # all is let go of again where a server is missing
            self.postgres = opened.enter_context(closing(postgres_of(settings)))
            self._neo4j = opened.enter_context(closing(Neo4j(settings.address("neo4j"))))
            self._milvus = opened.enter_context(closing(Milvus(milvus)))
            migrate(self.postgres)
            make_topics(settings, self.brokers)
            self.history = History(self.brokers, self.topic)
            self._check_ledger()
            self.progress = opened.enter_context(closing(KafkaProgress(self.brokers, progress_topic(settings))))
            self.relay = Relay(self.postgres, self.brokers, self.topic, settings.partitions, spans)
            opened.callback(self.relay.stop)
            archive = Archive(self.postgres, self.brokers, self.topic)
            log = ServerLog(self.postgres, archive, outbox_limit=settings.outbox_limit, spans=spans)
            self.log = opened.enter_context(closing(log))
            self._open_views()
            self._opened = opened.pop_all()

    def _open_views(self) -> None:
        settings = self.settings
        self.blobs = self.open_blobs()
        self.dead_letters = DeadLetters(self.brokers, dead_letters_topic(settings))
        kept = settings.series_keep_days
        self._series = SeriesStore(settings.topic_prefix, Policies(drop_after_us=kept and kept * DAY_US))
        self.stored = self._stored()
        self.folding = Folding(self.postgres, self.history, self.stored, self.spans)
        self.folding.prepare()
        self.known = Registry(self.postgres)
        self.views = self._views()
        self.pending = Pending(self.postgres, self.known, self.views.jobs)

    def _check_ledger(self) -> None:
        for conflict in unknown(self.postgres, self.history):  # what Kafka has lost, the relay tells: all else goes on
            raise conflict

    def _stored(self) -> tuple[View, ...]:
        prefix = self.settings.topic_prefix
        return (
            View(GraphStore(self._neo4j, prefix), lineage_graph.apply),
            View(VectorStore(self._milvus, prefix), similarity.apply),
            View(self._series, measurements.apply),
            View(catalogue_store(prefix), catalogue.apply),
            View(jobs_store(prefix), jobs.apply),
            View(dead_letters_store(prefix), dead_letters.apply),
        )

    def _views(self) -> ServerViews:
        known, prefix = self.known, self.settings.topic_prefix

        def live(name: str) -> Live:
            return Live(self.postgres, name, partial(known.live, name))

        return ServerViews(
            self.postgres,
            self.log,
            self.folding,
            known,
            self.stored,
            graph=Neo4jGraph(self._neo4j, prefix, partial(known.live, lineage_graph.NAME)),
            vectors=MilvusVectors(self._milvus, live(similarity.NAME)),
            series=PgSeries(live(measurements.NAME)),
            documents=PgDocuments(live(catalogue.NAME), self.log),
            jobs=PgRecords(live(jobs.NAME), "job"),
            dead_letters=PgRecords(live(dead_letters.NAME), "dead letter"),
            partitions=self.settings.partitions,
        )

    @contextmanager
    def working(self) -> Iterator[None]:
        """While a worker answers events. Raises: Conflict, where an archive is being read in."""
        with self.postgres.session() as session:
            if not _locked(session, "pg_try_advisory_lock_shared", self._workers):
                raise Conflict("an archive is being imported; start the worker when that has ended")
            yield

    def worked(self) -> bool:
        """Whether somebody answers events, in whichever process."""
        query = """SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock'
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0))"""
        with self.postgres.read() as connection:
            row = connection.execute(query, (self._workers,)).fetchone()
        return bool(row and row[0])

    @property
    def _workers(self) -> str:
        """The name of the lock that all workers share."""
        return f"{self.postgres.schema} workers"

    @contextmanager
    def without_workers(self) -> Iterator[None]:
        """While no worker answers events. Raises: Conflict, where one does."""
        with self.postgres.session() as session:
            if not _locked(session, "pg_try_advisory_lock", self._workers):
                raise Conflict("workers run on this installation; stop them, then import the log")
            yield

    def relayed(self, timeout_s: float) -> None:
        """Return when Kafka has all that was written until now; relay it if nobody else does. Raises: Unavailable."""
        self.relay.start()
        head, deadline = self.log.head(), time.monotonic() + timeout_s
        while (reached := self._published()) < head:
            if self.relay.refused is not None:
                raise self.relay.refused
            if time.monotonic() > deadline:
                raise Unavailable(f"Kafka has events up to {reached} of {head}; see that it runs", retry_s=5)
            time.sleep(POLL_S)

    def _published(self) -> int:
        with self.postgres.read() as connection:
            return ledger.published(connection)

    def outbox(self) -> int:
        """How many events Kafka does not have yet. Raises: Unavailable."""
        with self.postgres.read(snapshot=True) as connection:
            return ledger.head(connection) - ledger.published(connection)

    def servers(self) -> dict[str, Callable[[], object]]:
        """By each server's name, a cheap question to it, which raises where it does not answer."""
        return {
            "postgresql": self._published,
            "kafka": self._ask_kafka,
            "neo4j": partial(self._neo4j.ask, "RETURN 1"),
            "milvus": partial(self._milvus.collections, self.settings.topic_prefix),
            "s3": partial(self.blobs.bucket.find, "nothing"),
        }

    def _ask_kafka(self) -> None:
        ask_kafka(self.brokers)
        if self.relay.refused is not None:
            raise self.relay.refused

    def expire(self) -> None:
        """Drop measurements that are older than they are to be kept, where there is such an age."""
        with self.postgres.transaction(statement_s=0) as connection:
            live = registry.live_locked(connection, self._series.name)
            if live is not None:
                self._series.expire(connection, live.number)

    def close(self) -> None:
        """Let go of every connection."""
        self._opened.close()


def _locked(session: Pg, how: str, name: str) -> bool:
    row = session.execute(f"SELECT {how}(hashtextextended(%s, 0))", (name,)).fetchone()
    return bool(row and row[0])
