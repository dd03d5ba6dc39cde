"""The relay: brings the outbox to Kafka, in order.

Any number of processes may run one; the holder of a PostgreSQL advisory lock leads. What it publishes is cleared only
after Kafka has acknowledged it, so one that dies, or that leads no longer and does not know it, publishes a second time
and never out of order after a first: readers drop what they have had (see `infra.server.records`).
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from array import array
from collections.abc import Sequence
from typing import Any

import psycopg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.structs import RecordMetadata

from domain.errors import Conflict, DiscoError
from infra.event_rows import Row
from infra.keys import id_of
from infra.server import ledger
from infra.server.ledger import Segment
from infra.server.postgres import Pg, Postgres
from infra.server.records import headers_of
from infra.server.recovery import mismatches
from infra.server.replay import History
from infra.server.topics import LARGEST_RECORD

BATCH = 5000
BATCH_BYTES = 1 << 20
IDLE_S = 1.0
ELECTION_S = 0.5
PAUSE_S = (0.1, 5.0)
ACKNOWLEDGED_S = 10.0
SILENT_MS = 15_000

log = structlog.get_logger("relay")


def partition_of(project: str, partitions: int) -> int:
    """The partition of a project's events: Kafka's own rule for the key, so that other producers agree."""
    return int(murmur2(project.encode()) & 0x7FFFFFFF) % partitions


class Relay:
    """Publishes in a thread of its own, for as long as this process leads."""

    def __init__(self, postgres: Postgres, brokers: str, topic: str, partitions: int) -> None:
        self._postgres = postgres
        self._brokers = brokers
        self._topic = topic
        self._partitions = partitions
        self._history = History(brokers, topic)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self.leads = False

    def start(self) -> None:
        """Begin; returns at once. Once begun, this changes nothing."""
        if not self._thread.is_alive() and not self._stop.is_set():
            self._thread.start()

    def stop(self) -> None:
        """End after the batch at hand."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

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
        producer = AIOKafkaProducer(
            bootstrap_servers=self._brokers.split(","),
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=LARGEST_RECORD,
        )
        await producer.start()
        try:
            for mismatch in await asyncio.to_thread(lambda: list(mismatches(self._postgres, self._history))):
                raise mismatch  # what would be published now is something else than what lies there
            with connection.transaction():  # one look at both: another relay may be at work
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                done, ends = ledger.published(connection), ledger.ends(connection)
            while not self._stop.is_set():
                rows = ledger.unpublished(connection, done, BATCH)
                if rows and rows[0][0] != done + 1:
                    raise Conflict("another relay has cleared what came next; standing for election again")
                if rows:
                    done = await self._publish(connection, producer, rows, ends)
                else:
                    await asyncio.to_thread(self._rest, connection)
        finally:
            await producer.stop()

    def _rest(self, connection: Pg) -> None:
        """Wait for the next append."""
        for _ in connection.notifies(timeout=IDLE_S, stop_after=1):
            return

    async def _publish(
        self, connection: Pg, producer: AIOKafkaProducer, rows: Sequence[Row], ends: dict[int, int]
    ) -> int:
        """Bring rows to Kafka and clear them from the outbox; return the last position published.

        ends: the position each partition ends with, moved on.
        """
        partitions = array("H", (partition_of(id_of(row[4]), self._partitions) for row in rows))
        offsets = array("q", bytes(8 * len(rows)))
        mine: dict[int, list[int]] = {}
        for at, partition in enumerate(partitions):
            mine.setdefault(partition, []).append(at)
        async with asyncio.timeout(ACKNOWLEDGED_S):
            await asyncio.gather(
                *(self._send(producer, partition, rows, ats, ends, offsets) for partition, ats in mine.items())
            )
        found = Segment(rows[0][0], rows[-1][0], partitions, offsets)
        with connection.transaction():
            cleared = ledger.record_published(connection, found, {partition: ends[partition] for partition in mine})
        if not cleared:
            raise Conflict("another relay has published these events; standing for election again")
        return found.last

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
        batch, held = producer.create_batch(), list[int]()
        for at in ats:
            row = rows[at]
            record = _record(row, ends.get(partition, 0))
            if batch.append(**record) is None:
                sent.append((await producer.send_batch(batch, self._topic, partition=partition), held))
                batch, held = producer.create_batch(), []
                batch.append(**record)
            held.append(at)
            ends[partition] = row[0]
        sent.append((await producer.send_batch(batch, self._topic, partition=partition), held))
        for future, places in sent:
            metadata = await future
            for index, at in enumerate(places):
                offsets[at] = metadata.offset + index


def _record(row: Row, previous: int) -> dict[str, Any]:  # Any: what a batch's `append` takes
    return {
        "timestamp": row[12] // 1000,
        "key": id_of(row[4]).encode(),
        "value": row[ledger.DATA],
        "headers": headers_of(row, previous),
    }
