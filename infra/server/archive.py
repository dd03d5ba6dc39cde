"""Payloads read back from Kafka by where they lie."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from domain.errors import Corrupted, Unavailable
from infra.server import ledger
from infra.server.brokers import reached, unanswered
from infra.server.ledger import Segment
from infra.server.postgres import Postgres
from infra.server.topics import BOOTSTRAP_MS

NEAR = 500
SEGMENTS = 256
DEADLINE_S = 10.0
POLL_MS = 200
FETCH_BYTES = 4 << 20

LOST = "Kafka has lost events of {}; disco verify says which, and what to do"

Spots = dict[int, list[tuple[int, int]]]
"""Partition -> offsets and positions of what is wanted there, in order."""


class Archive:
    """Reads events that Kafka has, with a few consumers that all threads share."""

    def __init__(self, postgres: Postgres, brokers: str, topic: str) -> None:
        self._postgres = postgres
        self._brokers = brokers
        self._topic = topic
        self._idle: list[KafkaConsumer] = []
        self._lock = threading.Lock()
        self._segments: list[Segment] = []
        self._lasts: list[int] = []

    def payloads(self, positions: Sequence[int]) -> dict[int, bytes]:
        """The payloads of published events.

        Raises: Corrupted, naming the position of one that Kafka does not have; Unavailable.
        """
        spots: Spots = {}
        for position in positions:
            partition, offset = self._segment(position).place(position)
            spots.setdefault(partition, []).append((offset, position))
        with self._consumer() as consumer:
            return dict(_read(consumer, self._topic, spots))

    def _segment(self, position: int) -> Segment:
        with self._lock:
            at = bisect_left(self._lasts, position)
            if at < len(self._segments) and self._segments[at].first <= position:
                return self._segments[at]
        with self._postgres.read() as connection:
            found = ledger.segment(connection, position)
        if found is None:
            raise Corrupted(
                f"the payload of the event at position {position} is neither in the outbox nor in Kafka;"
                " run: disco rebuild-ledger",
                position=position,
            )
        with self._lock:
            if len(self._segments) >= SEGMENTS:
                self._segments.clear()
                self._lasts.clear()
            if found.last not in self._lasts:
                insort(self._segments, found, key=lambda segment: segment.last)
                insort(self._lasts, found.last)
        return found

    @contextmanager
    def _consumer(self) -> Iterator[KafkaConsumer]:
        with self._lock:
            consumer = self._idle.pop() if self._idle else None
        try:
            if consumer is None:
                consumer = KafkaConsumer(
                    **reached(self._brokers),
                    bootstrap_timeout_ms=BOOTSTRAP_MS,
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    max_partition_fetch_bytes=FETCH_BYTES,
                    fetch_max_wait_ms=POLL_MS,
                    max_poll_records=10_000,
                )
            yield consumer
        except OffsetOutOfRangeError as error:
            if consumer is not None:
                consumer.close()
            raise Corrupted(LOST.format(self._topic)) from error
        except KafkaError as error:
            if consumer is not None:
                consumer.close()
            raise unanswered(self._brokers, error) from error
        except BaseException:
            if consumer is not None:
                consumer.close()
            raise
        with self._lock:
            self._idle.append(consumer)

    def close(self) -> None:
        """Close the consumers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for consumer in idle:
            consumer.close()


def _read(consumer: KafkaConsumer, topic: str, spots: Spots) -> Iterator[tuple[int, bytes]]:
    """Go through every partition at once, from its first wanted record to its last, leaping over what lies between."""
    left = {TopicPartition(topic, partition): sorted(wanted, reverse=True) for partition, wanted in spots.items()}
    consumer.assign(list(left))
    consumer.resume(*left)
    for place, wanted in left.items():
        consumer.seek(place, wanted[-1][0])
    end = time.monotonic() + DEADLINE_S
    while left:
        polled = consumer.poll(timeout_ms=POLL_MS)
        if not polled and time.monotonic() > end:
            _check_there(consumer, left)
            raise Unavailable(f"Kafka did not give all of {topic} within {DEADLINE_S:g} s; try again")
        for place, records in polled.items():
            end = time.monotonic() + DEADLINE_S
            wanted = left.get(place, [])
            for record in records:
                while wanted and wanted[-1][0] < record.offset:
                    position = wanted[-1][1]
                    where = f"{topic}[{place.partition}]@{wanted[-1][0]}"
                    raise Corrupted(f"the event at position {position} is missing at {where}", position=position)
                if wanted and wanted[-1][0] == record.offset:
                    yield wanted.pop()[1], record.value
            if not wanted:
                consumer.pause(place)
                left.pop(place, None)
            elif wanted[-1][0] - records[-1].offset > NEAR:
                consumer.seek(place, wanted[-1][0])


def _check_there(consumer: KafkaConsumer, left: Mapping[TopicPartition, Sequence[tuple[int, int]]]) -> None:
    """Raise Corrupted for what lies beyond the end of its partition."""
    ends = consumer.end_offsets(list(left))
    for place, wanted in left.items():
        if wanted[0][0] >= ends[place]:
            raise Corrupted(LOST.format(place.topic), position=wanted[0][1])
