"""kill -9 of `disco worker`s over a whole installation, while sounds come in and others join: each effect, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from benchmarks.server_room import told
from domain.access import Actor
from domain.commands import RenameResource
from infra.base import BaseDisco
from infra.opening import open_service
from infra.pool import WorkerPool
from tests.cli.calling import COMMAND, environment
from tests.crash.campaign import midi
from tests.given import RATE_HZ, lent, sine
from tests.spine import digests_of

if TYPE_CHECKING:
    from infra.settings import Settings
    from tests.installations import Installations

KILLS = int(os.environ.get("DISCO_INSTALLATION_KILLS", "2"))
PROCESSES = os.environ.get("DISCO_INSTALLATION_WORKERS") == "processes"
"""Whether each worker is begun as users begin it, which takes seconds of a core for each."""
SEED = int(os.environ.get("DISCO_INSTALLATION_SEED", "1"))
WORKERS = 2
LONGEST_S = 1.0
SETTLE_S = 600.0
ADA = Actor(name="ada")
PROJECTS = ("one", "two", "three")


class Workers:
    """`disco worker`s, each with all processors and all views; `living` are the process ids of those that live."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._environment = environment(settings.home, {**told(settings), "DISCO_WORKERS": "1"})
        self._folder = folder
        self._forking: subprocess.Popen[str] | None = None
        self.living: list[int] = []
        self._begun: dict[int, subprocess.Popen[bytes]] = {}

    def join(self) -> None:
        """One more."""
        self.living.append(self._process() if PROCESSES else self._fork())

    def kill(self, chance: random.Random) -> None:
        """Kill -9 any one of them."""
        os.kill(self.living.pop(chance.randrange(len(self.living))), signal.SIGKILL)

    def close(self) -> None:
        """Have those that are left leave as at the end of a service, and see that they do."""
        for pid in self.living:
            os.kill(pid, signal.SIGTERM)
        for pid in self.living:
            _until(lambda pid=pid: not self._lives(pid))  # type: ignore[misc]  # bound now
        self._end()

    def said(self) -> str:
        """The end of what each has said."""
        return "\n".join(log.read_text()[-500:] for log in sorted(self._folder.glob("worker-*.log")))

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._end()

    def _end(self) -> None:
        self.living = []
        for process in self._begun.values():
            process.wait()
        if self._forking is not None:
            with self._forking as forking:
                forking.stdin.close()  # type: ignore[union-attr]  # a pipe was asked for
        self._forking = None

    def _lives(self, pid: int) -> bool:
        if pid in self._begun:
            return self._begun[pid].poll() is None
        return Path(f"/proc/{pid}").exists()

    def _process(self) -> int:
        log = (self._folder / f"worker-{len(self._begun)}.log").open("w")
        with log:
            process = subprocess.Popen([*COMMAND, "worker", "--json"], env=self._environment, stdout=log, stderr=log)
        self._begun[process.pid] = process
        return process.pid

    def _fork(self) -> int:
        if self._forking is None:
            self._forking = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.forked_workers", str(self._folder)],
                env={**self._environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert _of(self._forking.stdout).readline() == "ready\n"
        print(file=_of(self._forking.stdin), flush=True)
        return int(_of(self._forking.stdout).readline())


def _of(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@dataclass
class Bringing:
    """Sounds, scores and changes that go into an installation one after the other; what was acknowledged is kept."""

    service: BaseDisco
    folder: Path
    assets: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    enough: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None

    def run(self) -> None:
        """Go on until it is enough."""
        number = 0
        try:
            while not self.enough.is_set():
                self._bring(number)
                number += 1
                while self.service.pending() > 20 and not self.enough.wait(0.05):
                    continue
        except Exception as error:  # told by who waits for this thread
            self.failure = error

    def _bring(self, number: int) -> None:
        path = self.folder / (f"{number}.mid" if number % 4 == 3 else f"{number}.wav")
        if path.suffix == ".mid":
            path.write_bytes(midi(40 + number % 60))
        else:
            soundfile.write(path, np.round(sine(200.0 + number, seconds=0.3), 4), RATE_HZ)
        report = self.service.import_paths([path], actor=ADA, project=PROJECTS[number % len(PROJECTS)])
        assert not report.failed, report.failed
        asset = report.imported[0].asset_id
        self.assets[asset] = path.suffix
        self.service.execute(RenameResource(resource_id=asset, name=f"name {number}"), actor=ADA)  # type: ignore[arg-type]  # an id
        self.names[asset] = f"name {number}"


@pytest.fixture
def service(
    installations: Installations, workers: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[BaseDisco, Settings]]:
    """An installation, and a node of it that takes things in and does no worker's work."""
    monkeypatch.setattr("infra.server.disco.WorkerPool", lambda *_, **__: lent(workers))
    with installations.one() as placed:
        settings = placed.model_copy(update={"runner": "plain"})
        with open_service(settings, run=True) as opened:
            yield opened, settings


def _until(condition: Callable[[], bool], patience_s: float = 120.0) -> None:
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_workers_killed_in_the_midst_of_work_lose_and_double_nothing(
    service: tuple[BaseDisco, Settings], tmp_path: Path
) -> None:
    """Given workers killed at random while imports are answered and others join, then each answer is there once.

    Nothing differs from the log, and the views are those of a rebuild and of the embedded profile.
    """
    disco, settings = service
    chance, bringing, during = random.Random(SEED), Bringing(disco, tmp_path), 0
    thread = threading.Thread(target=bringing.run, daemon=True)
    with Workers(settings, tmp_path) as workers:
        for _ in range(WORKERS):
            workers.join()
        thread.start()
        for _ in range(KILLS):
            before = disco.log.head()
            _until(lambda before=before: disco.pending() > 0 and _answers(disco, before) > 0)  # type: ignore[misc]
            workers.join()
            time.sleep(chance.uniform(0, LONGEST_S))
            during += disco.pending() > 0
            workers.kill(chance)
        bringing.enough.set()
        thread.join()
        assert bringing.failure is None, repr(bringing.failure)
        assert disco.settle(SETTLE_S), workers.said()
        workers.close()
    assert during >= KILLS / 2, "the kills came too late to tell anything"
    _once(disco, bringing)
    _whole(disco)


def _answers(disco: BaseDisco, behind: int) -> int:
    return sum(event.source.startswith("/processors") for event in disco.log.read(behind))


def _once(disco: BaseDisco, bringing: Bringing) -> None:
    """Assert that what was acknowledged is there, that each has all its answers, and none twice."""
    events = disco.log.read(0, limit=1_000_000)
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    assert len({event.id for event in events}) == len(events)
    for asset, name in bringing.names.items():
        assert disco.views.documents.get(asset)["name"] == name
    failures = [event for event in events if event.type == "disco.processing.failed"]
    assert disco.views.dead_letters.count() == len(failures)
    answers = Counter((event.causation, event.source) for event in events if event.source.startswith("/processors/"))
    assert set(answers.values()) == {1}
    answered = {(cause, source.split("/")[2]) for cause, source in answers}
    answered |= {(event.data.cause_id, event.data.processor) for event in failures}
    assert answered == {(event.id, name) for event in events for name in disco.consumers(event.type)}
    played = sum(suffix == ".mid" for suffix in bringing.assets.values())
    assert sum(event.type == "disco.audio.rendered" for event in events) == played > 0


def _whole(disco: BaseDisco) -> None:
    """Assert that nothing differs from the log, and that live, rebuilt and embedded are the same."""
    assert list(disco.differences()) == []
    live = disco.views.digests()
    assert live == digests_of(disco.log.read(0, limit=1_000_000))
    disco.rebuild()
    assert disco.views.digests() == live
