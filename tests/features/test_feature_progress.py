"""How far a job is and how long it will still take, as told by the process that does the work."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import pytest
import soundfile

from api.cli.progress import Left
from api.cli.waiting import Heard
from domain.errors import NotFound
from domain.ids import ResourceId
from domain.pace import MEMORY_S
from domain.ports import Progress
from events.analyses import AudioDescribed
from events.imports import AudioAdded
from infra.forecast import MOST_JOBS, Forecast
from processors.handler import processor
from tests import payloads
from tests.crash import cheap
from tests.features.conftest import Profile
from tests.given import ADA, RATE_HZ, sine


class SetTime:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """The time now."""
        return self.now_s


class Job:
    """A job of 40 pieces, ten works of four, told of to a forecast."""

    def __init__(self) -> None:
        self.time = SetTime()
        self.pending = 40
        self.forecast = Forecast(lambda job: self.pending, self.time)

    def work(self, name: str, *, seconds_a_piece: float) -> list[float | None]:
        """Do four pieces; returns what was said to be left after each."""
        told = []
        for piece in range(5):
            told.append(self.forecast.eta_s("job", name, float(piece)))
            self.time.now_s += seconds_a_piece if piece < 4 else 0.0
        self.pending -= 4
        self.forecast.ended("job", name, 4)
        return told


def test_what_is_left_of_a_steady_job_is_its_pieces_times_the_time_of_each() -> None:
    """Given 40 pieces of 3 seconds each, done one by one, then what is left counts down by 3, to 0, exactly."""
    job, told = Job(), list[float | None]()
    for number in range(10):
        told += job.work(f"work {number}", seconds_a_piece=3.0)
    assert told[0] is None, "nothing was measured yet"
    expected = [3.0 * (40 - 4 * work - piece) for work in range(10) for piece in range(5)]
    assert told[1:] == pytest.approx(expected[1:])
    assert told[-1] == 0.0


def test_pieces_that_come_to_be_known_are_counted_from_then_on() -> None:
    """Given a job that doubles half way, then what is left doubles, at the pace it had."""
    job = Job()
    for number in range(5):
        job.work(f"work {number}", seconds_a_piece=2.0)
    job.pending += 20
    assert job.work("work", seconds_a_piece=2.0)[1:] == pytest.approx([78, 76, 74, 72])


def test_a_work_that_failed_is_still_to_come() -> None:
    """Given four pieces of which one failed and will be tried again, then it counts among what is left.

    Eight seconds went by at one piece a second, then one at none: the smoothed rate is the integral of that.
    """
    job = Job()
    job.work("steady", seconds_a_piece=1.0)
    for piece in range(5):
        job.forecast.eta_s("job", "failing", float(piece))
        job.time.now_s += 1.0
    job.pending -= 3
    job.forecast.ended("job", "failing", 3)
    rate_hz = (math.exp(-1 / MEMORY_S) - math.exp(-9 / MEMORY_S)) / (1 - math.exp(-9 / MEMORY_S))
    assert job.forecast.eta_s("job", "again", 0.0) == pytest.approx(33 / rate_hz)


def test_nothing_is_said_of_a_job_that_no_view_knows() -> None:
    """Given a job that the views have not come to, then nothing is said; once they have, it is."""
    time, known = SetTime(), threading.Event()

    def pending(job: str) -> int:
        if not known.is_set():
            raise NotFound("no such job")
        return 9

    forecast = Forecast(pending, time)
    assert forecast.eta_s("job", 1, 0.0) is None
    time.now_s += 1
    assert forecast.eta_s("job", 1, 1.0) is None
    known.set()
    time.now_s += 1
    assert forecast.eta_s("job", 1, 2.0) == pytest.approx(7.0)


def test_only_so_many_jobs_are_remembered() -> None:
    """Given thousands of jobs, then the newest are remembered and no more."""
    forecast = Forecast(lambda job: 1, SetTime())
    for number in range(10 * MOST_JOBS):
        forecast.eta_s(f"job {number}", number, 0.0)
    assert len(forecast._jobs) == MOST_JOBS


def test_progress_tells_what_is_left_of_the_job(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a job of several files, when followed, then what is left is told once there is a pace, and ends at none.

    The work told of adds up to all that the job was given.
    """

    @processor("1")
    def weigh(event: AudioAdded) -> AudioDescribed:
        return payloads.findings(event.asset_id)["levels"]  # type: ignore[return-value]  # it is

    weigh.handle.__annotations__.update({"event": AudioAdded, "return": AudioDescribed})  # type: ignore[attr-defined]
    cheap.install(monkeypatch.setattr, (weigh,), profile.name)
    monkeypatch.setattr("domain.pace.LEAST_S", 0.0)  # all of it takes less than that
    heard: list[Progress] = []
    with profile.given(tmp_path / "home", workers=1) as disco:
        stop = disco.service.on_progress(heard.append)
        paths = [disco.file(f"{number}.wav") for number in range(12)]
        for number, path in enumerate(paths):
            soundfile.write(path, sine(200.0 + number, seconds=0.02), RATE_HZ)
        disco.service.import_paths(paths, actor=ADA, job="j")
        disco.settled()
        stop()
    assert {word.job for word in heard} == {"j"}
    assert sum(word.pieces for word in heard if word.done == word.total) == 12
    assert all(word.eta_s is None or word.eta_s >= 0 for word in heard)
    assert any(word.eta_s is not None for word in heard)


def test_the_bar_shows_what_the_worker_says_and_counts_down_between() -> None:
    """Given 90 s told, then 0:01:30 is shown, 30 s later 0:01:00; with nothing told it goes by what it sees itself."""
    time = SetTime()
    left = Left(time)
    assert str(left) == "-:--:--"
    left.told(0, 100, 90.0)
    assert str(left) == "0:01:30"
    time.now_s += 30
    assert str(left) == "0:01:00"
    own = Left(time)
    own.told(0, 100, None)
    assert str(own) == "-:--:--"
    time.now_s += 36
    own.told(1, 100, None)
    assert str(own) == "0:59:24"


def test_what_is_heard_of_a_job_is_its_share_at_hand() -> None:
    """Given works of two resources half and a quarter done, then so many pieces are; one that ended counts no more."""
    heard = Heard("job")
    words = [
        Progress("job", ResourceId("a"), "x, y", 500, 1000, eta_s=5.0, pieces=2),
        Progress("job", ResourceId("b"), "z", 250, 1000, pieces=1),
        Progress("another", ResourceId("c"), "z", 900, 1000, pieces=7),
    ]
    for word in words:
        heard(word)
    assert heard.done() == 1.25
    assert heard.eta_s() is None, "the newest word of the job knew none"
    heard(Progress("job", ResourceId("a"), "x, y", 1000, 1000, eta_s=5.0, pieces=2))
    assert heard.done() == 0.25
    found = heard.eta_s()
    assert found is not None
    assert 0 < found <= 5.0
    heard(Progress("job", ResourceId("b"), "z", 500, 1000, eta_s=0.0))
    assert heard.eta_s() is None, "what has run out tells nothing of what is still to come"
