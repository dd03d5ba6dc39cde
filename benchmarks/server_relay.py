"""Bringing the outbox to Kafka, against a bare producer that is given the same records, made beforehand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing
from statistics import median
from typing import Any

from aiokafka import AIOKafkaProducer

from benchmarks.catalogue import batches
from benchmarks.figures import Bench, Measured
from benchmarks.server_append import SIZE, TABLES, Sequencer, sequencer
from benchmarks.server_room import PARTITIONS, until
from infra.event_rows import Row
from infra.keys import id_of
from infra.memory import calm_collector
from infra.server import ledger
from infra.server.records import headers_of
from infra.server.relay import Relay, make_producer, partition_of
from infra.server.topics import events_topic

BATCHES = 160
ROUNDS = 4
Kept = dict[int, list[dict[str, Any]]]  # Any: what a batch's `append` takes
"""Partition -> its records, in order."""


def relay(bench: Bench) -> Measured:
    """Events a second from their commit, all at once, until they are cleared; a bare producer beside it, in turn."""
    calm_collector()  # as in every process that relays; for the bare producer too
    each = SIZE * (bench.scaled(BATCHES, least=20) // ROUNDS)
    rates: dict[bool, list[float]] = {True: [], False: []}
    with sequencer(bench) as model, sequencer(bench) as ours, sequencer(bench) as raw:
        for batch in batches(SIZE, ROUNDS * each // SIZE + 1):
            model.log.append(batch)
        with closing(Relayed(ours)) as relayed:
            relayed.rate(model, SIZE)
            for turn in range(ROUNDS):
                with model.postgres.read() as connection:
                    rows = ledger.unpublished(connection, SIZE + turn * each, each)
                for relays in (True, False) if turn % 2 else (False, True):
                    rate = relayed.rate(model, each) if relays else asyncio.run(_produced(raw, rows))
                    rates[relays].append(rate)
    return Measured(median(rates[True]), median(rates[False]), f"{ROUNDS} × {each:,} events")


class Relayed:
    """A log with a relay that leads."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        topic = events_topic(sequencer.settings)
        self._relay = Relay(sequencer.postgres, sequencer.brokers, topic, PARTITIONS)
        self._relay.start()

    def rate(self, model: Sequencer, count: int) -> float:
        """Commit the next of a log's events, all at once, and wait until Kafka has them; events a second."""
        postgres, head = self._sequencer.postgres, self._published()
        with postgres.transaction(statement_s=0) as connection:
            for table in TABLES:
                source = f"SELECT * FROM {model.postgres.schema}.{table}"
                connection.execute(
                    f"INSERT INTO {table} {source} WHERE position > %s AND position <= %s ORDER BY position",
                    (head, head + count),
                )
            connection.execute("UPDATE sequencer SET position = %s", (head + count,))
            connection.execute("SELECT pg_notify(%s, %s)", (f"{postgres.schema}_head", str(head + count)))
        since = time.perf_counter()
        until(lambda: self._published() == head + count, "all was relayed")
        return count / (time.perf_counter() - since)

    def _published(self) -> int:
        with self._sequencer.postgres.read() as connection:
            return ledger.published(connection)

    def close(self) -> None:
        """Stop the relay."""
        self._relay.stop()


async def _produced(sequencer: Sequencer, rows: Sequence[Row]) -> float:
    """The partitions side by side, each in order, nothing else waited for than acknowledgement at the end."""
    kept: Kept = {}
    for row in rows:
        record = {"timestamp": row[12] // 1000, "key": id_of(row[4]).encode(), "value": row[ledger.DATA]}
        kept.setdefault(partition_of(id_of(row[4]), PARTITIONS), []).append({**record, "headers": headers_of(row, 1)})
    producer = make_producer(sequencer.brokers)
    topic = events_topic(sequencer.settings)
    await producer.start()
    try:
        since = time.perf_counter()
        await asyncio.gather(*(_sent(producer, topic, partition, records) for partition, records in kept.items()))
        return len(rows) / (time.perf_counter() - since)
    finally:
        await producer.stop()


async def _sent(producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[dict[str, Any]]) -> None:
    waiting, batch = [], producer.create_batch()
    for record in records:
        if batch.append(**record) is None:
            waiting.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(**record)
    waiting.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*waiting)
