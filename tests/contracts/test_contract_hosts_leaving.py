"""Leaving a group: a worker that is stopped at a bad moment leaves nobody in it for whom Kafka would wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.contracts.hosting import PATIENCE_S, QUICK, Hosts, Notes, Topic, within
from tests.servers import Addresses, fresh_name


@pytest.fixture
def free() -> Iterator[threading.Event]:
    """What a busy agent waits for."""
    event = threading.Event()
    yield event
    event.set()


def test_one_that_is_stopped_while_it_waits_to_be_let_in_is_gone(
    hosts: Hosts, servers: Addresses, free: threading.Event
) -> None:
    """Given a group whose member is busy, when one who joins it is stopped, then the group is the member's alone."""
    topic, group = Topic(servers.kafka), fresh_name("group")
    notes, late = Notes(group, before=lambda *_: free.wait(PATIENCE_S)), Notes(group)
    hosts.start(notes, topic, timing=replace(QUICK, grace_s=PATIENCE_S))
    topic.produce(100)
    within(PATIENCE_S, lambda: len(notes.takes) == topic.partitions)
    joining = hosts.start(late, topic)
    within(PATIENCE_S, lambda: _group(topic, group) == ("PreparingRebalance", 2))
    joining.stop()
    assert _group(topic, group) == ("PreparingRebalance", 1), "one that nobody runs is still waited for"
    free.set()
    within(PATIENCE_S, lambda: notes.count() == 100)
    assert late.count() == 0


def _group(topic: Topic, group: str) -> tuple[str, int]:
    """The state of a group, and how many belong to it."""
    with topic.admin() as admin:
        found: dict[str, Any] = admin.describe_groups([group])[group]
    return found["group_state"], len(found["members"])
