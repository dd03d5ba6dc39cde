"""Which beats begin a bar, and of how many beats bars are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from processors.rhythm.evidence import Evidence, saturated, standing_out, unit
from processors.rhythm.novelty import RATE_HZ

_WEIGHTS = {
    "attack": 0.1, "bass": 0.2, "level": 0.11, "length": 0.26,
    "chord": 0.37, "bass_note": 0.1, "harmony": 0.19, "bass_line": 0.2,
}  # fmt: skip
"""What each sign, in standard deviations over its surroundings, adds to the log-odds of a bar's first beat.

Fitted by logistic regression on rendered scores and arrangements with known bars.
"""
_BIAS = -0.08
_BEATS_PER_BAR = (2, 3, 4)
_SHARES = {False: (0.2, 0.3, 0.5), True: (0.7, 0.1, 0.2)}
"""How common bars of 2, 3 and 4 beats are, where beats are halved and where they go in threes."""
_CHANGE = 8.0
_OPENING = 1.0
_REPEAT = 0.2
_NEAR = 3
_PARTS = (0.0, 0.25, 1 / 3, 0.5, 2 / 3, 0.75)
_LONGEST_S = 1.2


class Bars(NamedTuple):
    """Each beat's place in its bar from 0, and how many beats its bar has, shape (beats,) each; how sure, 0 to 1."""

    places: np.ndarray
    lengths: np.ndarray
    confidence: float


def find_bars(times_s: np.ndarray, evidence: Evidence, *, compound: bool) -> Bars:
    """Find the bars that beats make, at least two of them.

    Source: Papadopoulos & Peeters 2011: accents, bass and change of harmony, by Viterbi over the places of bars.
    """
    odds = downbeat_odds(times_s, evidence)
    repeats = repetition(times_s, evidence)
    return likeliest_bars(odds, repeats, np.array(_SHARES[compound]))


def downbeat_odds(times_s: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Return the log-odds of each beat to begin a bar, shape (beats,)."""
    signs = beat_signs(times_s, evidence)
    return np.asarray(sum(weight * locally_standard(signs[name]) for name, weight in _WEIGHTS.items()) + _BIAS)


def beat_signs(times_s: np.ndarray, evidence: Evidence) -> dict[str, np.ndarray]:
    """Measure at each beat what may tell a bar's first: accents, and how harmony changes from one and two beats ago."""
    from scipy.ndimage import maximum_filter1d

    frames = np.clip(np.rint(times_s * RATE_HZ).astype(int), 0, len(evidence.onset) - 1)

    def near(values: np.ndarray, reach: int = _NEAR) -> np.ndarray:
        return np.asarray(maximum_filter1d(values, 2 * reach + 1)[frames])

    period_s = float(np.median(np.diff(times_s)))
    level = near(evidence.novelty.level, 4).astype(np.float64)
    chord, harmony = changes(times_s, evidence.novelty.chroma)
    bass_note, bass_line = changes(times_s, evidence.novelty.bass_chroma)
    return {
        "attack": np.log1p(near(evidence.attack)),
        "bass": np.log1p(near(evidence.bass)),
        "level": np.log(level + 1e-6 * float(level.max()) + 1e-12),
        "length": np.minimum(near(onset_lengths_s(evidence.onset)), 3 * period_s),
        "chord": chord,
        "bass_note": bass_note,
        "harmony": harmony,
        "bass_line": bass_line,
    }


def changes(times_s: np.ndarray, chroma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much pitch classes differ from the beat before, and two beats from the two before, 0 to 1."""
    rate_hz = RATE_HZ / 2
    edges_s = np.append(times_s, times_s[-1] + np.median(np.diff(times_s)))
    starts = np.clip(((edges_s[:-1] + 0.03) * rate_hz).astype(int), 0, len(chroma) - 1)
    ends = np.clip((edges_s[1:] * rate_hz).astype(int), starts + 1, len(chroma))
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma, axis=0, dtype=np.float64)])
    beats = unit(standing_out((sums[ends] - sums[starts]) / (ends - starts)[:, None]))
    pairs = unit(beats + np.concatenate([beats[1:], beats[-1:]]))
    before = np.concatenate([pairs[:1], pairs[:1], pairs[:-2]])[: len(pairs)]
    one = 1 - (beats * np.concatenate([beats[:1], beats[:-1]])).sum(axis=1)
    return one, 1 - (pairs * before).sum(axis=1)


def onset_lengths_s(onset: np.ndarray) -> np.ndarray:
    """Return at each onset how long it is until one of a third of its prominence, at most 1.2 s; 0 elsewhere."""
    from scipy.ndimage import maximum_filter1d

    peaks = np.flatnonzero((onset >= maximum_filter1d(onset, 9)) & (onset > 1.5))
    lengths = np.full(len(peaks), _LONGEST_S)
    for step in range(12, 0, -1):
        later = peaks[step:]
        counts = onset[later] > 0.3 * onset[peaks[: len(later)]]
        gaps = (later - peaks[: len(later)]) / RATE_HZ
        lengths[: len(later)] = np.where(counts, np.minimum(gaps, _LONGEST_S), lengths[: len(later)])
    found = np.zeros(len(onset))
    found[peaks] = lengths
    return found


def locally_standard(values: np.ndarray) -> np.ndarray:
    """Return values in standard deviations from the mean of the 17 beats around, within 3."""
    from scipy.ndimage import uniform_filter1d

    off = values - uniform_filter1d(values, 17, mode="nearest")
    spread = np.sqrt(np.maximum(0, uniform_filter1d(off**2, 33, mode="nearest")))
    return np.asarray(np.clip(off / (spread + 0.05 * values.std() + 1e-3), -3, 3))


def repetition(times_s: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Return how alike beats are that are 2, 3 and 4 beats apart, and twice that, -1 to 1 about, shape (3,)."""
    from scipy.ndimage import maximum_filter1d

    steps = np.append(np.diff(times_s), np.median(np.diff(times_s)))
    at = [np.rint((times_s + part * steps) * RATE_HZ).astype(int) for part in _PARTS]
    frames = np.clip(np.stack(at, axis=1), 0, len(evidence.onset) - 1)
    attack, bass = (np.log1p(maximum_filter1d(values, 5)) for values in (evidence.attack, evidence.bass))
    table = np.concatenate([attack[frames], bass[frames[:, [0, 3]]]], axis=1)
    table = (table - table.mean(axis=0)) / (table.std(axis=0) + 1e-6)

    def alike(lag: int) -> float:
        return float((table[:-lag] * table[lag:]).mean()) if len(table) > 2 * lag else 0.0

    return np.array([(alike(lag) + alike(2 * lag)) / 2 for lag in _BEATS_PER_BAR])


def likeliest_bars(odds: np.ndarray, repeats: np.ndarray, shares: np.ndarray) -> Bars:
    """Return the likeliest bars: a bar's length may change at its end, for a price."""
    lengths = np.repeat(_BEATS_PER_BAR, _BEATS_PER_BAR)
    places = np.concatenate([np.arange(length) for length in _BEATS_PER_BAR])
    share = np.repeat(np.log(shares), _BEATS_PER_BAR)
    follows = (lengths[:, None] == lengths) & (places == (places[:, None] + 1) % lengths)
    breaks = np.where(places == 0, share - _CHANGE, -np.inf)
    steps = np.where(follows, 0.0, breaks[None, :])
    gains = np.where(places == 0, odds[:, None], 0.0) + _REPEAT * np.repeat(repeats, _BEATS_PER_BAR)
    score = 4 * share - np.log(lengths) + np.where(places == 0, _OPENING, 0.0) + gains[0]
    back = np.zeros(gains.shape, np.int8)
    for beat in range(1, len(gains)):
        reached = score[:, None] + steps
        back[beat] = reached.argmax(axis=0)
        score = reached.max(axis=0) + gains[beat]
    path = np.empty(len(gains), np.int64)
    path[-1] = score.argmax()
    for beat in range(len(gains) - 1, 0, -1):
        path[beat - 1] = back[beat, path[beat]]
    return Bars(places[path], lengths[path], _bar_confidence(odds, places[path], lengths[path]))


def _bar_confidence(odds: np.ndarray, places: np.ndarray, lengths: np.ndarray) -> float:
    """How far the bars' first beats stand out of the place in the bar that stands out most of the others."""
    held = [odds[places == place] for place in range(int(np.bincount(lengths).argmax()))]
    means = [float(here.mean()) for here in held if here.size]
    lead = means[0] - max(means[1:], default=means[0])
    return float(saturated(np.array(max(0.0, lead)), 0.3))
