"""What the program asks of Kafka when it makes its topics."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from infra.server.topics import dead_letters_topic, events_topic, make_topics, progress_topic
from infra.settings import Settings
from tests.servers import Addresses, fresh_name

HOUR_MS = 3_600_000
PATIENCE_S = 30.0


@pytest.fixture
def admin(servers: Addresses) -> Iterator[KafkaAdminClient]:
    """The brokers, to be asked."""
    made = KafkaAdminClient(bootstrap_servers=servers.kafka)
    yield made
    made.close()


@pytest.fixture
def settings(servers: Addresses, admin: KafkaAdminClient) -> Iterator[Settings]:
    """Settings that nobody changed, but for where Kafka is and what the topics' names begin with."""
    made = Settings(profile="server", kafka=servers.kafka, topic_prefix=fresh_name())
    yield made
    admin.delete_topics([topic for topic in admin.list_topics() if topic.startswith(f"{made.topic_prefix}.")])


def test_events_lie_in_24_partitions_and_are_kept_for_ever(
    settings: Settings, servers: Addresses, admin: KafkaAdminClient
) -> None:
    """Given no topics and no settings, when made, then the broker keeps 24 partitions of events, and drops none."""
    make_topics(settings, servers.kafka)
    (found,) = admin.describe_topics([events_topic(settings)])
    assert len(found["partitions"]) == 24
    for topic in (events_topic(settings), dead_letters_topic(settings)):
        kept = configured(admin, topic)
        assert (kept["retention.ms"], kept["retention.bytes"], kept["cleanup.policy"]) == ("-1", "-1", "delete")
    assert int(configured(admin, progress_topic(settings))["retention.ms"]) == HOUR_MS


def test_as_many_brokers_as_are_set_must_have_a_record(
    settings: Settings, servers: Addresses, admin: KafkaAdminClient
) -> None:
    """Given a setting of brokers that must have a record, when topics are made, then the broker holds each to it."""
    make_topics(settings.model_copy(update={"min_insync_replicas": 2}), servers.kafka)
    for topic in (events_topic(settings), dead_letters_topic(settings), progress_topic(settings)):
        assert configured(admin, topic)["min.insync.replicas"] == "2"


def configured(admin: KafkaAdminClient, topic: str) -> dict[str, str]:
    """How the broker says that it keeps a topic; of one just made it may know nothing for a moment."""
    asked, deadline = [ConfigResource(ConfigResourceType.TOPIC, topic)], time.monotonic() + PATIENCE_S
    while not (told := admin.describe_configs(asked)["topic"].get(topic)):
        assert time.monotonic() < deadline, f"the broker tells nothing of {topic}"
        time.sleep(0.05)
    return {name: found["value"] for name, found in told.items()}
