"""Where phrases come to rest, and how. Knows numerals and times only, whatever they come from.

Source: Caplin 1998, "Classical Form", and Piston & DeVoto 1987 for the kinds; London 2012 for rest where a chord lasts
longer than those around it and begins on a downbeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from processors.harmony.roman import Numeral

Kind = Literal["authentic", "half", "plagal", "deceptive"]
_LONG = 1.4
_NEAR_S = 0.12
_LEAST = 0.4
_AROUND = 8


@dataclass(frozen=True, slots=True)
class Cadence:
    """A cadence: when its last chord begins, its kind, which chord that is, how sure it is, from 0 to 1."""

    at_s: float
    kind: Kind
    chord: int
    confidence: float


def find_cadences(
    numerals: Sequence[Numeral | None],
    spans_s: Sequence[tuple[float, float]],
    *,
    downbeats_s: Sequence[float] = (),
    phrase_ends_s: Sequence[float] = (),
) -> list[Cadence]:
    """Return the cadences among chords: pairs of chords that close, where the second is a point of rest.

    spans_s: start and end of each chord. A chord is a point of rest as far as it is long among those around, precedes
    silence, the end or a phrase's end, and begins on a downbeat, where those are known.
    """
    rests = _rests(numerals, spans_s, downbeats_s, phrase_ends_s)
    found = []
    for at in range(1, len(numerals)):
        before, here = numerals[at - 1], numerals[at]
        if before is None or here is None:
            continue
        kind, strength = _kind(before, here)
        confidence = strength * rests[at]
        if kind and confidence >= _LEAST:
            found.append(Cadence(spans_s[at][0], kind, at, round(float(confidence), 3)))
    return found


def _kind(before: Numeral, here: Numeral) -> tuple[Kind | None, float]:
    """How two chords close a phrase, and how strongly: root position counts most."""
    grounded = 1.0 if _root_position(here) else 0.6
    if _is_dominant(before) and here.degree == 0 and not here.applied and here.function == "T":
        leading = 1.0 if before.degree == 7 and _root_position(before) else 0.7
        return "authentic", grounded * leading
    if _is_dominant(before) and before.degree == 7 and here.degree in (8, 9) and not here.applied:
        return "deceptive", 0.9 * grounded
    if before.degree == 5 and before.function == "S" and here.degree == 0 and here.function == "T":
        return "plagal", 0.7 * grounded
    if here.degree == 7 and here.kind in ("maj", "7") and not here.applied and before.degree != 7:
        return "half", (0.8 if here.kind == "maj" else 0.5) * grounded
    return None, 0.0


def _is_dominant(numeral: Numeral) -> bool:
    return not numeral.applied and numeral.degree in (7, 11) and numeral.kind in ("maj", "7", "dim", "dim7", "hdim7")


def _root_position(numeral: Numeral) -> bool:
    return not any(figure in numeral.figure for figure in ("6", "4/3", "2"))


def _rests(
    numerals: Sequence[Numeral | None],
    spans_s: Sequence[tuple[float, float]],
    downbeats_s: Sequence[float],
    phrase_ends_s: Sequence[float],
) -> np.ndarray:
    """How much each chord is a point of rest, from 0 to 1, shape (chords,)."""
    lengths = np.array([end - start for start, end in spans_s])
    rests = np.zeros(len(lengths))
    downbeats, ends = np.asarray(downbeats_s, float), np.asarray(phrase_ends_s, float)
    for at, (start_s, end_s) in enumerate(spans_s):
        usual = float(np.median(lengths[max(0, at - _AROUND) : at + _AROUND + 1]))
        long = np.clip((lengths[at] / max(usual, 1e-9) - 1) / (_LONG - 1), 0, 1)
        last = at + 1 == len(lengths) or numerals[at + 1] is None
        phrase = bool(len(ends)) and bool(np.any((ends > start_s) & (ends <= end_s + _NEAR_S)))
        accented = not len(downbeats) or bool(np.min(np.abs(downbeats - start_s)) < _NEAR_S)
        rests[at] = max(float(long), 0.9 * last, 1.0 * phrase) * (1.0 if accented else 0.7)
    return rests
