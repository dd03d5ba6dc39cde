"""Importing: a hundred files with all their first analyses, and how much of the time is not the analyses'."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.figures import Bench, Measured
from domain.access import Actor
from domain.values import AudioFacts
from events.envelope import encode
from events.imports import AudioImported
from infra.disco import Disco
from infra.embedded.blobs import FolderBlobs
from infra.pool import WorkerPool
from infra.pool.child import Child
from infra.settings import Settings
from infra.tasks import Answer, Cause, OpenBlobs, answer, take_in
from infra.wiring import CONSUMERS

FILES = 100
SAMPLED = 6
LENGTH_S = (20.0, 30.0)
RATE_HZ = 44_100
LOOPS = Path("../shared/audio")
ASSET = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@dataclass(slots=True)
class Run:
    """What an import took; busy_s sums over the workers."""

    audio_s: float
    wall_s: float
    workers: int
    busy_s: float
    service_cpu_s: float
    bare_s: float
    note: str


def _run(bench: Bench) -> Run:
    folder = bench.fresh("import")
    material = folder / "material"
    material.mkdir()
    audio_s = written(material, bench.scaled(FILES, least=8))
    bench.say("importing")
    disco = Disco(Settings(home=folder / "home"), run=True)
    with _busy() as busy:
        cpu = time.process_time()
        begun = time.perf_counter()
        report = disco.import_paths(
            [material],
            actor=Actor("ada"),
            on_file=lambda _file, done, total: bench.say(f"importing: {done} of {total} files"),
        )
        bench.say("processing")
        assert disco.settle(1_800), "the import did not settle"
        wall_s = time.perf_counter() - begun
        cpu = time.process_time() - cpu
    letters = disco.views.dead_letters.page()[0]
    findings = disco.log.head()
    disco.close()
    assert not report.failed, report.failed[0]
    assert not letters, letters[0]
    sample = sorted(material.iterdir())[:SAMPLED]
    share_s = sum(soundfile.info(path).duration for path in sample)
    bench.say("the same analyses in a plain loop")
    bare_s = _bare(folder, sample) / share_s * audio_s
    note = f"{audio_s:,.0f} s of audio in {wall_s:.1f} s, {findings:,} events"
    return Run(audio_s, wall_s, disco.settings.workers, sum(busy), cpu, bare_s, note)


def realtime(bench: Bench) -> Measured:
    """Seconds of audio imported and analysed in a second, the workers' start included."""
    found = bench.once("import", lambda: _run(bench))
    return Measured(found.audio_s / found.wall_s, found.audio_s * found.workers / found.bare_s, found.note)


def overhead(bench: Bench) -> Measured:
    """The share of the workers' time in which they had nothing to do, or were being started."""
    found = bench.once("import", lambda: _run(bench))
    idle = 1 - found.busy_s / (found.workers * found.wall_s)
    own = found.service_cpu_s / (found.service_cpu_s + found.busy_s)
    return Measured(100 * idle, note=f"the service's own CPU time is {own:.1%} of all")


@contextmanager
def _busy() -> Iterator[list[float]]:
    """How long each task of a worker takes, as its parent sees it; gathered in place of `Child.run`."""
    taken: list[float] = []
    lock = threading.Lock()
    run = Child.run

    def timed(self, *args, **kwargs):  # type: ignore[no-untyped-def]  # as Child.run
        begun = time.perf_counter()
        try:
            return run(self, *args, **kwargs)
        finally:
            with lock:
                taken.append(time.perf_counter() - begun)

    Child.run = timed  # type: ignore[method-assign]  # for this run alone
    try:
        yield taken
    finally:
        Child.run = run  # type: ignore[method-assign]  # as it was


def _bare(folder: Path, paths: list[Path]) -> float:
    """Seconds for the same work called in a plain loop in one process; a first file warms it."""
    with WorkerPool(1) as pool:
        arguments = (str(folder / "bare"), [str(path) for path in paths])
        return pool.submit(plain_loop, *arguments, timeout_s=1_800).result()


def plain_loop(home: str, paths: list[str]) -> float:
    """Take in and analyse files one after the other; runs in a worker, so with the same libraries and threads."""
    blobs = FolderBlobs(Path(home))
    _take(blobs, Path(paths[0]))
    begun = time.perf_counter()
    for path in paths:
        _take(blobs, Path(path))
    return time.perf_counter() - begun


def _take(blobs: FolderBlobs, path: Path) -> None:
    open_blobs = partial(FolderBlobs, blobs.root)
    checked(answer(open_blobs, CONSUMERS[AudioImported.TYPE], cause_of(open_blobs, path)))


def checked(answers: list[Answer]) -> None:
    """See that none of them failed."""
    faults = [item.fault for item in answers if item.fault]
    assert not faults, faults[0]


def cause_of(open_blobs: OpenBlobs, path: Path) -> Cause:
    """The event by which a file comes in, its content taken into the blobs."""
    taken = take_in(open_blobs, path, path.name)
    assert isinstance(taken.probed.facts, AudioFacts), f"{path} is not audio"
    event = AudioImported.model_construct(
        asset_id=ASSET,
        project_id=ASSET,
        container_id=ASSET,
        name=path.stem,
        content=taken.content,
        facts=taken.probed.facts,
        file_name=path.name,
        tags={},
    )
    return Cause(AudioImported.TYPE, AudioImported.VERSION, encode(event), path.name)


def written(folder: Path, count: int, between_s: tuple[float, float] = LENGTH_S) -> float:
    """Write files made of loops, each looped to its length, two at a time; returns their seconds of audio."""
    loops, rng = recorded_loops(), np.random.default_rng(5)
    total_s = 0.0
    for number in range(count):
        length_s = rng.uniform(*between_s)
        one, other = (loops[place] for place in rng.choice(len(loops), 2, replace=False))
        frames = int(length_s * RATE_HZ)
        mixed = _looped(one, frames, rng) + rng.uniform(0, 0.4) * _looped(other, frames, rng)
        mixed *= rng.uniform(0.3, 0.9) / max(1e-6, float(np.abs(mixed).max()))
        suffix = ("wav", "flac")[number % 2]
        soundfile.write(folder / f"take {number:03}.{suffix}", mixed, RATE_HZ, subtype="PCM_16")
        total_s += frames / RATE_HZ
    os.sync()
    return total_s


def _looped(loop: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    """The loop from somewhere on, again and again, shape (frames, 2)."""
    start = int(rng.integers(len(loop)))
    repeats = -(-(frames + start) // len(loop))
    return np.tile(loop, (repeats, 1))[start : start + frames]


def recorded_loops() -> list[np.ndarray]:
    """The recorded loops beside the repository; where there are none, loops of tones and noise. Shape (frames, 2)."""
    paths = sorted(LOOPS.glob("*.flac"))
    if paths:
        return [soundfile.read(path, always_2d=True)[0] for path in paths]
    rng = np.random.default_rng(6)
    return [_made(rng, tempo_bpm) for tempo_bpm in range(80, 160, 10)]


def _made(rng: np.random.Generator, tempo_bpm: float) -> np.ndarray:
    """Eight beats of chords and noise bursts, shape (frames, 2)."""
    beat = int(60 / tempo_bpm * RATE_HZ)
    time_s = np.arange(8 * beat) / RATE_HZ
    within = np.arange(8 * beat) % beat / RATE_HZ
    pitches = 110 * 2 ** (rng.integers(0, 24, size=(4, 3)) / 12)
    which = np.arange(8 * beat) // (2 * beat)
    tones = np.sin(2 * np.pi * pitches[which] * time_s[:, None]).sum(axis=1) / 6
    hits = rng.normal(size=len(time_s)) * np.exp(-40 * within) / 4
    return np.repeat((tones + hits)[:, None], 2, axis=1)
