"""`python -m benchmarks.harmony.usage`: count anew how often chords stand in their keys, processors/harmony/usage.npz.

Counted in the analysed chorales and madrigals that chords are learnt from; the textbook weighs as `MASS` chords more.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.harmony.material import analysed_works
from benchmarks.harmony.textbook import COSTS, UNUSUAL
from benchmarks.hearing.corpus import parsed
from processors.harmony import keys
from processors.harmony.keys import KINDS
from processors.harmony.labels import Harmony
from processors.harmony.roman import MAJOR, MINOR, kind_of

TARGET = Path(keys.__file__).with_name("usage.npz")
MASS = 300.0


def counted(paths: list[str]) -> dict[str, np.ndarray]:
    """How often each kind stands on each degree of its key, by mode, shape (12, kinds); long ones count for more."""
    found = {mode: np.zeros((12, len(KINDS))) for mode in (MAJOR, MINOR)}
    for path in paths:
        analysis = parsed(path)
        numerals = list(analysis.recurse().getElementsByClass("RomanNumeral"))
        places = [float(numeral.getOffsetInHierarchy(analysis)) for numeral in numerals]
        order = np.argsort(places, kind="stable")
        lengths = np.diff([*np.sort(places), max(places) + 1])
        usual = float(np.median(lengths[lengths > 0]))
        for at, length in zip(order, lengths, strict=True):
            if length > 0:
                numeral = numerals[at]
                root = numeral.root().pitchClass
                chord = Harmony(root, tuple(pitch.pitchClass for pitch in numeral.pitches), numeral.bass().pitchClass)
                place = (root - numeral.key.tonic.pitchClass) % 12, KINDS.index(kind_of(chord))
                found[numeral.key.mode][place] += np.clip(np.sqrt(length / usual), 0.5, 2)
    return found


def costs(counts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Minus the logarithm of how often, the textbook's part included."""
    found = {}
    for mode, times in counts.items():
        textbook = np.full((12, len(KINDS)), np.exp(-UNUSUAL))
        for (degree, kind), cost in COSTS[mode].items():
            textbook[degree, KINDS.index(kind)] = np.exp(-cost)
        shares = (times + MASS * textbook / textbook.sum()) / (times.sum() + MASS)
        found[mode] = -np.log(shares).astype(np.float32)
    return found


if __name__ == "__main__":
    np.savez(TARGET, **costs(counted([work.analysis for work in analysed_works() if work.analysis])))
