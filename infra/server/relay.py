"""The relay: brings the outbox to Kafka, in order.

Any number of processes may run one; the holder of a PostgreSQL advisory lock leads. What it publishes is cleared only
after Kafka has acknowledged it, so one that dies, or that leads no longer and does not know it, publishes a second time
and never out of order after a first: readers drop what they have had (see `infra.server.records`).

Where much waits, two pages are on their way: one is read and made into records while Kafka writes the one before.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from array import array
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import psycopg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.structs import RecordMetadata

from domain.errors import Conflict, DiscoError, Unavailable
from domain.tracing import Spans
from infra.event_rows import Row
from infra.keys import id_of
from infra.server import ledger
from infra.server.brokers import reached
from infra.server.ledger import Segment
from infra.server.postgres import Pg, Postgres
from infra.server.records import headers_of
from infra.server.recovery import lost, mismatches
from infra.server.replay import History
from infra.server.topics import LARGEST_RECORD
from infra.tracing import OFF, tell_page

BATCH = 5000
BATCH_BYTES = 1 << 20
IDLE_S = 0.25
ELECTION_S = 0.5
PAUSE_S = (0.1, 5.0)
ACKNOWLEDGED_S = 10.0
SILENT_MS = 15_000
CHECK_S = 30.0
"""How often the leader looks whether Kafka still has what it had: its data may be put back under all who run."""

log = structlog.get_logger("relay")


@lru_cache(8192)
def partition_of(project: str, partitions: int) -> int:
    """The partition of a project's events: Kafka's own rule for the key, so that other producers agree."""
    return int(murmur2(project.encode()) & 0x7FFFFFFF) % partitions


def make_producer(brokers: str) -> AIOKafkaProducer:
    """A producer that writes each batch once and waits for every replica; it is still to be started."""
    return AIOKafkaProducer(
        **reached(brokers),
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=LARGEST_RECORD,
    )


class Relay:
    """Publishes in a thread of its own, for as long as this process leads."""

    def __init__(self, postgres: Postgres, brokers: str, topic: str, partitions: int, spans: Spans = OFF) -> None:
        self._spans = spans
        self._postgres = postgres
        self._brokers = brokers
        self._topic = topic
        self._partitions = partitions
        self._history = History(brokers, topic)
        self._behind: dict[int, int] = {}
        self._turns: dict[int, asyncio.Lock] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self.leads = False
        self.refused: DiscoError | None = None
        """Why nothing is published, where that is because Kafka and the ledger contradict each other."""

    def start(self) -> None:
        """Begin; returns at once. Once begun, this changes nothing."""
        if not self._thread.is_alive() and not self._stop.is_set():
            self._thread.start()

    def stop(self) -> None:
        """End after the batch at hand, or after a while: what is not cleared by then is published again."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * ACKNOWLEDGED_S)
            if self._thread.is_alive():
                log.error("not_stopped", what="relay: a server keeps it waiting; it ends with the process")

    def _run(self) -> None:
        pause = PAUSE_S[0]
        while not self._stop.is_set():
            try:
                with self._postgres.session() as connection:
                    if self._elected(connection):
                        self.leads = True
                        asyncio.run(self._lead(connection))
                pause = PAUSE_S[0]
                self._stop.wait(ELECTION_S)
            except (psycopg.Error, KafkaError, DiscoError, OSError, TimeoutError) as error:
                log.warning("relay_interrupted", error=str(error), again_in_s=pause)
                self._stop.wait(pause)
                pause = min(2 * pause, PAUSE_S[1])
            finally:
                self.leads = False

    def _elected(self, connection: Pg) -> bool:
        key = zlib.crc32(f"{self._postgres.schema} relay".encode())
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
        return bool(row and row[0])

    async def _lead(self, connection: Pg) -> None:
        """Publish while the lock is held; the lock goes with the connection that took it."""
        connection.execute(f"SET idle_session_timeout = {SILENT_MS}")  # one that hangs is voted out
        connection.execute(f"LISTEN {self._postgres.schema}_head")
        producer = make_producer(self._brokers)
        ahead: asyncio.Task[list[Row]] | None = None
        under_way = deque[asyncio.Task[None]]()
        watching = asyncio.create_task(self._watch())
        try:
            await producer.start()
            await self._check()
            with connection.transaction():  # one look at all: another relay may be at work
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                done, ends = ledger.published(connection), ledger.ends(connection)
                self._behind = ledger.offsets_behind(connection, ends)
            self._turns = defaultdict(asyncio.Lock)
            while not self._stop.is_set():
                if watching.done():
                    watching.result()
                rows = await ahead if ahead else ledger.unpublished(connection, done, BATCH)
                if rows and rows[0][0] != done + 1:
                    raise Conflict("another relay has cleared what came next; standing for election again")
                if not rows and ahead is None:
                    await asyncio.to_thread(self._rest, connection)
                ahead = self._ahead(rows[-1][0]) if len(rows) == BATCH else None
                if rows:
                    before = under_way[-1] if under_way else None
                    under_way.append(asyncio.create_task(self._publish(connection, producer, rows, ends, before)))
                    done = rows[-1][0]
                while len(under_way) > (1 if len(rows) == BATCH else 0):
                    await under_way[0]
                    under_way.popleft()
            await asyncio.gather(*under_way)
        finally:
            await _cancelled([watching, *under_way, *([ahead] if ahead else [])])
            await producer.stop()

    def _ahead(self, done: int) -> asyncio.Task[list[Row]]:
        """The rows behind `done`, read by another connection while those up to there are being sent."""

        def read() -> list[Row]:
            with self._postgres.read() as connection:
                return ledger.unpublished(connection, done, BATCH)

        return asyncio.create_task(asyncio.to_thread(read))

    async def _watch(self) -> None:
        """Look now and then, beside what is published. Raises: as `_check`."""
        while True:
            await asyncio.sleep(CHECK_S)
            await self._check()

    async def _check(self) -> None:
        """See that Kafka and the ledger do not contradict each other. Raises: Conflict; Corrupted."""
        self.refused = await asyncio.to_thread(lambda: next(mismatches(self._postgres, self._history), None))
        if self.refused is not None:
            raise self.refused  # what would be published now is something else than what lies there

    def _rest(self, connection: Pg) -> None:
        """Wait for the next append."""
        for _ in connection.notifies(timeout=IDLE_S, stop_after=1):
            return

    async def _publish(
        self,
        connection: Pg,
        producer: AIOKafkaProducer,
        rows: Sequence[Row],
        ends: dict[int, int],
        before: asyncio.Task[None] | None,
    ) -> None:
        """Bring rows to Kafka, and clear them from the outbox once those before them are.

        ends: the position each partition ends with, moved on.
        """
        began_us = self._spans.now_us()
        partitions = array("H", (partition_of(id_of(row[4]), self._partitions) for row in rows))
        offsets = array("q", bytes(8 * len(rows)))
        mine: dict[int, list[int]] = {}
        for at, partition in enumerate(partitions):
            mine.setdefault(partition, []).append(at)
        async with asyncio.timeout(ACKNOWLEDGED_S):
            await asyncio.gather(
                *(self._send(producer, partition, rows, ats, ends, offsets) for partition, ats in mine.items())
            )
        if before is not None:
            await before
        self._check_offsets(mine, offsets)
        found = Segment(rows[0][0], rows[-1][0], partitions, offsets)
        lasts = {partition: rows[ats[-1]][0] for partition, ats in mine.items()}
        await asyncio.to_thread(self._clear, connection, found, lasts)
        if self._spans.on:
            tell_page(self._spans, "publish", ((row[10], id_of(row[3]), row[12]) for row in rows), began_us)

    def _clear(self, connection: Pg, found: Segment, ends: Mapping[int, int]) -> None:
        with connection.transaction():
            if not ledger.record_published(connection, found, ends):
                raise Conflict("another relay has published these events; standing for election again")

    def _check_offsets(self, mine: Mapping[int, Sequence[int]], offsets: Sequence[int]) -> None:
        """See that what was sent lies behind all that was. Raises: Corrupted, where Kafka came back with less.

        What was sent then is not recorded, and no reader takes it: what it follows is not there.
        """
        for partition, ats in mine.items():
            if offsets[ats[0]] < self._behind.get(partition, 0):
                raise lost(f"partition {partition} of {self._topic} went on at {offsets[ats[0]]}")
            self._behind[partition] = offsets[ats[-1]] + 1

    async def _send(
        self,
        producer: AIOKafkaProducer,
        partition: int,
        rows: Sequence[Row],
        ats: Sequence[int],
        ends: dict[int, int],
        offsets: array[int],
    ) -> None:
        """Send the rows of one partition in batches, in order, and note the offset of each."""
        sent: list[tuple[asyncio.Future[RecordMetadata], list[int]]] = []
        async with self._turns[partition]:  # those of the page before are all given to the producer by then
            batch, held, previous = producer.create_batch(), list[int](), ends.get(partition, 0)
            for at in ats:
                row = rows[at]
                time_ms, key, headers = row[12] // 1000, id_of(row[4]).encode(), headers_of(row, previous)
                if batch.append(timestamp=time_ms, key=key, value=row[ledger.DATA], headers=headers) is None:
                    sent.append((await producer.send_batch(batch, self._topic, partition=partition), held))
                    batch, held = producer.create_batch(), []
                    batch.append(timestamp=time_ms, key=key, value=row[ledger.DATA], headers=headers)
                held.append(at)
                previous = row[0]
            ends[partition] = previous
            sent.append((await producer.send_batch(batch, self._topic, partition=partition), held))
        await asyncio.sleep(0)  # it is on its way while the next partition's is being made
        for future, places in sent:
            metadata = await future
            if metadata.offset < 0:  # sent twice, and the broker remembers no more than that
                raise Unavailable("Kafka does not say where a batch lies; it is sent again")
            for index, at in enumerate(places):
                offsets[at] = metadata.offset + index


async def _cancelled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """End these, whatever they come to. Any: whatever they give."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
