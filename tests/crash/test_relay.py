"""The relay: killed, doubled or failing at any point, it loses nothing, and a reader counts nothing twice."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from domain import ids
from domain.errors import Unavailable
from domain.ports import EventLog
from infra.server import ledger
from infra.server.records import Partition
from infra.server.relay import Relay
from infra.server.replay import History
from infra.server.topics import events_topic
from tests.builders import numbered
from tests.contracts.server_log import PARTITIONS, ServerLogAdapter

PROJECTS = [ids.project_id(name) for name in "abcdefgh"]


@pytest.fixture
def adapter(tmp_path: Path) -> Iterator[ServerLogAdapter]:
    """A fresh installation whose own relay is stopped."""
    made = ServerLogAdapter(tmp_path, relay=False)
    yield made
    made.close()


def _relay(adapter: ServerLogAdapter) -> Relay:
    assert adapter.settings.kafka is not None
    return Relay(adapter.postgres, adapter.settings.kafka, events_topic(adapter.settings), PARTITIONS)


def _drained(adapter: ServerLogAdapter, timeout_s: float = 60.0) -> bool:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        with adapter.postgres.read() as connection:
            if ledger.published(connection) == ledger.head(connection):
                return True
        time.sleep(0.05)
    return False


def _read(adapter: ServerLogAdapter) -> tuple[list[str], int]:
    """The ids that readers of all partitions take, in order of position, and how many records there are."""
    assert adapter.settings.kafka is not None
    history = History(adapter.settings.kafka, events_topic(adapter.settings))
    states = {partition: Partition() for partition in history.ends()}
    found, records = [], 0
    for partition, page in history.pages(dict.fromkeys(states, 0)):
        found += states[partition].take(page)
        records += len(page)
    assert not any(state.awaited for state in states.values())
    return [event.id for event in sorted(found, key=lambda event: event.position)], records


def _ids(log: EventLog) -> list[str]:
    return [event.id for event in log.read(0, limit=100_000)]


def test_a_relay_killed_over_and_over_publishes_everything_and_readers_count_nothing_twice(
    adapter: ServerLogAdapter,
) -> None:
    """Given writers, and a relay process that is killed -9 at random moments, then readers take each event once."""
    log, random = adapter.open(), Random(7)
    command = [sys.executable, "-m", "tests.crash.relaying", adapter.settings.topic_prefix]
    number = itertools.count()
    for _ in range(5):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            end = time.monotonic() + random.uniform(0.3, 1.2)
            while time.monotonic() < end:
                log.append(numbered(random.randint(1, 40), start=100 * next(number), project=random.choice(PROJECTS)))
            process.kill()
    last = _relay(adapter)
    last.start()
    assert _drained(adapter)
    last.stop()
    taken, _ = _read(adapter)
    assert taken == _ids(log)


def test_two_relays_that_both_believe_they_lead_lose_and_double_nothing(
    adapter: ServerLogAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given no election at all, when two relays publish side by side, then readers take each event once, in order."""
    monkeypatch.setattr(Relay, "_elected", lambda *_: True)
    monkeypatch.setattr("infra.server.relay.BATCH", 8)
    log, random = adapter.open(), Random(8)
    relays = [_relay(adapter), _relay(adapter)]
    for relay in relays:
        relay.start()
    for number in range(150):
        log.append(numbered(random.randint(1, 20), start=100 * number, project=random.choice(PROJECTS)))
    assert _drained(adapter)
    for relay in relays:
        relay.stop()
    taken, _ = _read(adapter)
    assert taken == _ids(log)


@pytest.mark.parametrize("batch", [5000, 20], ids=["all at once", "one batch read while another is sent"])
@pytest.mark.parametrize("where", ["before it is recorded", "while it is recorded", "in the middle of a batch"])
def test_a_relay_that_fails_at_a_certain_point_goes_on_from_there(
    adapter: ServerLogAdapter, monkeypatch: pytest.MonkeyPatch, where: str, batch: int
) -> None:
    """Given a failure between any two steps of publishing, then what was sent is sent again and taken once."""
    monkeypatch.setattr("infra.server.relay.BATCH", batch)
    log, failures = adapter.open(), iter([True, True, False])
    for number in range(30):
        log.append(numbered(10, start=100 * number, project=PROJECTS[number % len(PROJECTS)]))
    name, after = {
        "before it is recorded": ("record_published", False),
        "while it is recorded": ("record_published", True),
        "in the middle of a batch": ("DATA", False),
    }[where]
    if name == "DATA":
        _fail_in_the_middle(monkeypatch, failures)
    else:
        _fail(monkeypatch, name, failures, after=after)
    relay = _relay(adapter)
    relay.start()
    assert _drained(adapter)
    relay.stop()
    taken, records = _read(adapter)
    assert taken == _ids(log)
    assert records > len(taken), "what was sent before the failure lies there twice"


def _fail(monkeypatch: pytest.MonkeyPatch, name: str, failures: Iterator[bool], *, after: bool) -> None:
    real = getattr(ledger, name)

    def failing(*arguments: Any) -> Any:
        fails = next(failures, False)
        if fails and not after:
            raise Unavailable("cut off")
        answer = real(*arguments)
        if fails:
            raise Unavailable("cut off")
        return answer

    monkeypatch.setattr(ledger, name, failing)


def _fail_in_the_middle(monkeypatch: pytest.MonkeyPatch, failures: Iterator[bool]) -> None:
    """One partition's rows reach Kafka, another's do not."""
    real = Relay._send

    async def failing(self: Relay, producer: Any, partition: int, *rest: Any) -> None:
        await real(self, producer, partition, *rest)
        if next(failures, False):
            raise Unavailable("cut off")

    monkeypatch.setattr(Relay, "_send", failing)


def test_while_kafka_is_away_writes_go_on_up_to_the_limit_and_are_published_in_order_afterwards(
    adapter: ServerLogAdapter,
) -> None:
    """Given no relay, then writes are taken until the outbox is full, then Unavailable; later all of it is sent."""
    adapter.settings = adapter.settings.model_copy(update={"outbox_limit": 100})
    log = adapter.open()
    for number in range(10):
        log.append(numbered(10, start=10 * number))
    with pytest.raises(Unavailable) as raised:
        log.append(numbered(1, start=1000))
    assert raised.value.details["retry_s"] > 0
    assert log.head() == 100
    assert len(log.read(0)) == 100, "what waits can be read"
    relay = _relay(adapter)
    relay.start()
    assert _drained(adapter)
    log.append(numbered(1, start=1000))
    assert _drained(adapter)
    relay.stop()
    taken, _ = _read(adapter)
    assert taken == _ids(log)
    assert len(taken) == 101
