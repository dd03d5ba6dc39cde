"""Several processes share one file: one runs, each sees what the others write, and none waits for a dead one."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile

from domain import ids
from domain.access import Actor
from domain.commands import CreateProject
from domain.ports import Progress
from infra.disco import open_disco
from infra.embedded.lease import Lease
from infra.settings import Settings
from tests.crash import cheap
from tests.given import RATE_HZ, sine

ADA = Actor(name="ada")
LONG_S = 60.0
"""An end for what should come at once; no figure."""


@contextmanager
def another(home: Path, *verb: str) -> Iterator[subprocess.Popen[str]]:
    """Another process on the folder; killed at the end if it is still there."""
    command = [sys.executable, "-m", "tests.features.another", str(home), *verb]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _until(condition: Any) -> None:  # Any: a function that says whether
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_the_lease_is_one_process_s_at_a_time(tmp_path: Path) -> None:
    """Given two leases on one file, then one has it; let go, or its holder gone, the other gets it."""
    first, second = Lease(tmp_path / "x.lease"), Lease(tmp_path / "x.lease")
    assert first.acquire()
    assert first.acquire(), "who has it may ask again"
    assert not second.acquire()
    assert (first.held, second.held) == (True, False)
    first.release()
    assert second.acquire()
    assert not first.acquire()
    second.release()


def test_one_of_many_processes_runs_and_another_takes_over_when_it_is_killed(tmp_path: Path) -> None:
    """Given a process that runs, then this one does not; when that one is killed, this one runs, and work goes on."""
    home = tmp_path / "home"
    with another(home, "hold") as holder:
        assert _line(holder) == "leads"
        with open_disco(Settings(home=home, workers=1)) as disco:
            time.sleep(0.6)
            assert not disco._runner.leads
            token = disco.execute(CreateProject(name="P"), actor=ADA).token
            assert token is not None
            disco.views.wait(token.position, LONG_S)
            assert disco.views.documents.get(ids.project_id("P"))["name"] == "P", "the other one projects for us"
            holder.kill()
            _until(lambda: disco._runner.leads)
            token = disco.execute(CreateProject(name="Q"), actor=ADA).token
            assert token is not None
            disco.views.wait(token.position, LONG_S)
            assert disco.settle(LONG_S)
            assert list(disco.differences()) == []


def test_a_process_that_ends_gives_the_lease_back(tmp_path: Path) -> None:
    """Given a process that runs, when it ends as it should, then the next one runs."""
    home = tmp_path / "home"
    with another(home, "hold") as holder:
        assert _line(holder) == "leads"
        holder.communicate("")
        assert holder.returncode == 0
    with open_disco(Settings(home=home, workers=1)) as disco:
        _until(lambda: disco._runner.leads)


def test_each_process_soon_sees_what_the_other_writes(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    """Given two processes that write at once, then each event of the other is heard of, in order, none left out."""
    home, heard = tmp_path / "home", dict[int, int]()
    with open_disco(Settings(home=home, workers=1)) as disco, another(home, "append", "there", "25") as writer:
        first = disco.log.head()

        def listener(head: int) -> None:
            heard[head] = time.time_ns()

        stop = disco.log.on_append(listener)
        told = [tuple(map(int, _line(writer).split())) for _ in range(25)]
        mine = threading.Thread(target=lambda: disco.execute(CreateProject(name="here"), actor=ADA))
        mine.start()
        mine.join()
        _until(lambda: max(heard, default=0) >= disco.log.head())
        stop()
        assert disco.settle(LONG_S)
        positions = [event.position for event in disco.log.read(first)]
        assert positions == list(range(first + 1, disco.log.head() + 1))
        assert disco.views.documents.get(ids.project_id("there"))["name"] == "there 24"
        assert list(disco.differences()) == []
    delays_ms = [(min(at for head, at in heard.items() if head >= position) - ns) / 1e6 for position, ns in told]
    record_property("median_delay_ms", sorted(delays_ms)[len(delays_ms) // 2])


def _tone(path: Path, hz: float) -> Path:
    soundfile.write(path, sine(hz, seconds=0.05), RATE_HZ)
    return path


def test_progress_is_heard_of_work_that_another_process_does(tmp_path: Path) -> None:
    """Given a process that runs, when this one imports, then it hears of the other's work on it, job and all."""
    heard: list[Progress] = []
    with another(tmp_path / "home", "hold") as holder:
        assert _line(holder) == "leads"
        with open_disco(Settings(home=tmp_path / "home", workers=1)) as disco:
            stop = disco.on_progress(heard.append)
            report = disco.import_paths([_tone(tmp_path / "a.wav", 300.0)], actor=ADA, job=str(uuid.uuid4()))
            asset = report.imported[0].asset_id
            _until(lambda: [word for word in heard if word.resource_id == asset and word.done == word.total])
            stop()
            assert not disco._runner.leads
    assert {word.job for word in heard} == {report.job}


def test_progress_of_this_process_s_work_is_heard_in_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two processes that listen, when this one works, then both hear; one that is killed harms nothing."""
    home = tmp_path / "home"
    cheap.install(monkeypatch.setattr)
    with open_disco(Settings(home=home, workers=1)) as disco:
        _until(lambda: disco._runner.leads)
        with another(home, "listen") as first, another(home, "listen") as second:
            assert (_line(first), _line(second)) == ("listens", "listens")
            report = disco.import_paths([_tone(tmp_path / "a.wav", 300.0)], actor=ADA)
            asset = report.imported[0].asset_id
            for listener in (first, second):
                assert _line(listener).split() == [asset, report.job, "1000"]
            first.kill()
            first.wait()
            again = disco.import_paths([_tone(tmp_path / "b.wav", 400.0)], actor=ADA)
            assert again.job in iter(lambda: _line(second).split()[1], None)
        assert disco.settle(LONG_S)
        _until(lambda: not list((home / "progress").glob(f"{first.pid}-*")))


def test_many_processes_may_make_the_same_folder_at_once(tmp_path: Path) -> None:
    """Given six processes that open a folder that is not there yet, then all work, and all that they wrote is there."""
    home = tmp_path / "home"
    command = [sys.executable, "-m", "tests.features.another", str(home), "append"]
    processes = [
        subprocess.Popen([*command, f"p{number}", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for number in range(6)
    ]
    for process in processes:
        out, err = process.communicate(timeout=LONG_S)
        assert process.returncode == 0, err[-2000:]
        assert len(out.splitlines()) == 3
    with open_disco(Settings(home=home, workers=1)) as disco:
        assert disco.settle(LONG_S)
        names = {disco.views.documents.get(ids.project_id(f"p{number}"))["name"] for number in range(6)}
        assert names == {f"p{number} 2" for number in range(6)}
