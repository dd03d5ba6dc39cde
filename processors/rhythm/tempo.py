"""Tempo: how it is spread before anything is heard, its course through the beats, and what a loop's length tells."""

from __future__ import annotations

import numpy as np

from processors.audio.signal import Signal
from processors.rhythm.evidence import Evidence
from processors.rhythm.novelty import RATE_HZ

SLOWEST_BPM, FASTEST_BPM = 38.0, 224.0
USUAL_BPM = 100.0
SPREAD_OCTAVES = 0.8
_PRIOR_PER_S = 0.008 * RATE_HZ
_CURVE_BEATS = 4
_CURVE_SLACK = 0.004
LONGEST_LOOP_S = 12.0
_LOOP_SLACK = 0.02
_LOOP_COST_PER_S = 4.0
_CLOSING = 0.12
_FADED = 0.003


def intervals() -> np.ndarray:
    """The beat intervals that are looked for, in frames, ascending."""
    return np.arange(round(60 * RATE_HZ / FASTEST_BPM), round(60 * RATE_HZ / SLOWEST_BPM) + 1)


def preference(beats_bpm: np.ndarray) -> np.ndarray:
    """Return the log-odds of tempi before anything is heard, a second of sound, at most 0."""
    octaves = np.log2(beats_bpm / USUAL_BPM) / SPREAD_OCTAVES
    return np.asarray(-_PRIOR_PER_S * 0.5 * octaves**2)


def interval_prior(signal: Signal, evidence: Evidence) -> np.ndarray:
    """Return the log-odds of each interval a beat; where the sound is a loop, of those that divide its length."""
    lengths = intervals()
    per_s = preference(60 * RATE_HZ / lengths)
    if looks_like_loop(signal, evidence):
        counts = np.array([4, 8, 16, 32])
        off = np.abs(np.log(lengths[:, None] / (signal.duration_s * RATE_HZ / counts))).min(axis=1)
        per_s = per_s - _LOOP_COST_PER_S * np.minimum(1, (np.maximum(0, off - 0.5 / lengths) / _LOOP_SLACK) ** 2)
    return np.asarray(per_s * lengths / RATE_HZ)


def looks_like_loop(signal: Signal, evidence: Evidence) -> bool:
    """Tell whether a short sound begins on an onset and ends without fading."""
    level = evidence.novelty.level
    if signal.duration_s > LONGEST_LOOP_S or len(level) < 32:
        return False
    begins = float(evidence.onset[:6].max()) > 2
    ends = float(level[-12:-2].mean()) > _FADED * float(np.percentile(level, 90))
    return begins and ends


def closed_tempo_bpm(times_s: np.ndarray, duration_s: float) -> float | None:
    """Return the tempo of beats that go on from the end of the sound to its beginning after whole bars; else None.

    Bars of four beats, or of three where there are twelve or twenty-four of them.
    """
    if len(times_s) < 4:
        return None
    period_s = float(np.polyfit(np.arange(len(times_s)), times_s, 1)[0])
    count = round(duration_s / period_s)
    missed = (times_s[0] + duration_s - times_s[-1]) / period_s
    closes = abs(duration_s / period_s - count) < _CLOSING and abs(missed - round(missed)) < 2 * _CLOSING
    whole = count % 4 == 0 or count in (6, 12, 24)
    return 60 * count / duration_s if closes and whole and times_s[0] < period_s else None


def tempo_curve_bpm(times_s: np.ndarray) -> np.ndarray:
    """Return the tempo at each beat, shape (beats,): the slope of the line through the four beats to each side.

    Nearer ones weigh more, and one that is off the line by a twelfth of a beat hardly counts.
    """
    count = len(times_s)
    slopes = np.empty(count)
    usual_s = float(np.median(np.diff(times_s)))
    for beat in range(count):
        first, last = max(0, beat - _CURVE_BEATS), min(count, beat + _CURVE_BEATS + 1)
        places = np.arange(first, last) - beat
        weights = 1 - (np.abs(places) / (_CURVE_BEATS + 1)) ** 2
        slope, middle = np.polyfit(places, times_s[first:last], 1, w=np.sqrt(weights))
        missed = (times_s[first:last] - middle - slope * places) / (usual_s / 12)
        slopes[beat] = np.polyfit(places, times_s[first:last], 1, w=np.sqrt(weights / (1 + missed**2)))[0]
    return 60 / np.maximum(slopes, 60 / (2 * FASTEST_BPM))


def knots(times_s: np.ndarray, tempi_bpm: np.ndarray, *, most: int = 4096) -> list[tuple[float, float]]:
    """Return the fewest (seconds, bpm), by halving, between which the tempo is even within 0.4 %.

    Source: Ramer 1972, Douglas & Peucker 1973.
    """
    if not len(times_s):
        return []
    kept, open_spans = {0, len(times_s) - 1}, [(0, len(times_s) - 1)]
    while open_spans and len(kept) < most:
        first, last = open_spans.pop()
        inner = np.arange(first + 1, last)
        if not inner.size:
            continue
        even = np.interp(times_s[inner], times_s[[first, last]], tempi_bpm[[first, last]])
        off = np.abs(tempi_bpm[inner] / even - 1)
        if off.max() > _CURVE_SLACK:
            middle = int(inner[off.argmax()])
            kept.add(middle)
            open_spans += [(first, middle), (middle, last)]
    return [(round(float(times_s[beat]), 3), round(float(tempi_bpm[beat]), 2)) for beat in sorted(kept)]
