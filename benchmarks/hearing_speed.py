"""Hearing: how fast a sound is analysed, beside librosa, and what becomes of time and memory over two hours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.figures import Bench, Measured
from benchmarks.imports import RATE_HZ, cause_of, checked, recorded_loops
from benchmarks.timing import peak_mib
from domain.access import Actor
from events.imports import AudioImported
from infra.disco import Disco
from infra.embedded.blobs import FolderBlobs
from infra.pool import WorkerPool
from infra.settings import Settings
from infra.tasks import answer
from infra.wiring import CONSUMERS, WARM

SHORT_S = 180.0
LONG_S = 7200.0
WARMING_S = 12.0
CORES = 2
TIMES = 3


@dataclass(frozen=True, slots=True)
class Heard:
    """What analysing one file took in a worker of its own."""

    audio_s: float
    wall_s: float
    cpu_s: float
    peak_mib: float


def realtime(bench: Bench) -> Measured:
    """Seconds of a three-minute stereo file heard in a second, from its import to the last answer."""
    path = _file(bench, SHORT_S)
    with Disco(Settings(home=bench.fresh("hearing"), workers=CORES, warm_workers=CORES), run=True) as disco:
        disco.import_paths([_file(bench, WARMING_S)], actor=Actor("ada"))
        assert disco.settle(600), "the first file did not settle"
        begun = time.perf_counter()
        disco.import_paths([path], actor=Actor("ada"))
        assert disco.settle(600), "the import did not settle"
        wall_s = time.perf_counter() - begun
    heard = bench.once("hearing short", lambda: _heard(bench, SHORT_S))
    return Measured(SHORT_S / wall_s, CORES * SHORT_S / heard.wall_s, f"{heard.cpu_s:.1f} s of CPU time in one process")


def versus_librosa(bench: Bench) -> Measured:
    """Seconds of audio of which all features are told in a second, beside librosa called feature by feature."""
    path = _file(bench, SHORT_S)
    with WorkerPool(1) as pool:
        ours, theirs = pool.submit(in_turn, str(bench.fresh("features")), str(path), timeout_s=1800).result()
    return Measured(SHORT_S / ours, SHORT_S / theirs, f"{ours:.2f} s against {theirs:.2f} s, medians of {TIMES}")


def growth(bench: Bench) -> Measured:
    """Time for each second of two hours, and of three minutes, in one process."""
    short, long = _both(bench)
    return Measured(1000 * long.wall_s / long.audio_s, 1000 * short.wall_s / short.audio_s, f"{long.audio_s:,.0f} s")


def peak(bench: Bench) -> Measured:
    """The most memory that the worker held which heard two hours."""
    short, long = _both(bench)
    return Measured(long.peak_mib, short.peak_mib, f"{long.audio_s:,.0f} s of audio in {long.wall_s:.0f} s")


def _both(bench: Bench) -> tuple[Heard, Heard]:
    short = bench.once("hearing short", lambda: _heard(bench, SHORT_S))
    return short, bench.once("hearing long", lambda: _heard(bench, max(2 * SHORT_S, LONG_S * min(1, bench.scale))))


def _heard(bench: Bench, length_s: float) -> Heard:
    path, warming = _file(bench, length_s), _file(bench, WARMING_S)
    bench.say(f"hearing {length_s:.0f} s")
    with WorkerPool(1) as pool:
        pool.warm(*WARM)
        home = str(bench.fresh(f"heard {length_s:.0f}"))
        return pool.submit(hear, home, str(path), str(warming), timeout_s=6 * 3600).result()


def hear(home: str, path: str, warming: str) -> Heard:
    """Answer the import of a file by all that analyse audio; runs in a worker, behind a first short file."""
    _answered(Path(home), Path(warming), _names())
    cause = cause_of(partial(FolderBlobs, Path(home)), Path(path))
    begun, cpu = time.perf_counter(), time.process_time()
    checked(answer(partial(FolderBlobs, Path(home)), _names(), cause))
    return Heard(soundfile.info(path).duration, time.perf_counter() - begun, time.process_time() - cpu, peak_mib())


def in_turn(home: str, path: str) -> tuple[float, float]:
    """Median seconds of our features of a file, and of librosa's, in turn; runs in a worker."""
    cause, open_blobs = cause_of(partial(FolderBlobs, Path(home)), Path(path)), partial(FolderBlobs, Path(home))
    calls: tuple[Callable[[], object], ...] = (
        lambda: checked(answer(open_blobs, ("extract_features",), cause)),
        lambda: by_librosa(path),
    )
    taken: list[list[float]] = [[], []]
    for turn in range(TIMES + 1):  # the first to import and compile
        for place, call in enumerate(calls):
            begun = time.perf_counter()
            call()
            if turn:
                taken[place].append(time.perf_counter() - begun)
    return float(np.median(taken[0])), float(np.median(taken[1]))


def by_librosa(path: str) -> dict[str, np.ndarray]:
    """The same features by librosa, each asked for by itself, as its documentation shows."""
    import librosa
    from librosa import feature

    y, _ = librosa.load(path)
    return {
        "centroid_hz": feature.spectral_centroid(y=y),
        "bandwidth_hz": feature.spectral_bandwidth(y=y),
        "rolloff_hz": feature.spectral_rolloff(y=y),
        "flatness": feature.spectral_flatness(y=y),
        "contrast_db": feature.spectral_contrast(y=y),
        "flux": librosa.onset.onset_strength(S=np.abs(librosa.stft(y))),
        "rms": feature.rms(y=y),
        "zero_crossing_rate": feature.zero_crossing_rate(y),
        "onset_strength": librosa.onset.onset_strength(y=y),
        "mfcc": feature.mfcc(y=y),
        "chroma": feature.chroma_stft(y=y),
        "tonnetz": feature.tonnetz(chroma=feature.chroma_stft(y=y)),
    }


def _names() -> tuple[str, ...]:
    """All that analyse audio but for transcription."""
    return tuple(name for name in CONSUMERS[AudioImported.TYPE] if "transcri" not in name)


def _answered(home: Path, path: Path, names: tuple[str, ...]) -> None:
    checked(answer(partial(FolderBlobs, home), names, cause_of(partial(FolderBlobs, home), path)))


def _file(bench: Bench, length_s: float) -> Path:
    """A stereo file of recorded loops, one after the other, at 44.1 kHz in 16 bits; kept for the next run."""
    folder = bench.folder / "hearing-speed"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{length_s:.0f} s.wav"
    if not path.exists():
        part = path.with_suffix(".part")
        with soundfile.SoundFile(part, "w", RATE_HZ, 2, "PCM_16", format="WAV") as file:
            for block in _music(round(length_s * RATE_HZ)):
                file.write(block)
        part.replace(path)
    return path


def _music(frames: int) -> Iterator[np.ndarray]:
    """Loops at changing levels, shape (n, 2) each."""
    loops, rng = recorded_loops(), np.random.default_rng(8)
    while frames:
        loop = loops[rng.integers(len(loops))][:frames] * rng.uniform(0.3, 0.9)
        frames -= len(loop)
        yield loop
