"""What every host of workers promises when Kafka, a member or a whole process fails."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from domain.errors import Unavailable
from infra.local_servers import LocalServers
from infra.server import hosting
from tests.contracts.hosting import PATIENCE_S, QUICK, Hosts, Notes, Topic, within
from tests.servers import Addresses, fresh_name, own_servers


@pytest.fixture
def topic(servers: Addresses) -> Topic:
    """A fresh topic of two partitions."""
    return Topic(servers.kafka, 2)


@pytest.fixture
def notes() -> Notes:
    """An agent of a fresh group."""
    return Notes(fresh_name("group"))


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    """A Kafka of our own, to stop and kill."""
    with own_servers(tmp_path_factory.mktemp("kafka"), "kafka") as local:
        yield local


def test_work_goes_on_after_the_broker_was_away(hosts: Hosts, kafka: LocalServers, notes: Notes) -> None:
    """Given a broker that was killed, and started again, then all is taken and committed."""
    topic = Topic(kafka.addresses()["DISCO_KAFKA"], 2)
    hosts.start(notes, topic)
    topic.produce(100)
    within(PATIENCE_S, lambda: notes.count() == 100)
    kafka.kill("kafka")
    time.sleep(2)
    kafka.start("kafka")
    topic.produce(100)
    within(PATIENCE_S, lambda: all(set(topic.whole(each)) <= set(notes.offsets(each)) for each in range(2)))
    within(PATIENCE_S, lambda: _committed(topic, notes.group) == {0: 100, 1: 100})
    assert [sorted(set(notes.offsets(each))) for each in range(2)] == [topic.whole(0), topic.whole(1)]


def test_a_host_may_be_there_before_kafka(hosts: Hosts, kafka: LocalServers, notes: Notes) -> None:
    """Given a host started while Kafka is down, then it says so, and works as soon as it is up."""
    topic = Topic(kafka.addresses()["DISCO_KAFKA"], 2)
    topic.produce(10)
    kafka.stop("kafka")
    host = hosts.start(notes, topic)
    within(PATIENCE_S, lambda: isinstance(host.failure, Unavailable))
    kafka.start("kafka")
    within(PATIENCE_S, lambda: notes.count() == 10)
    assert host.failure is None


@pytest.mark.filterwarnings("error")
def test_nothing_is_left_running_by_one_that_kafka_does_not_answer(
    hosts: Hosts, kafka: LocalServers, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a broker that is silent, when a host is stopped, then its threads and all its tasks come to an end."""
    monkeypatch.setattr(hosting, "LEAVE_S", 1.0)
    before = set(threading.enumerate())
    topic = Topic(kafka.addresses()["DISCO_KAFKA"], 2)
    host = hosts.start(notes, topic)
    topic.produce(10)
    within(PATIENCE_S, lambda: notes.count() == 10)
    running = kafka.running("kafka")
    assert running is not None
    os.kill(running.pid, signal.SIGSTOP)
    try:
        host.stop()
    finally:
        os.kill(running.pid, signal.SIGCONT)
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {name for name in left if not name.startswith("asyncio")}
    del host
    gc.collect()  # a task that was dropped unfinished warns now


def test_a_member_that_ends_by_itself_is_followed_by_another(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given a member whose library gives up, then a new one goes on, and nothing is lost or taken twice."""
    host = hosts.start(notes, topic)
    topic.produce(100)
    within(PATIENCE_S, lambda: notes.count() == 100)
    assert host._loop is not None
    host._loop.call_soon_threadsafe(_give_up, host._member)
    within(PATIENCE_S, lambda: host.members == 2)
    topic.produce(100)
    within(PATIENCE_S, lambda: notes.count() >= 200)
    assert [notes.offsets(partition) for partition in range(2)] == [topic.whole(0), topic.whole(1)]


def test_workers_of_the_other_kind_are_waited_for(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given a group that the other kind of host works for, then this one leaves it alone until the other has ended."""
    others, theirs = Hosts("plain" if hosts.kind == "faust" else "faust"), Notes(notes.group)
    other = others.start(theirs, topic)
    topic.produce(10)
    within(PATIENCE_S, lambda: theirs.count() == 10)
    host = hosts.start(notes, topic)
    within(PATIENCE_S, lambda: host.failure is not None)
    topic.produce(10)
    within(PATIENCE_S, lambda: theirs.count() == 20)
    other.stop()
    topic.produce(10)
    within(PATIENCE_S, lambda: notes.count() == 10)
    assert [theirs.offsets(each) + notes.offsets(each) for each in range(2)] == [topic.whole(0), topic.whole(1)]


def test_a_worker_that_is_killed_loses_nothing(hosts: Hosts, topic: Topic, notes: Notes, tmp_path: Path) -> None:
    """Given a worker killed in mid-page, then another is given that page, and all that follows."""
    topic.produce(100)
    with _worker(hosts.kind, topic, notes.group, tmp_path / "told", slow_s=60) as process:
        within(PATIENCE_S, lambda: len(_told(tmp_path / "told", "begun")) == 2)
        time.sleep(4 * QUICK.commit_s)  # were it to commit what is not taken yet, it would have
        process.kill()
    hosts.start(notes, topic)
    within(PATIENCE_S, lambda: notes.count() >= 100)
    assert [notes.offsets(partition) for partition in range(2)] == [topic.whole(0), topic.whole(1)]


def test_a_page_of_a_zombie_may_come_twice_and_is_never_lost(
    hosts: Hosts, topic: Topic, notes: Notes, tmp_path: Path
) -> None:
    """Given a worker frozen in mid-page past its session, then woken, then no offset moves back and it works on."""
    file = tmp_path / "told"
    topic.produce(100)
    with _worker(hosts.kind, topic, notes.group, file, slow_s=1) as process:
        within(PATIENCE_S, lambda: len(_told(file, "begun")) >= 2)
        process.send_signal(signal.SIGSTOP)
        host = hosts.start(notes, topic)
        within(PATIENCE_S, lambda: notes.count() >= 100)
        assert [notes.offsets(partition) for partition in range(2)] == [topic.whole(0), topic.whole(1)]
        within(PATIENCE_S, lambda: _committed(topic, notes.group) == {0: 50, 1: 50})
        process.send_signal(signal.SIGCONT)
        within(PATIENCE_S, lambda: len(_told(file, "taken")) >= 2)
        within(PATIENCE_S, lambda: len(host.lag()) == 1)  # it is a member again
        topic.produce(100)
        within(PATIENCE_S, lambda: _all(topic, notes, file))
        later = [offset for partition in range(2) for offset in notes.offsets(partition) if offset >= 50]
        assert len(later) == 50
        within(PATIENCE_S, lambda: _committed(topic, notes.group) == {0: 100, 1: 100})


def _all(topic: Topic, notes: Notes, file: Path) -> bool:
    """Whether every record was taken by one or the other."""
    taken = {(take["partition"], offset) for take in _told(file, "taken") for offset in take["offsets"]}
    taken |= {(partition, offset) for partition in range(2) for offset in notes.offsets(partition)}
    return taken == {(partition, offset) for partition in range(2) for offset in topic.whole(partition)}


def _give_up(member: Any) -> None:  # Any: of either kind
    """Have the library end by itself."""
    ending = member._app.stop() if hasattr(member, "_app") else member._consumer.stop()
    asyncio.get_running_loop().create_task(ending)


@contextlib.contextmanager
def _worker(kind: str, topic: Topic, group: str, file: Path, *, slow_s: float) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.contracts.host_worker", kind, topic.brokers, topic.name, group, str(file)]
    process = subprocess.Popen([*command, str(slow_s)])
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.kill()
        process.wait()


def _told(file: Path, what: str) -> list[dict[str, Any]]:  # Any: JSON
    if not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in lines if line["what"] == what]


def _committed(topic: Topic, group: str) -> dict[int, int | None]:
    consumer = KafkaConsumer(bootstrap_servers=topic.brokers, group_id=group, enable_auto_commit=False)
    try:
        return {each: consumer.committed(TopicPartition(topic.name, each)) for each in range(topic.partitions)}
    finally:
        consumer.close()
