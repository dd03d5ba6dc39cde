"""`python -m benchmarks.hearing.learn_families`: learn the families of instruments from rendered single notes.

The notes are of the SoundFonts that the evaluation set's dev half has (fluidr3, musescore), of more programs, pitches
and velocities, and of the built-in instrument; the other SoundFonts are held out. What was heard is kept in
build/bench/learn. Needs FluidSynth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from benchmarks.hearing import instruments, render
from benchmarks.hearing.sheet import DRUMS, Played, Sheet
from processors.audio.arrays import to_npz
from processors.audio.signal import Signal
from processors.timbre import family
from processors.timbre.notes import note_numbers

FONTS = ("fluidr3", "musescore")
MORE: dict[str, tuple[int, ...]] = {
    "piano": (3, 5),
    "mallets": (8, 10, 14, 108),
    "organ": (17, 20),
    "guitar": (28, 29, 105),
    "bass": (35, 36, 37, 39),
    "strings": (43, 49, 110),
    "brass": (59, 61),
    "reed": (64, 67, 69),
    "flute": (74, 77, 78, 79),
    "voice": (54,),
}
"""Programs besides those that are asked for."""
STEPS, LOUD = (-7, 0, 4, 7, 11, 16), (64, 104)
SEED = 33_550_336
PENALTY = 1e-3
NOISES = 240
COLOURS = 4
KEPT = Path(__file__).parents[2] / "build" / "bench" / "learn" / "families"
WRITTEN = Path(family.__file__).with_name("family.npz")
_NOTE_S = 1.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Render, hear, learn, write; tell how many notes of each instrument are right by what was learnt of the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hearing.learn_families", description=__doc__)
    parser.add_argument("--penalty", type=float, default=PENALTY)
    penalty = parser.parse_args(arguments).penalty
    heard = {font: _heard(font) for font in (*FONTS, "built-in", "noise")}
    learnt = learn(list(heard.values()), penalty)
    arrays = {name: getattr(learnt, name).astype(np.float32) for name in ("mean", "scale", "weights", "bias")}
    WRITTEN.write_bytes(to_npz(arrays))
    _say(f"{WRITTEN}: {WRITTEN.stat().st_size} bytes\n")
    for out in (*FONTS, "built-in"):
        others = learn([heard[name] for name in heard if name != out], penalty)
        numbers, labels = heard[out]
        said = others.shares(numbers).argmax(axis=1)
        each = " ".join(f"{name} {np.mean(said[labels == one] == one):.2f}" for one, name in enumerate(family.FAMILIES))
        _say(f"{out} by the others: {np.mean((said == labels)[labels < 10]):.3f}; {each}\n")
    return 0


def sheets() -> list[tuple[int, Sheet]]:
    """Every note with its class."""
    found = []
    for label, name in enumerate(family.FAMILIES):
        if name == "drums":
            continue
        for program in (*instruments.FAMILIES[name], *MORE[name]):
            low = instruments._DEEP.get(program, instruments._LOW[name])
            found += [(label, _note(program, low + step, loud)) for step in STEPS for loud in LOUD]
    drums = family.FAMILIES.index("drums")
    found += [(drums, _note(DRUMS, pitch, loud)) for pitch in range(35, 60) for loud in LOUD]
    return found


def _note(program: int, pitch: int, velocity: int) -> Sheet:
    notes = (Played(0.0, _NOTE_S, pitch, velocity, 0),)
    name = f"{program}-{pitch}-{velocity}"
    return Sheet(
        name=name, kind="note", programs=(program,), notes=notes, tempi=((0.0, 60.0),), end_q=_NOTE_S, tags=("note",)
    )


def _heard(font: str) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and classes of the notes of a SoundFont, each as it is and in other colours; or of noises."""
    kept = KEPT / f"{font}.npz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        rows = list(_noises() if font == "noise" else _built_in() if font == "built-in" else _played(font))
        samples = np.concatenate([samples for _, samples in rows])
        lengths = np.array([len(samples) for _, samples in rows])
        labels = np.array([label for label, _ in rows])
        kept.write_bytes(to_npz({"samples": samples.astype(np.float32), "lengths": lengths, "labels": labels}))
    rng, numbers, labels = np.random.default_rng(SEED), [], []
    with np.load(kept, allow_pickle=False) as held:
        notes = np.split(held["samples"], np.cumsum(held["lengths"])[:-1])
        for label, note in zip(held["labels"].tolist(), notes, strict=True):
            for turn in range(COLOURS):
                found = note_numbers(coloured(note, rng) if turn else note)
                if found is not None:
                    numbers.append(found)
                    labels.append(label)
    return np.array(numbers), np.array(labels)


def _played(font: str) -> Iterator[tuple[int, np.ndarray]]:
    wanted = sheets()
    for first in range(0, len(wanted), 150):
        some = wanted[first : first + 150]
        _say(f"{font}: notes {first} of {len(wanted)}")
        played = render.play([sheet for _, sheet in some], font)
        for (label, _), samples in zip(some, played, strict=True):
            if parts := family.excerpts(Signal(samples, render.RATE_HZ)):
                yield label, max(parts, key=lambda part: float(np.square(part).sum()))


def _built_in() -> Iterator[tuple[int, np.ndarray]]:
    """Notes of the built-in instrument, and its drums, one and two at a time."""
    from processors.midi.notes import make_notes
    from processors.synthesis.drums import drum
    from processors.synthesis.render import play

    rng = np.random.default_rng(SEED + 2)
    for label, sheet in sheets()[::2]:
        note, program = sheet.notes[0], sheet.programs[0]
        if program != DRUMS:
            sound = play(make_notes([(0.1, 0.1 + _NOTE_S, note.pitch, note.velocity, 0, program, 0)]))
            if parts := family.excerpts(Signal(sound, render.RATE_HZ)):
                yield label, max(parts, key=lambda part: float(np.square(part).sum()))
    for pitch in range(35, 60):
        for other in (pitch, 42, 36):
            both = np.zeros(render.RATE_HZ, np.float32)
            for part in (drum(pitch), drum(other)):
                both[: min(len(part), len(both))] += part[: len(both)] * np.float32(rng.uniform(0.3, 1))
            yield family.FAMILIES.index("drums"), np.pad(both, (4000, 0))[: render.RATE_HZ : 2]


def coloured(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return samples through a room's or a microphone's spectrum, by chance, with a little noise."""
    spectrum = np.fft.rfft(samples)
    octaves = np.log2(np.maximum(np.arange(len(spectrum)) / len(spectrum) * 11_025, 30) / 1000)
    gain_db = rng.normal(0, 2.0) * octaves
    for _ in range(3):
        gain_db += rng.normal(0, 4) * np.exp(-0.5 * ((octaves - rng.uniform(-3, 3)) / rng.uniform(0.4, 1.2)) ** 2)
    shaped = np.fft.irfft(spectrum * 10 ** (gain_db / 20), len(samples))
    noise = rng.standard_normal(len(samples)) * np.std(shaped) * 10 ** (-rng.uniform(30, 60) / 20)
    return (shaped + noise).astype(np.float32)


def _noises() -> Iterator[tuple[int, np.ndarray]]:
    """Noise of any colour and course, clicks in it: what is no instrument."""
    rng = np.random.default_rng(SEED + 1)
    for turn in range(NOISES):
        samples = rng.standard_normal(int(_NOTE_S * 22_050))
        spectrum = np.fft.rfft(samples) * np.maximum(1, np.arange(len(samples) // 2 + 1)) ** rng.uniform(-1.2, 0.4)
        shaped = np.fft.irfft(spectrum, len(samples))
        shaped *= np.interp(np.arange(len(samples)), np.linspace(0, len(samples), 9), rng.uniform(0.3, 1, 9))
        if turn % 8 == 0:
            shaped = 1e-3 * shaped / np.std(shaped) + np.where(rng.random(len(samples)) < 2e-4, 1.0, 0.0)
        yield family.NOTHING, (0.1 * shaped / np.std(shaped)).astype(np.float32)


def learn(heard: Sequence[tuple[np.ndarray, np.ndarray]], penalty: float) -> family.Judge:
    """Return the logistic model of least loss, each class as heavy as the next, weights held small.

    Source: the multinomial logistic regression of any textbook, by L-BFGS.
    """
    numbers, labels = (np.concatenate(part) for part in zip(*heard, strict=True))
    mean, scale = numbers.mean(axis=0), numbers.std(axis=0) + 1e-6
    rows = np.clip((numbers - mean) / scale, -family._FURTHEST, family._FURTHEST)
    classes = family.NOTHING + 1
    target = np.eye(classes)[labels]
    share = 1 / np.maximum(1, target.sum(axis=0))[labels] / classes
    shape = (rows.shape[1] + 1, classes)
    wide = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        logits = wide @ weights
        logits -= logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        shares = odds / odds.sum(axis=1, keepdims=True)
        held = np.vstack([weights[:-1], np.zeros((1, classes))])
        lost = -float((share * np.log(np.maximum((shares * target).sum(axis=1), 1e-12))).sum())
        slope = wide.T @ ((shares - target) * share[:, None]) + penalty * held
        return lost + 0.5 * penalty * float((held**2).sum()), slope.ravel()

    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 400}).x.reshape(
        shape
    )
    return family.Judge(mean, scale, found[:-1], found[-1])


def _say(text: str) -> None:
    sys.stderr.write(f"\r\033[K{text}")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
