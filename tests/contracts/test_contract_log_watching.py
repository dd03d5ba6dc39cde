"""The event log: appends are heard of, from threads and from other processes."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain import ids
from domain.ports import Selection
from tests.builders import numbered
from tests.contracts.adapters import LOGS, LogAdapter

LONG_S = 15.0
"""How long a test waits for what should come at once; no figure, only an end."""


@pytest.fixture(params=sorted(LOGS))
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogAdapter]:
    """One adapter over an empty log."""
    made = LOGS[request.param](tmp_path)
    yield made
    made.close()


def test_waiting_ends_with_the_time_where_nothing_comes(adapter: LogAdapter) -> None:
    """Given a quiet log, when waited on, then the head comes back unchanged once the time is up, and not before."""
    log = adapter.open()
    log.append(numbered(2))
    begun = time.monotonic()
    assert log.wait(2, 0.2) == 2
    assert time.monotonic() - begun >= 0.19


def test_waiting_for_what_is_there_returns_at_once(adapter: LogAdapter) -> None:
    """Given events past the cursor, then wait returns without waiting."""
    log = adapter.open()
    log.append(numbered(2))
    assert log.wait(1, LONG_S) == 2


@pytest.mark.parametrize("same", [True, False], ids=["same handle", "another handle"])
def test_waiting_ends_with_an_append(adapter: LogAdapter, same: bool) -> None:
    """Given waiters on a handle, when somebody appends through it or another one, then all wake with the new head."""
    log = adapter.open()
    writer = log if same else adapter.open()
    heads: list[int] = []
    waiters = [threading.Thread(target=lambda: heads.append(log.wait(0, LONG_S))) for _ in range(4)]
    for waiter in waiters:
        waiter.start()
    time.sleep(0.05)
    writer.append(numbered(3))
    for waiter in waiters:
        waiter.join(LONG_S)
    assert heads == [3] * 4


def test_listeners_hear_the_newest_head_until_they_stop(adapter: LogAdapter) -> None:
    """Given a listener, then it hears rising heads, the last one included, and nothing once it has stopped."""
    log, heard, reached = adapter.open(), list[int](), threading.Event()

    def listener(head: int) -> None:
        heard.append(head)
        if head == 20:
            reached.set()

    stop = log.on_append(listener)
    for number in range(20):
        log.append(numbered(1, start=number))
    assert reached.wait(LONG_S)
    assert heard == sorted(set(heard))
    stop()
    log.append(numbered(1, start=99))
    assert log.wait(20, LONG_S) == 21
    assert heard[-1] == 20


def test_a_listener_that_fails_does_not_deafen_the_others(adapter: LogAdapter) -> None:
    """Given a listener that raises, when events come, then the others and those who wait hear of them all the same."""
    log, heard = adapter.open(), threading.Event()

    def broken(head: int) -> None:
        raise RuntimeError(f"not interested in {head}")

    log.on_append(broken)
    log.on_append(lambda head: heard.set() if head >= 2 else None)
    log.append(numbered(1))
    log.append(numbered(1, start=1))
    assert heard.wait(LONG_S)
    assert log.wait(1, LONG_S) == 2


def test_processes_that_append_at_once_share_one_gapless_order(
    adapter: LogAdapter, record_property: pytest.RecordProperty
) -> None:
    """Given two processes and this one appending and reading at once, then each event is heard of, once and in order.

    Every position that a process was told is where its event lies.
    """
    log = adapter.open()
    log.append(numbered(1, project=ids.project_id("here")))
    others = [
        subprocess.Popen(adapter.process(name, "40"), stdout=subprocess.PIPE, text=True) for name in ("one", "two")
    ]
    found = [1]
    while len(found) < 1 + 80 + 20:
        if len(found) % 5 == 0 and len(found) < 100:
            log.append(numbered(1, start=len(found), project=ids.project_id("here")))
        assert log.wait(len(found), 0.5 if any(o.poll() is None for o in others) else LONG_S) >= len(found)
        found += [event.position for event in log.read(len(found))]
        if all(other.poll() is not None for other in others) and log.head() == len(found):
            break
    assert found == list(range(1, len(found) + 1))
    for name, process in zip(("one", "two"), others, strict=True):
        told = [int(line) for line in process.communicate()[0].split()]
        mine = log.read(0, selection=Selection(project=ids.project_id(name)))
        assert [event.position for event in mine] == told
        assert [event.sequence for event in mine] == list(range(1, 41))
    record_property("events", len(found))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files can only be counted on Linux")
def test_threads_that_come_and_go_leave_nothing_open(adapter: LogAdapter) -> None:
    """Given a hundred threads that each read once and end, then no more files are open than after the first few."""
    log = adapter.open()
    log.append(numbered(5))
    counts = []
    for _ in range(100):
        reader = threading.Thread(target=lambda: log.read(0))
        reader.start()
        reader.join()
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    assert counts[-1] <= counts[2]
