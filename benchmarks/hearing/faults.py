"""Faults put into clean sound, and how many of them are found: recall, precision, and what clean sound is blamed for.

The grid of severities is `GRID`; each fault is put into each source at every severity, seeded. What no one could hear
or measure is not put in: a click below the slopes around it, a dropout in silence, a cut above all that sounds, one
channel turned over where the two have nothing in common. Clean are renders of the evaluation set (`how` clean), the
recorded loops and four synthetic sounds; twelve seconds of each, halves for choosing and for reporting.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from benchmarks.hearing.material import items
from processors.audio.signal import Signal
from processors.quality.assess import quality_of

RATE_HZ = 44_100
LENGTH_S = 12
LOOPS = Path(__file__).parents[2] / ".." / "shared" / "audio"
REALLY = {("loop_amen_full", "clipping")}
"""What a source has before anything is put in: flat tops at full scale, by looking at its samples."""
GRID: dict[str, tuple[float, ...]] = {
    "clipping": (1e-4, 1e-3, 1e-2, 5e-2),  # share of samples
    "click": (0.05, 0.15, 0.5),  # of full scale, at least four times the steepest step within 20 ms
    "dropout": (0.005, 0.02, 0.08, 0.3),  # seconds, where sound is above -40 dBFS on both sides
    "dc": (0.02, 0.05, 0.1),  # of full scale, beside a mean of 0
    "hum": (
        -30.0,
        -20.0,
        -10.0,
    ),  # dB beside the sound, where nothing within 5 Hz is louder; 50 or 60 Hz and four harmonics
    "noise": (10.0, 20.0, 30.0),  # dB of SNR, white or pink
    "bandwidth": (64.0, 128.0, 8000.0, 11_025.0, 16_000.0),  # kb/s of MP3, or hertz of a low pass
    "phase": (-1.0,),
    "delay": (0.0003, 0.001, 0.005),  # seconds
}
Place = tuple[float, float]


@dataclass
class Tally:
    """Of one kind: faults put in, those found, what was found beside them, clean sounds, and those blamed."""

    put: int = 0
    found: int = 0
    wrong: int = 0
    clean: int = 0
    blamed: int = 0
    missed: list[str] = field(default_factory=list)


def sources(split: Literal["dev", "test"]) -> Iterator[tuple[str, np.ndarray]]:
    """Clean sounds of shape (2, frames)."""
    for kind in ("score", "arrangement", "melody"):
        for item in items(split, kind):
            if item.how == "clean":
                yield item.name, item.audio()[0][:, 5 * RATE_HZ : (5 + LENGTH_S) * RATE_HZ]
    for number, path in enumerate(sorted(LOOPS.glob("*.flac"))):
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        if rate_hz == RATE_HZ and (number % 2 == 0) == (split == "dev"):
            yield path.stem, np.tile(samples.T, -(-LENGTH_S * RATE_HZ // len(samples)))[:, : LENGTH_S * RATE_HZ]
    yield from _synthetic(7 if split == "dev" else 8)


def _synthetic(seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Staccato plucks, a low sawtooth through a filter, drums of noise, a distorted guitar's fifths."""
    from scipy.signal import butter, sosfilt

    rng, at_s = np.random.default_rng(seed), np.arange(LENGTH_S * RATE_HZ) / RATE_HZ
    beat = at_s % 0.25
    pitch = rng.choice([110.0, 146.8, 164.8, 220.0], LENGTH_S * 4)[(at_s / 0.25).astype(int)]
    wave = sum(np.sin(2 * np.pi * pitch * k * beat) / k for k in range(1, 12))
    saw = 2 * ((at_s * (41.2 + seed)) % 1) - 1
    fifth = sum(np.sin(2 * np.pi * f * at_s) for f in (82.4, 123.5, 164.8))
    made = {
        "staccato": wave * np.minimum(1, beat / 0.002) * np.exp(-beat * 25) * np.clip((0.18 - beat) / 0.01, 0, 1) * 0.2,
        "saw": sosfilt(butter(4, 1500, fs=RATE_HZ, output="sos"), saw) * 0.2,
        "drums": rng.normal(size=len(at_s)) * np.exp(-beat * 60) * 0.2,
        "guitar": np.tanh(4 * fifth) * 0.3 * np.exp(-(at_s % 2)) * np.minimum(1, at_s % 2 / 0.01),
    }
    for name, samples in made.items():
        yield f"{name}-{seed}", np.stack([samples, samples]).astype(np.float32)


def put(kind: str, how: float, samples: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Place]] | None:
    """Return the sound with a fault and where it is, or None where it could not be told there."""
    return _MAKERS[kind](samples, how, rng)


Made = tuple[np.ndarray, list[Place]] | None


def _everywhere(samples: np.ndarray) -> Made:
    return samples.astype(np.float32), [(0.0, samples.shape[1] / RATE_HZ)]


def _clipped(samples: np.ndarray, how: float, rng: np.random.Generator) -> Made:
    ceiling = float(np.quantile(np.abs(samples), 1 - how))
    scaled = np.clip(samples, -ceiling, ceiling) * (rng.choice([1.0, 0.5]) / ceiling)
    return _everywhere(np.round(scaled * 32767) / 32768)


def _clicked(samples: np.ndarray, how: float, rng: np.random.Generator) -> Made:
    made, places = samples.copy(), list[Place]()
    for _ in range(60):
        at, length = int(rng.integers(RATE_HZ, samples.shape[1] - RATE_HZ)), int(rng.choice([1, 3, 20]))
        around = np.abs(np.diff(samples[:, at - 882 : at + 882], axis=1)).max()
        alone = all(abs(at / RATE_HZ - place) > 0.2 for place, _ in places)
        if how >= 4 * around and alone and len(places) < 5:
            shape = how * rng.choice([-1, 1]) * np.exp(-np.arange(length) / 5) * (-1.0) ** np.arange(length)
            made[rng.integers(2), at : at + length] += shape.astype(np.float32)
            places.append((at / RATE_HZ, (at + length) / RATE_HZ))
    return (made, places) if places else None


def _dropped(samples: np.ndarray, how: float, rng: np.random.Generator) -> Made:
    made, places, length, near = samples.copy(), list[Place](), int(how * RATE_HZ), RATE_HZ // 50
    for _ in range(60):
        at = int(rng.integers(RATE_HZ, samples.shape[1] - 2 * RATE_HZ))
        sides = [float(np.std(samples[:, first : first + near])) for first in (at - near, at + length)]
        alone = all(abs(at / RATE_HZ - place) > 2 * how + 0.1 for place, _ in places)
        if min(sides) > 0.01 and max(sides) < 3 * min(sides) and alone and len(places) < 3:
            made[:, at : at + length] = made[:, at : at + 1] if rng.random() < 0.3 else 0
            places.append((at / RATE_HZ, (at + length) / RATE_HZ))
    return (made, places) if places else None


def _offset(samples: np.ndarray, how: float, rng: np.random.Generator) -> Made:
    return _everywhere(samples - samples.mean(axis=1, keepdims=True) + rng.choice([-1, 1]) * how)


def _hummed(samples: np.ndarray, how: float, rng: np.random.Generator) -> Made:
    at_s, mains = np.arange(samples.shape[1]) / RATE_HZ, rng.choice([50, 60]) * (1 + rng.uniform(-5e-4, 5e-4))
    hum = sum(np.sin(2 * np.pi * mains * k * at_s + rng.uniform(0, 6)) / k for k in (1, 2, 3, 4, 5))
    hum *= samples.std() / hum.std() * 10 ** (how / 20)
    bins = slice(round((mains - 5) * LENGTH_S), round((mains + 5) * LENGTH_S))
    there, put_in = (np.sum(np.abs(np.fft.rfft(one)[bins]) ** 2) for one in (samples.mean(axis=0), hum))
    return _everywhere(samples + hum) if put_in > there else None


def _noisy(samples: np.ndarray, how: float, rng: np.random.Generator) -> Made:
    spectrum = np.fft.rfft(rng.normal(size=samples.shape), axis=1)
    if rng.random() < 0.5:
        spectrum /= np.sqrt(np.maximum(20, np.arange(spectrum.shape[1])))
    noise = np.fft.irfft(spectrum, samples.shape[1], axis=1)
    return _everywhere(samples + noise * (samples.std() / noise.std() * 10 ** (-how / 20)))


def _narrowed(samples: np.ndarray, how: float, rng: np.random.Generator) -> Made:
    from scipy.signal import firwin, oaconvolve

    if how > 1000:  # hertz
        made, cut = oaconvolve(samples, firwin(601, how, fs=RATE_HZ)[None], mode="same", axes=1), how
    else:
        file = io.BytesIO()
        level = {64: 0.8, 128: 0.5}[int(how)]
        with soundfile.SoundFile(
            file,
            "w",
            RATE_HZ,
            2,
            format="MP3",
            subtype="MPEG_LAYER_III",
            compression_level=level,
            bitrate_mode="CONSTANT",
        ) as out:
            out.write(samples.T)
        made = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)[0].T[:, : samples.shape[1]]
        cut = float(_cut_of(samples, made))
    before, after = (_levels_db(one) for one in (samples, made))
    above = slice(int(cut / 100) + 5, int(cut / 100) + 15)
    return _everywhere(made) if cut < 20_000 and np.median(before[above] - after[above]) > 20 else None


def _cut_of(samples: np.ndarray, made: np.ndarray) -> float:
    """From where on 100-Hz bands lost 20 dB."""
    lost = _levels_db(samples) - _levels_db(made) > 20
    kept = np.flatnonzero(~lost[:200])
    return 100.0 * (kept[-1] + 1) if len(kept) else 0.0


def _levels_db(samples: np.ndarray) -> np.ndarray:
    power = np.abs(np.fft.rfft(samples[:, : 10 * RATE_HZ].mean(axis=0))) ** 2 / (10 * RATE_HZ) ** 2
    found: np.ndarray = 10 * np.log10(power[: len(power) // 1000 * 1000].reshape(-1, 1000).mean(axis=1) + 1e-17)
    return found


def _turned(samples: np.ndarray, how: float, rng: np.random.Generator) -> Made:
    return _everywhere(samples * np.array([[1], [how]])) if np.corrcoef(samples)[0, 1] > 0.5 else None


def _delayed(samples: np.ndarray, how: float, rng: np.random.Generator) -> Made:
    if np.corrcoef(samples)[0, 1] <= 0.5:
        return None
    made, late = samples.copy(), round(how * RATE_HZ)
    which = int(rng.integers(2))
    made[which, late:], made[which, :late] = samples[which, :-late], 0
    return _everywhere(made)


_MAKERS: dict[str, Callable[[np.ndarray, float, np.random.Generator], Made]] = {
    "clipping": _clipped,
    "click": _clicked,
    "dropout": _dropped,
    "dc": _offset,
    "hum": _hummed,
    "noise": _noisy,
    "bandwidth": _narrowed,
    "phase": _turned,
    "delay": _delayed,
}


def tallies(
    split: Literal["dev", "test"], *, say: Callable[[str], None], at_most: int | None = None
) -> dict[str, Tally]:
    """Put every fault of the grid into every source and count."""
    found: dict[str, Tally] = defaultdict(Tally)
    for number, (name, samples) in enumerate(list(sources(split))[:at_most]):
        say(f"quality {name}")
        clean = {kind for kind, _ in _heard(samples)}
        for kind in GRID:
            if (name, kind) not in REALLY:
                found[kind].clean += 1
                found[kind].blamed += kind in clean
                if kind in clean:
                    found[kind].missed.append(f"blamed {name}")
        for kind, severities in GRID.items():
            for step, how in enumerate(severities):
                if (made := put(kind, how, samples, np.random.default_rng([number, step]))) is not None:
                    _count(found, kind, _heard(made[0]), made[1], f"{name} {how:g}", clean)
    return dict(found)


def _heard(samples: np.ndarray) -> list[tuple[str, Place]]:
    quality = quality_of(Signal(samples, RATE_HZ))
    return [(fault.kind, (fault.start_s, fault.end_s)) for fault in quality.faults]


def _count(
    found: dict[str, Tally], kind: str, heard: list[tuple[str, Place]], places: list[Place], where: str, clean: set[str]
) -> None:
    """What is found in a place is right; what else is found of any kind, and was not blamed before, is wrong."""
    mine = [place for one, place in heard if one == kind]
    hits = [any(start - 0.005 <= end_ and start_ <= end + 0.005 for start_, end_ in mine) for start, end in places]
    found[kind].put += len(places)
    found[kind].found += sum(hits)
    if not all(hits):
        found[kind].missed.append(f"missed {where} {sum(hits)}/{len(hits)}")
    wrong = [one for one in mine if not any(start - 0.005 <= one[1] and one[0] <= end + 0.005 for start, end in places)]
    found[kind].wrong += len(wrong)
    for other in {one for one, _ in heard} - {kind} - clean:
        found[other].wrong += 1
        found[other].missed.append(f"wrong at {kind} {where}")


def table(found: dict[str, Tally]) -> str:
    """Markdown, one row a kind."""
    rows = ["| fault | put in | recall | precision | clean sounds blamed |", "| --- | --- | --- | --- | --- |"]
    for kind in (one for one in GRID if one in found):
        one = found[kind]
        precision = one.found / max(1, one.found + one.wrong + one.blamed)
        recall = one.found / max(1, one.put)
        rows.append(f"| {kind} | {one.put} | {recall:.3f} | {precision:.3f} | {one.blamed} of {one.clean} |")
    put_, hit = sum(one.put for one in found.values()), sum(one.found for one in found.values())
    wrong, blamed = sum(one.wrong for one in found.values()), sum(one.blamed for one in found.values())
    asked = sum(one.clean for one in found.values())
    rows.append(
        f"| all | {put_} | {hit / max(1, put_):.3f} | {hit / max(1, hit + wrong + blamed):.3f} | {blamed} of {asked} |"
    )
    return "\n".join(rows) + "\n"
