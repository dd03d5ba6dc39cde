"""The topics: made by the program, kept for ever."""

from __future__ import annotations

from collections.abc import Mapping

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from domain.errors import Malformed, Unavailable
from infra.server.brokers import reached, unanswered
from infra.settings import Settings

LARGEST_RECORD = 8 << 20
BOOTSTRAP_MS = 5_000
"""How long Kafka is waited for where nothing is known of it yet."""
FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
AN_HOUR = {"retention.ms": "3600000", "cleanup.policy": "delete"}


def events_topic(settings: Settings) -> str:
    """The topic of events: the log."""
    return f"{settings.topic_prefix}.events"


def dead_letters_topic(settings: Settings) -> str:
    """Records that no worker could read, with why in their headers."""
    return f"{settings.topic_prefix}.dead-letters"


def progress_topic(settings: Settings) -> str:
    """How far work is; of interest for an hour at most."""
    return f"{settings.topic_prefix}.progress"


def make_topics(settings: Settings, brokers: str) -> None:
    """Make the topics that are not there yet.

    Raises: Unavailable, where Kafka does not answer; Malformed, where the events lie in another number of partitions.
    """
    try:
        admin = KafkaAdminClient(**reached(brokers), bootstrap_timeout_ms=BOOTSTRAP_MS)
    except KafkaError as error:
        raise unanswered(brokers, error) from error
    try:
        there = set(admin.list_topics())
        wanted = [topic for topic in _topics(settings) if topic.name not in there]
        for topic in wanted:
            try:
                admin.create_topics([topic])
            except TopicAlreadyExistsError:
                continue  # another process was faster
        if events_topic(settings) in there:
            _check_partitions(admin, settings)
    except KafkaError as error:
        raise Unavailable(f"the topics could not be made: {error}") from error
    finally:
        admin.close()


def _check_partitions(admin: KafkaAdminClient, settings: Settings) -> None:
    (found,) = admin.describe_topics([events_topic(settings)])
    count = len(found["partitions"])
    if count != settings.partitions:
        raise Malformed(
            f"the topic {events_topic(settings)} has {count} partitions, and DISCO_PARTITIONS says"
            f" {settings.partitions}; set it to {count}: each project's events stay in the partition they are in",
            field="partitions",
        )


def _topics(settings: Settings) -> list[NewTopic]:
    def topic(name: str, partitions: int, configs: Mapping[str, str]) -> NewTopic:
        return NewTopic(
            name,
            partitions,
            settings.replication_factor,
            topic_configs={
                **configs,
                "min.insync.replicas": str(settings.min_insync_replicas),
                "max.message.bytes": str(LARGEST_RECORD),
                "message.timestamp.after.max.ms": str(2**63 - 1),  # an event says when it was, whoever believes it
            },
        )

    return [
        topic(events_topic(settings), settings.partitions, FOR_EVER),
        topic(dead_letters_topic(settings), 1, FOR_EVER),
        topic(progress_topic(settings), 1, AN_HOUR),
    ]
