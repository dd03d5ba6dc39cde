"""Phrases: what is said in one breath, told by gaps, by rests and by regular lengths.

Source: Temperley 2001, "The Cognition of Basic Musical Structures": gaps, usual lengths and a parallel metre;
Cambouropoulos 2001 for how much a longer interval between onsets says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from processors.audio.signal import FRAME_RATE_HZ, Signal
from processors.rhythm.beats import Beats, beats_of
from processors.rhythm.onsets import Onsets, onsets_of
from processors.structure.grid import nearest
from processors.structure.parting import normal_lengths, parted

MOST = 4096
"""So many phrases are told, the first."""
_STEP_S = 0.25
_LONGEST_S, _USUAL_S, _SPREAD = 24.0, 6.0, 0.5
_BARS = {4: 0.0, 2: -0.5, 8: -1.0, 1: -2.0, 3: -2.0, 6: -2.0}
_UNEVEN = -3.5
_FORCED = 30.0
_DIP_DB, _MOST_DIPS, _LOCAL_S = 6.0, 3.0, 4.0
_LONG_GAP = 3.0
_ON_BAR, _OFF_BAR, _BIAS = 0.5, -1.0, -1.5
_RINGING_DB, _FLOOR_DB = 40.0, -80.0


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase in seconds and how sure it is, 0 to 1."""

    start_s: float
    end_s: float
    confidence: float


def phrases_of(signal: Signal, borders_s: np.ndarray) -> tuple[Phrase, ...]:
    """Part each section into phrases.

    borders_s: where sections begin, and the last one ends, shape (sections + 1,).
    """
    beats, onsets = signal.once(beats_of), signal.once(onsets_of)
    edges_s, per_bar = phrase_grid(beats, borders_s)
    level_db = 10 * np.log10(signal.mel_power + 1e-9)
    level_db = np.maximum(level_db - level_db.max(), _FLOOR_DB)
    begins_s = begun(onsets, edges_s[:-1], float(np.median(np.diff(edges_s))) / 2)
    odds = np.where(np.isnan(begins_s), 0.0, dips(level_db, edges_s)) + gaps(onsets, edges_s)
    odds += _BIAS + _on_bars(beats, edges_s, per_bar)
    odds = np.where(np.isin(edges_s[:-1], borders_s), _FORCED, odds)
    unit_s = float(np.median(np.diff(edges_s)))
    longest = min(len(odds), max(2, round(_LONGEST_S / unit_s)))
    regular = np.array([_regular(length, per_bar) for length in range(1, longest + 1)])
    lengths = normal_lengths(longest, unit_s=unit_s, usual_s=_USUAL_S, spread=_SPREAD, regular=regular)
    found = parted(odds, lengths)
    exact_s = np.where(np.isnan(begins_s) | np.isin(edges_s[:-1], borders_s), edges_s[:-1], begins_s)
    at_s = np.append(exact_s, edges_s[-1])[found.borders]
    told = zip(at_s[:-1].tolist(), at_s[1:].tolist(), found.probabilities.tolist(), strict=True)
    return tuple(Phrase(start, rest_from(level_db, start, end), sure) for start, end, sure in list(told)[:MOST])


def phrase_grid(beats: Beats, borders_s: np.ndarray) -> tuple[np.ndarray, int]:
    """Return where phrases may begin, borders of sections included, and how many such units a bar has, 0 without."""
    first_s, last_s = float(borders_s[0]), float(borders_s[-1])
    if len(beats.times_s) > 1:
        period_s = float(np.median(np.diff(beats.times_s)))
        before_s = np.arange(beats.times_s[0] - period_s, first_s, -period_s)[::-1]
        behind_s = np.arange(beats.times_s[-1] + period_s, last_s, period_s)
        inner_s = np.concatenate([before_s, beats.times_s, behind_s])
        per_bar = int(np.bincount(beats.lengths).argmax())
    else:
        period_s, per_bar = _STEP_S, 0
        inner_s = np.arange(first_s, last_s, period_s)
    inner_s = inner_s[(inner_s > first_s) & (inner_s < last_s)]
    clear = np.abs(inner_s - borders_s[nearest(borders_s, inner_s)]) > period_s / 2
    return np.sort(np.concatenate([borders_s, inner_s[clear]])), per_bar


def begun(onsets: Onsets, edges_s: np.ndarray, within_s: float) -> np.ndarray:
    """Return the onset nearest to each edge, in seconds; not a number where there is none within so many seconds."""
    if not len(onsets.times_s):
        return np.full(len(edges_s), np.nan)
    near_s = onsets.times_s[nearest(onsets.times_s, edges_s)]
    return np.where(np.abs(near_s - edges_s) < within_s, near_s, np.nan)


def dips(level_db: np.ndarray, edges_s: np.ndarray) -> np.ndarray:
    """Return how far the level falls just before each edge but the last, from what is usual around: 1 for 6 dB."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    unit_s = float(np.median(np.diff(edges_s)))
    width = max(1, round(unit_s * FRAME_RATE_HZ))
    around = uniform_filter1d(level_db, int(_LOCAL_S * FRAME_RATE_HZ) | 1, mode="nearest")
    lowest = minimum_filter1d(level_db, width, origin=(width - 1) // 2, mode="nearest")
    at = np.clip(np.rint(edges_s[:-1] * FRAME_RATE_HZ).astype(np.int64), 0, len(level_db) - 1)
    return np.asarray(np.clip((around[at] - lowest[at]) / _DIP_DB, 0, _MOST_DIPS))


def gaps(onsets: Onsets, edges_s: np.ndarray) -> np.ndarray:
    """Return by how many octaves the interval that ends near each edge but the last exceeds the usual one, 0 to 3."""
    found = np.zeros(len(edges_s) - 1)
    if len(onsets.times_s) < 3:
        return found
    intervals = np.diff(onsets.times_s)
    longer = np.clip(np.log2(intervals / np.median(intervals)), 0, _LONG_GAP)
    np.maximum.at(found, nearest(edges_s[:-1], onsets.times_s[1:]), longer)
    return found


def _on_bars(beats: Beats, edges_s: np.ndarray, per_bar: int) -> np.ndarray:
    if not per_bar:
        return np.zeros(len(edges_s) - 1)
    firsts_s = beats.times_s[beats.downbeats]
    return np.where(np.isin(edges_s[:-1], firsts_s), _ON_BAR, _OFF_BAR)


def _regular(units: int, per_bar: int) -> float:
    if not per_bar:
        return 0.0
    return _BARS.get(units // per_bar, _UNEVEN) if units % per_bar == 0 else _UNEVEN


def rest_from(level_db: np.ndarray, start_s: float, end_s: float) -> float:
    """Return where what sounds from a start is over: the last moment within 40 dB of its loudest, at most the end."""
    first = min(int(start_s * FRAME_RATE_HZ), len(level_db) - 1)
    part = level_db[first : max(first + 1, int(end_s * FRAME_RATE_HZ))]
    last = np.flatnonzero(part >= part.max() - _RINGING_DB)[-1]
    quiet = len(part) - 1 - int(last)
    return end_s if quiet < 2 else float((first + last + 1) / FRAME_RATE_HZ)
