"""Swing: how beats are divided."""

from __future__ import annotations

import numpy as np

from processors.rhythm.onsets import Onsets

_FIRST_THIRD, _SECOND_HALF = (0.26, 0.41), (0.43, 0.73)
_LEAST_SHARE = 0.15
_LEAST_BEATS = 6
_LEAST_THIRDS = 0.35


def places_in_beats(onsets: Onsets, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of each onset between the first beat and the last its beat, its place in it, 0 to 1, and its strength."""
    inside = (onsets.times_s >= times_s[0]) & (onsets.times_s < times_s[-1])
    at_s = onsets.times_s[inside]
    beats = np.searchsorted(times_s, at_s, side="right") - 1
    return beats, (at_s - times_s[beats]) / (times_s[beats + 1] - times_s[beats]), onsets.strengths[inside]


def goes_in_threes(onsets: Onsets, times_s: np.ndarray) -> bool:
    """Tell whether beats have a first third too, as in compound metres, and not a late half alone, as in swing."""
    beats, places, _ = places_in_beats(onsets, times_s)
    first, second = (np.unique(beats[_within(places, span)]).size for span in (_FIRST_THIRD, (0.6, 0.74)))
    return first > _LEAST_THIRDS * max(1, second)


def swing_of(onsets: Onsets, times_s: np.ndarray) -> float | None:
    """Return the share of a beat that its first half takes, 0.5 straight; None where too few beats are halved."""
    beats, places, strengths = places_in_beats(onsets, times_s)
    halves = _within(places, _SECOND_HALF)
    if np.unique(beats[halves]).size < max(_LEAST_BEATS, _LEAST_SHARE * len(times_s)):
        return None
    order = np.argsort(places[halves])
    reached = np.cumsum(strengths[halves][order])
    return float(places[halves][order][np.searchsorted(reached, reached[-1] / 2)])


def _within(places: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    return np.asarray((places >= span[0]) & (places <= span[1]))
