"""Asking Kafka about a topic and a group, beside the group's own member: what one that is stuck could not tell."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from domain.errors import Unavailable
from infra.server.brokers import reached, unanswered

CONNECT_S = 15.0


class Probe:
    """A connection that joins nothing and reads no records."""

    def __init__(self, brokers: str, topic: str, group: str) -> None:
        self._brokers = brokers
        self._topic = topic
        self._consumer = AIOKafkaConsumer(
            **reached(brokers), group_id=group, enable_auto_commit=False, request_timeout_ms=10_000
        )

    async def __aenter__(self) -> Probe:
        """Connect. Raises: Unavailable, where Kafka does not answer or the topic is not there."""
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._consumer.start()
                topics = await self._consumer.topics()
        except (KafkaError, OSError) as error:  # a TimeoutError is one of the latter
            await self._consumer.stop()
            raise await asyncio.to_thread(unanswered, self._brokers, error) from error
        if self._topic not in topics:
            await self._consumer.stop()
            raise Unavailable(
                f"there is no topic {self._topic} at {self._brokers}, and nothing to be heard of it; start the service"
                " once to make it, or see DISCO_TOPIC_PREFIX"
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._consumer.stop(), CONNECT_S)

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """The offset that the next record of each partition will have. Raises: KafkaError."""
        places = [self._place(partition) for partition in partitions]
        found = await self._consumer.end_offsets(places) if places else {}
        return {place.partition: offset for place, offset in found.items()}

    async def starts(self, partitions: Iterable[int]) -> dict[int, int]:
        """Where the group is to go on in each partition: what it committed, or the beginning. Raises: KafkaError."""
        places = [self._place(partition) for partition in partitions]
        if not places:
            return {}
        first = await self._consumer.beginning_offsets(places)
        committed = await asyncio.gather(*(self._consumer.committed(place) for place in places))
        at = zip(places, committed, strict=True)
        return {place.partition: first[place] if offset is None else offset for place, offset in at}

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)
