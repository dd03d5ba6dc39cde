"""What every host of workers promises, over a real Kafka."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from domain.errors import Unavailable
from infra.server.records import Record
from tests.contracts.hosting import PATIENCE_S, QUICK, Hosts, Notes, Topic, within
from tests.servers import Addresses, fresh_name


@pytest.fixture
def topic(servers: Addresses) -> Topic:
    """A fresh topic of four partitions."""
    return Topic(servers.kafka)


@pytest.fixture
def notes() -> Notes:
    """An agent of a fresh group."""
    return Notes(fresh_name("group"))


def test_records_come_in_order_and_in_pages(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given records in four partitions, then each partition's come once, in order, whole pages, one at a time."""
    topic.produce(2000)
    hosts.start(notes, topic)
    within(PATIENCE_S, lambda: notes.count() >= 2000)
    for partition in range(4):
        assert notes.offsets(partition) == topic.whole(partition)
        takes = [take for take in notes.takes if take.partition == partition]
        for one, next in pairwise(takes):
            assert one.ended is not None
            assert one.ended <= next.began
    assert max(len(take.offsets) for take in notes.takes) <= notes.page


def test_a_record_is_handed_over_as_it_lies(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given a record, then its bytes, headers and place are given as they are."""
    topic.produce(1, partition=2, value=b"\x00\xffraw")
    hosts.start(notes, topic)
    within(PATIENCE_S, lambda: notes.count() == 1)
    record = notes.first
    assert record is not None
    assert (record.topic, record.partition, record.offset) == (topic.name, 2, 0)
    assert record.value == b"\x00\xffraw"
    assert list(record.headers) == [("number", b"0")]


def test_partitions_are_taken_side_by_side(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given pages that end only when all four partitions are at one, then they end."""
    together = threading.Barrier(4, timeout=PATIENCE_S)
    met: set[int] = set()

    def meet(partition: int, _: Sequence[Record]) -> None:
        if partition not in met:
            together.wait()
            met.add(partition)

    notes.before = meet
    topic.produce(40)
    hosts.start(notes, topic)
    within(PATIENCE_S, lambda: notes.count() >= 40)


@pytest.mark.parametrize("error", [Unavailable("the database is down"), RuntimeError("a fault of ours")])
def test_a_page_that_failed_comes_again(hosts: Hosts, topic: Topic, notes: Notes, error: Exception) -> None:
    """Given an agent that fails in one partition, then it is given the same again, nothing later; the others go on."""
    failing = threading.Event()
    failing.set()

    def fail(partition: int, _: Sequence[Record]) -> None:
        if partition == 1 and failing.is_set():
            raise error

    notes.before = fail
    topic.produce(400)
    hosts.start(notes, topic)
    within(PATIENCE_S, lambda: notes.count() >= 300 and sum(take.partition == 1 for take in notes.takes) >= 3)
    assert {take.offsets[0] for take in notes.takes if take.partition == 1} == {0}
    failing.clear()
    within(PATIENCE_S, lambda: notes.count() >= 400)
    assert [notes.offsets(partition) for partition in range(4)] == [topic.whole(partition) for partition in range(4)]


def test_a_long_page_costs_no_membership(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given a page that takes over two session timeouts, then its owner stays, others go on, nothing comes twice."""
    done = threading.Event()

    def linger(partition: int, records: Sequence[Record]) -> None:
        if partition == 0 and records[0].offset == 0:
            done.wait(PATIENCE_S)

    notes.before = linger
    topic.produce(400)
    host = hosts.start(notes, topic)
    within(PATIENCE_S, lambda: notes.count() >= 300)
    topic.produce(5000, partition=0)  # more than a lane holds: the partition is paused
    end = time.monotonic() + 2.1 * QUICK.session_s
    while time.monotonic() < end:
        before = notes.count()
        topic.produce(30, partition=1)
        within(PATIENCE_S, lambda before=before: notes.count() == before + 30)
        time.sleep(1)
    lag = host.lag()
    assert lag[0].records == len(topic.whole(0))
    assert lag[0].stalled_s > 2 * QUICK.session_s
    done.set()
    within(PATIENCE_S, lambda: notes.count() >= topic.total())
    assert notes.given_up == []
    assert [notes.offsets(partition) for partition in range(4)] == [topic.whole(partition) for partition in range(4)]


def test_what_waits_for_a_long_page_is_bounded(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given a page at hand and 8 MB behind it, then a few pages and what was being fetched are held, no more."""
    done = threading.Event()
    notes.before = lambda _partition, _records: done.wait(PATIENCE_S)
    topic.produce(1)
    host = hosts.start(notes, topic)
    within(PATIENCE_S, lambda: len(notes.takes) == 1)
    topic.produce(8000, partition=0, value=bytes(1000))
    within(PATIENCE_S, lambda: host.lag()[0].records == 8001)
    time.sleep(2)
    assert host._lanes is not None
    held = next(lane.next - lane.taken for lane in host._lanes if lane.partition == 0)
    assert 50 < held < 3000
    done.set()
    within(PATIENCE_S, lambda: notes.count() == 8001)
    assert notes.offsets(0) == topic.whole(0)


def test_a_graceful_stop_commits_what_was_taken(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given a host stopped in mid-page, then that page is finished and committed; the next host goes on behind it."""
    notes.before = lambda _partition, _records: time.sleep(0.2)
    topic.produce(2000)
    first = hosts.start(notes, topic)
    within(PATIENCE_S, lambda: notes.count() >= 200)
    first.stop()
    taken = notes.count()
    assert taken < 2000
    assert all(take.ended is not None for take in notes.takes)
    assert sorted(notes.given_up) == [0, 1, 2, 3]
    second = Notes(notes.group)
    hosts.start(second, topic)
    within(PATIENCE_S, lambda: second.count() + taken >= 2000)
    for partition in range(4):
        assert notes.offsets(partition) + second.offsets(partition) == topic.whole(partition)


def test_a_stop_waits_no_longer_than_it_is_told(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given a page that does not end, then the host stops without it, and another is given it."""
    endless = threading.Event()
    notes.before = lambda _partition, _records: endless.wait(PATIENCE_S)
    topic.produce(4)
    first = hosts.start(notes, topic)
    within(PATIENCE_S, lambda: len(notes.takes) == 4)
    began = time.monotonic()
    first.stop(timeout_s=1.0)
    assert time.monotonic() - began < 10
    second = Notes(notes.group)
    hosts.start(second, topic)
    within(PATIENCE_S, lambda: second.count() == 4)
    endless.set()


def test_members_join_and_leave(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given three members that come and go while records flow, then the partitions are shared and all is taken once."""
    others = [Notes(notes.group), Notes(notes.group)]
    everyone = [notes, *others]

    def flow() -> None:
        before = sum(each.count() for each in everyone)
        topic.produce(200)
        within(PATIENCE_S, lambda: sum(each.count() for each in everyone) >= before + 200)

    first = hosts.start(notes, topic)
    flow()
    second = hosts.start(others[0], topic)
    within(PATIENCE_S, lambda: len(second.lag()) == 2 and len(first.lag()) == 2)
    assert len(notes.given_up) >= 2
    flow()
    third = hosts.start(others[1], topic)
    within(PATIENCE_S, lambda: len(third.lag()) >= 1 and len(first.lag()) + len(second.lag()) + len(third.lag()) == 4)
    flow()
    first.stop()
    second.stop()
    within(PATIENCE_S, lambda: len(third.lag()) == 4)
    flow()
    for partition in range(4):
        taken = sorted(offset for each in everyone for offset in each.offsets(partition))
        assert taken == topic.whole(partition)


def test_a_long_page_does_not_hold_up_those_who_join(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given pages at hand in all partitions when another joins, then it gets to work; no two overlap in one host."""
    slow = threading.Event()
    notes.before = lambda _partition, _records: slow.wait(PATIENCE_S)
    topic.produce(40)
    first = hosts.start(notes, topic)
    within(PATIENCE_S, lambda: len({take.partition for take in notes.takes}) == 4)
    second = Notes(notes.group)
    joined = hosts.start(second, topic)
    within(PATIENCE_S, lambda: len(joined.lag()) == 2 and second.count() > 0)
    slow.set()
    taken = lambda partition: set(notes.offsets(partition)) | set(second.offsets(partition))  # noqa: E731
    within(PATIENCE_S, lambda: all(taken(partition) == set(topic.whole(partition)) for partition in range(4)))
    within(PATIENCE_S, lambda: sorted(notes.given_up) == sorted(joined.lag()))
    assert len(first.lag()) == 2


def test_it_is_told_what_waits(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given an agent that is held up, then the lag of its partitions is told, and is none once all is taken."""
    go_on = threading.Event()
    notes.before = lambda _partition, _records: go_on.wait(PATIENCE_S)
    topic.produce(400)
    host = hosts.start(notes, topic)
    within(PATIENCE_S, lambda: [lag.records for lag in host.lag().values()] == [100] * 4)
    go_on.set()
    within(PATIENCE_S, lambda: [lag.records for lag in host.lag().values()] == [0] * 4)
    assert [lag.stalled_s for lag in host.lag().values()] == [0.0] * 4


def test_a_missing_topic_is_named_until_it_is_there(hosts: Hosts, servers: Addresses, notes: Notes) -> None:
    """Given no topic, then the host says which one it lacks; once it is made, its records are taken."""
    topic = Topic(servers.kafka, made=False)
    host = hosts.start(notes, topic)
    within(PATIENCE_S, lambda: host.failure is not None and topic.name in str(host.failure))
    topic.make()
    topic.produce(8)
    within(PATIENCE_S, lambda: notes.count() == 8)
    assert host.failure is None


def test_a_member_that_stands_still_is_replaced(hosts: Hosts, topic: Topic, notes: Notes) -> None:
    """Given a member that has lost its flow as by a rebalance that never ended, then a new one goes on."""
    timing = replace(QUICK, stalled_s=2.5)
    topic.produce(40)
    host = hosts.start(notes, topic, timing=timing)
    within(PATIENCE_S, lambda: notes.count() == 40)
    assert host._lanes is not None
    assert host._loop is not None
    host._loop.call_soon_threadsafe(host._lanes.hold)
    time.sleep(timing.stalled_s + 1)  # nothing waits: that is no reason
    assert host.members == 1
    topic.produce(40)
    within(PATIENCE_S, lambda: notes.count() == 80)
    time.sleep(timing.stalled_s + 1)
    assert host.members == 2


def test_no_port_is_opened_and_nothing_is_made(
    hosts: Hosts, topic: Topic, notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a host at work, then this process listens nowhere else, and there is no new topic and no new file."""
    monkeypatch.chdir(tmp_path)
    with topic.admin() as admin:
        topics = set(admin.list_topics())
    ports = _listening()
    topic.produce(40)
    hosts.start(notes, topic)
    within(PATIENCE_S, lambda: notes.count() == 40)
    assert _listening() <= ports
    assert list(tmp_path.iterdir()) == []
    with topic.admin() as admin:
        assert not {name for name in set(admin.list_topics()) - topics if notes.group in name}


def _listening() -> set[str]:
    """The sockets on which this process listens."""
    mine = {os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd") if _is_link(each)}
    lines = [
        line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
    ]
    return {line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in mine}


def _is_link(descriptor: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{descriptor}")
