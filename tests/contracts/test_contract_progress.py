"""Progress: told in one process, heard in all, kept in none, and never in the way of the work."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.ids import ResourceId
from domain.ports import Progress, ProgressFeed
from infra.embedded import progress as embedded
from infra.embedded.progress import SocketProgress
from infra.telling import MOST_WAITING
from tests.contracts.progress_adapters import FEEDS, ProgressAdapter

LONG_S = 15.0
"""How long a test waits for what should come at once; no figure, only an end."""
FOLDER = Path(__file__).parents[2]
WORD = Progress("job", ResourceId("a"), "weigh, place", 250, 1000, eta_s=1.5, pieces=2)


@pytest.fixture(params=sorted(FEEDS))
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ProgressAdapter]:
    """One adapter with nothing told yet."""
    made = FEEDS[request.param](tmp_path)
    yield made
    made.close()


class Ear:
    """A listener that remembers."""

    def __init__(self, feed: ProgressFeed) -> None:
        self.heard: list[Progress] = []
        self.stop = feed.listen(self.heard.append)

    def until(self, condition: Callable[[list[Progress]], object], tell: Callable[[], object] = lambda: None) -> None:
        """Wait until what was heard is as it should be; `tell` is called again and again meanwhile."""
        end = time.monotonic() + LONG_S
        while not condition(self.heard):
            assert time.monotonic() < end, self.heard
            tell()
            time.sleep(0.01)

    def until_all(self, teller: ProgressFeed, job: str) -> None:
        """Have something told of a job until it is heard, and its end, behind which no more of it comes."""
        self.until(lambda heard: job in {word.job for word in heard}, lambda: teller.tell(replace(WORD, job=job)))
        teller.tell(replace(WORD, job=job, done=WORD.total))
        self.until(lambda heard: (job, WORD.total) in {(word.job, word.done) for word in heard})


def test_what_one_tells_all_hear_as_it_was_told(adapter: ProgressAdapter) -> None:
    """Given listeners at two feeds, when a third and one of the two tell, then each hears both, every field of it."""
    teller, first, second = adapter.open(), adapter.open(), adapter.open()
    ears = Ear(first), Ear(second)
    other = replace(WORD, step="sketch", failed=1, eta_s=None, pieces=1)
    for ear in ears:
        ear.until(lambda heard: WORD in heard and other in heard, lambda: (teller.tell(WORD), first.tell(other)))


def test_the_newest_of_a_step_is_heard_in_the_end(adapter: ProgressAdapter) -> None:
    """Given a teller far quicker than a listener, then the listener hears the last of each step, in order."""
    teller, ear = adapter.open(), Ear(adapter.open())
    ear.until(bool, lambda: teller.tell(WORD))
    for done in range(1, 1001):
        teller.tell(replace(WORD, step="weigh", done=done))
        teller.tell(replace(WORD, step="place", done=done))
    steps = ("weigh", "place")
    ear.until(lambda heard: {(step, 1000) for step in steps} <= {(word.step, word.done) for word in heard})
    for step in steps:
        told = [word.done for word in ear.heard if word.step == step]
        assert told == sorted(told)


def test_who_stops_or_was_not_there_hears_nothing(adapter: ProgressAdapter) -> None:
    """Given what was told before listening and after stopping, then none of it is heard; others hear on."""
    teller, feed, first = adapter.open(), adapter.open(), Ear(adapter.open())
    first.until_all(teller, "before")
    gone, stays = Ear(feed), Ear(feed)
    stays.until_all(teller, "meanwhile")
    gone.stop()
    stays.until_all(teller, "after")
    late = Ear(feed)
    late.until_all(teller, "late")
    jobs = [{word.job for word in ear.heard} for ear in (gone, stays, late, first)]
    assert jobs == [{"meanwhile"}, {"meanwhile", "after", "late"}, {"late"}, {"before", "meanwhile", "after", "late"}]


def test_a_listener_that_fails_harms_nobody(adapter: ProgressAdapter) -> None:
    """Given a listener that raises, then whoever tells does not notice, and the others hear."""
    feed = adapter.open()

    def fail(progress: Progress) -> None:
        raise RuntimeError("no ears")

    feed.listen(fail)
    near, far = Ear(feed), Ear(adapter.open())
    for ear in (near, far):
        ear.until(bool, lambda: feed.tell(WORD))


def test_what_is_told_last_before_the_end_is_heard(adapter: ProgressAdapter) -> None:
    """Given a process that tells and ends at once, then what it told is heard all the same."""
    first, ear = adapter.open(), Ear(adapter.open())
    ear.until(bool, lambda: first.tell(WORD))
    first.tell(replace(WORD, done=1000))
    first.close()
    ear.until(lambda heard: heard[-1].done == 1000)


def test_telling_after_closing_is_no_error(adapter: ProgressAdapter) -> None:
    """Given a closed feed, when told, then nothing happens."""
    feed = adapter.open()
    feed.close()
    feed.tell(WORD)


# What is the embedded adapter's alone

LISTEN = """
import sys
from pathlib import Path
from infra.embedded.progress import SocketProgress
feed = SocketProgress(Path(sys.argv[1]))
feed.listen(lambda progress: print(progress.job, flush=True))
print("listening", flush=True)
sys.stdin.read()
feed.close()
"""


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts a process that listens."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LISTEN, str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=FOLDER)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("depth", [0, 30], ids=["short path", "long path"])
def test_another_process_hears_however_long_the_folder_s_path(
    tmp_path: Path, listening: Callable[[Path], subprocess.Popen[str]], depth: int
) -> None:
    """Given a folder whose path is longer than a socket's may be, then processes hear one another, and tidy up."""
    folder = tmp_path.joinpath(*["music"] * depth, "progress")
    assert depth == 0 or len(str(folder)) > 200
    process, feed = listening(folder), SocketProgress(folder)
    feed.tell(WORD)
    assert process.stdout is not None
    assert process.stdout.readline() == "job\n"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    process.communicate("")
    assert list(folder.iterdir()) == []
    feed.close()


def test_a_dead_listener_s_socket_is_removed(
    tmp_path: Path, listening: Callable[[Path], subprocess.Popen[str]]
) -> None:
    """Given listeners that were killed, when anything is told, then nothing of them is left, and the living hear."""
    folder = tmp_path / "progress"
    dead = [listening(folder) for _ in range(3)]
    for process in dead:
        process.kill()
        process.wait()
    assert len(list(folder.iterdir())) == 3
    ear, feed = Ear(SocketProgress(folder)), SocketProgress(folder)
    ear.until(bool, lambda: feed.tell(WORD))
    ear.until(lambda _: len(list(folder.iterdir())) == 1)
    ear.stop()
    assert list(folder.iterdir()) == []
    feed.close()


def test_a_listener_that_does_not_listen_holds_nobody_up(
    tmp_path: Path, listening: Callable[[Path], subprocess.Popen[str]]
) -> None:
    """Given a listener that is stopped, when 100,000 words are told, then telling goes on in a bounded memory."""
    folder = tmp_path / "progress"
    process, feed = listening(folder), SocketProgress(folder)
    os.kill(process.pid, 19)
    told = threading.Event()

    def tell() -> None:
        for number in range(100_000):
            feed.tell(replace(WORD, step=f"step {number}"))
        told.set()

    threading.Thread(target=tell, daemon=True).start()
    assert told.wait(LONG_S)
    assert len(feed._teller._waiting) <= MOST_WAITING
    begun = time.monotonic()
    feed.close()
    assert time.monotonic() - begun < LONG_S


def test_nothing_is_made_where_nobody_listens(tmp_path: Path) -> None:
    """Given a process that tells while nobody listens, then it leaves nothing in the data folder."""
    feed = SocketProgress(tmp_path / "progress")
    feed.tell(WORD)
    feed.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", ["no sockets", "no folder"])
def test_where_there_can_be_no_socket_a_process_still_hears_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Given a system without such sockets, or a folder that cannot be made, then the process hears its own progress."""
    if broken == "no sockets":
        monkeypatch.setattr(embedded, "HAS_SOCKETS", False)
    else:
        (tmp_path / "progress").touch()
    feed = SocketProgress(tmp_path / "progress")
    ear = Ear(feed)
    feed.tell(WORD)
    assert ear.heard == [WORD]
    ear.stop()
    feed.close()


def test_what_is_no_progress_is_left_aside(tmp_path: Path) -> None:
    """Given another release's word, or rubbish, at the socket, then it is left aside and the next one is heard."""
    import socket

    folder = tmp_path / "progress"
    ear, feed = Ear(SocketProgress(folder)), SocketProgress(folder)
    (path,) = folder.iterdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for rubbish in (b"", b"{", b"[1]", b'{"job": "x", "colour": "red"}', b"\xff" * 100):
            sender.sendto(rubbish, str(path))
    ear.until(bool, lambda: feed.tell(WORD))
    assert all(word == WORD for word in ear.heard)
    ear.stop()
    feed.close()
