"""What features are told with: given some music, when it is imported, then the views answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import mido
import numpy as np
import soundfile

from domain.access import Actor
from domain.commands import Command
from domain.handling import Done
from domain.service import Imported
from events.envelope import Recorded
from infra.base import BaseDisco
from infra.opening import open_service
from infra.pool import WorkerPool
from infra.settings import Settings

RATE_HZ = 44_100
ADA = Actor(name="ada")
SETTLE_S = 120.0


class _Lent:
    """Another's pool: who closes it only gives it back."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    def submit(self, function: Callable[..., Any], *args: object, **how: Any) -> Future[Any]:  # Any: as the pool's
        return self._pool.submit(function, *args, **how)

    def warm(self, *modules: str, count: int | None = None) -> None:
        self._pool.warm(*modules, count=count)

    def pids(self) -> list[int]:
        return self._pool.pids()

    def busy(self) -> int:
        return self._pool.busy()

    def close(self, *, kill: bool = False) -> None:
        """Leave it to its owner."""


def lent(pool: WorkerPool) -> _Lent:
    """The pool, which closing does not close."""
    return _Lent(pool)


def sine(hz: float = 440.0, *, seconds: float = 1.0, peak: float = 0.5) -> np.ndarray:
    """A sine, shape (frames,)."""
    return peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)


def song(*, bars: int = 4, tempo_bpm: float = 120.0) -> np.ndarray:
    """Four chords in A minor with a click on every beat, shape (frames,)."""
    beat = round(RATE_HZ * 60 / tempo_bpm)
    time_s = np.arange(beat) / RATE_HZ
    chords = ((220.0, 261.63, 329.63), (174.61, 220.0, 261.63), (196.0, 246.94, 293.66), (164.81, 220.0, 329.63))
    bar = [sum(np.sin(2 * np.pi * hz * time_s) for hz in chord) / 6 * np.exp(-3 * time_s) for chord in chords]
    click = np.random.default_rng(1).standard_normal(beat) * np.exp(-200 * time_s) * 0.3
    return np.concatenate([bar[number % len(bar)] + click for number in range(bars) for _ in range(4)])


class Given:
    """A running service with short words for what tests do to it; on the server profile it is its own worker.

    over: the settings of the installation it runs on, in place of the folder `home`.
    """

    def __init__(self, home: Path, *, over: Settings | None = None, **settings: Any) -> None:  # Any: fields of Settings
        self.home = home
        self._settings = (over or Settings(home=home)).model_copy(update={"workers": 2, **settings})
        self._files = home.parent / "files"
        self._files.mkdir(exist_ok=True)
        self.service: BaseDisco = _running(self._settings)

    def given_audio(self, samples: np.ndarray | None = None, *, name: str = "song", project: str = "Tests") -> str:
        """Import audio, samples of shape (frames,) or (frames, channels), into a project; returns the asset."""
        path = self.file(f"{name}.wav")
        soundfile.write(path, sine() if samples is None else samples, RATE_HZ)
        return self.given_file(path, project=project).asset_id

    def given_midi(self, *, pitches: tuple[int, ...] = (60, 64, 67), name: str = "tune", project: str = "Tests") -> str:
        """Import a MIDI file with these notes, half a second each; returns the asset."""
        file = mido.MidiFile(type=0)
        track = mido.MidiTrack()
        for pitch in pitches:
            track.append(mido.Message("note_on", note=pitch, velocity=80, time=0))
            track.append(mido.Message("note_off", note=pitch, velocity=0, time=480))
        file.tracks.append(track)
        path = self.file(f"{name}.mid")
        file.save(path)
        return self.given_file(path, project=project).asset_id

    def file(self, name: str) -> Path:
        """Where a file of this name lies, outside the service."""
        return self._files / name

    def given_file(self, path: Path, *, project: str = "Tests") -> Imported:
        """Import one file that must be good."""
        report = self.service.import_paths([path], actor=ADA, project=project)
        assert not report.failed, report.failed
        return report.imported[0]

    def when(self, command: Command, **how: Any) -> Done:  # Any: what `execute` takes
        """Carry out a command and wait until the views have it."""
        done = self.service.execute(command, actor=ADA, **how)
        self.service.views.wait(done.token.position, 30.0)
        return done

    def settled(self) -> Self:
        """Wait until everything is processed and projected."""
        assert self.service.settle(SETTLE_S), self.service.views.status()
        return self

    def replayed(self) -> Self:
        """Build every view anew."""
        self.service.rebuild()
        return self

    def events(self) -> list[Recorded]:
        """The whole log."""
        return self.service.log.read(0, limit=100_000)

    def types(self, subject: str) -> list[str]:
        """What happened to a resource."""
        return [event.type for event in self.service.log.about(subject)]  # type: ignore[arg-type]  # an id

    def reopened(self, **settings: Any) -> Self:  # Any: fields of Settings
        """Close and open again."""
        self.service.close()
        self.service = _running(self._settings.model_copy(update=settings))
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.service.close()


def _running(settings: Settings) -> BaseDisco:
    service = open_service(settings)
    if settings.profile == "server":
        service.work()
    return service
