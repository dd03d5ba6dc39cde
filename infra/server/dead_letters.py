"""The topic of dead letters: records that are no events of ours, kept with why they were passed over."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from domain.errors import Unavailable
from infra.server.brokers import reached
from infra.server.records import Record

SEND_S = 10.0
log = structlog.get_logger("dead_letters")


class DeadLetters:
    """Writes records to the topic; a record may come there more than once."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._brokers = brokers
        self._topic = topic

    def __call__(self, strangers: Sequence[tuple[Record, str]]) -> None:
        """Keep these. Raises: Unavailable."""
        try:
            producer = KafkaProducer(**reached(self._brokers), acks="all")
            try:
                for record, why in strangers:
                    log.warning("passed_over", why=why)
                    where = f"{record.topic}[{record.partition}]@{record.offset}"
                    told = [*record.headers, ("disco_cause", why.encode()), ("disco_from", where.encode())]
                    producer.send(self._topic, record.value, key=where.encode(), headers=told).get(SEND_S)
            finally:
                producer.close()
        except KafkaError as error:
            raise Unavailable(f"Kafka at {self._brokers} takes no dead letters: {error}; see that it runs") from error
