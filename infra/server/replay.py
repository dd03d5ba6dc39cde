"""History from Kafka in bulk, outside any consumer group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from domain.errors import Unavailable
from infra.server.brokers import reached, unanswered
from infra.server.records import Record
from infra.server.topics import BOOTSTRAP_MS

POLL_MS = 200
SILENT_S = 20.0
FETCH_BYTES = 8 << 20
PAGE = 5_000


class History:
    """Reads one topic; each reading has a consumer of its own."""

    def __init__(self, brokers: str, topic: str) -> None:
        self.topic = topic
        self._brokers = brokers

    def ends(self) -> dict[int, int]:
        """Where each partition ends now: the offset that its next record will have. Raises: Unavailable."""
        with self._consumer() as consumer:
            return {place.partition: end for place, end in consumer.end_offsets(self._places(consumer)).items()}

    def committed(self, groups: Sequence[str]) -> dict[str, dict[int, int]]:
        """The offsets that these groups have committed, by group and partition. Raises: Unavailable."""
        try:
            admin = KafkaAdminClient(**reached(self._brokers), bootstrap_timeout_ms=BOOTSTRAP_MS)
            try:
                found = admin.list_group_offsets(list(groups))
            finally:
                admin.close()
        except KafkaError as error:
            raise unanswered(self._brokers, error) from error
        return {
            group: {place.partition: at.offset for place, at in offsets.items() if place.topic == self.topic}
            for group, offsets in found.items()
        }

    def pages(
        self, starts: Mapping[int, int], ends: Mapping[int, int] | None = None
    ) -> Iterator[tuple[int, list[Record]]]:
        """The records of these partitions in pages, each partition in order, the partitions in any.

        starts: partition -> the first offset to give; ends: the first not to give, by default where each ends now.
        Raises: Unavailable, where Kafka does not answer or gives nothing for long.
        """
        with self._consumer() as consumer:
            places = {TopicPartition(self.topic, partition): start for partition, start in starts.items()}
            consumer.assign(list(places))
            upto = (
                consumer.end_offsets(list(places))
                if ends is None
                else {place: ends[place.partition] for place in places}
            )
            for place, start in places.items():
                consumer.seek(place, start)
            left = {place for place, start in places.items() if start < upto[place]}
            consumer.pause(*(places.keys() - left))
            for place, records in self._polled(consumer, left):
                wanted = [record for record in records if record.offset < upto[place]]
                if wanted:
                    yield place.partition, wanted
                if consumer.position(place) >= upto[place]:
                    left.discard(place)
                    consumer.pause(place)

    def _polled(
        self, consumer: KafkaConsumer, left: set[TopicPartition]
    ) -> Iterator[tuple[TopicPartition, list[Record]]]:
        heard = time.monotonic()
        while left:
            polled = consumer.poll(timeout_ms=POLL_MS)
            yield from polled.items()
            if polled:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT_S:
                raise Unavailable(f"Kafka gave nothing of {self.topic} for {SILENT_S:g} s though there is more")

    def _places(self, consumer: KafkaConsumer) -> list[TopicPartition]:
        partitions = consumer.partitions_for_topic(self.topic)
        if not partitions:
            raise Unavailable(f"Kafka at {self._brokers} has no topic {self.topic}; start the service once to make it")
        return [TopicPartition(self.topic, partition) for partition in partitions]

    @contextmanager
    def _consumer(self) -> Iterator[KafkaConsumer]:
        consumer = None
        try:
            consumer = KafkaConsumer(
                **reached(self._brokers),
                bootstrap_timeout_ms=BOOTSTRAP_MS,
                enable_auto_commit=False,
                auto_offset_reset="none",
                max_partition_fetch_bytes=FETCH_BYTES,
                fetch_max_wait_ms=POLL_MS,
                max_poll_records=PAGE,
            )
            yield consumer
        except KafkaError as error:
            raise unanswered(self._brokers, error) from error
        finally:
            if consumer is not None:
                consumer.close()
