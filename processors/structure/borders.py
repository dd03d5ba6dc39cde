"""Where something else begins: signs of a border at the beginning of each unit, and the odds that they add up to."""

from __future__ import annotations

import numpy as np

from processors.structure.content import Content
from processors.structure.grid import Grid
from processors.structure.likeness import passages, texture_likeness

SIGNS = {"sound": 0.02, "repeat": 0.02, "long_repeat": 0.02, "accent": 1.0}
"""Each sign, and the spread below which it is taken for nothing."""
_WEIGHTS = {"sound": 1.5, "repeat": 1.6, "long_repeat": 0.8, "accent": 0.9}
_BIAS = -3.7
"""Of the log-likelihood ratio; fitted on rendered arrangements, see benchmarks/hearing/form.py."""
_FITTED_PHRASE = 4


def border_odds(content: Content, grid: Grid) -> np.ndarray:
    """Return the log-likelihood ratio of a border before each unit, shape (units,).

    It was fitted for bars, of which a phrase has four; where units are shorter, several share what a border shows.
    """
    signs = border_signs(content, grid)
    shared = 0.0 if grid.bars else np.log(grid.phrase / _FITTED_PHRASE)
    return np.asarray(signs @ np.array([_WEIGHTS[name] for name in SIGNS]) + _BIAS + shared)


def border_signs(content: Content, grid: Grid) -> np.ndarray:
    """Measure signs of a border before each unit, shape (units, len(SIGNS)), each in what is usual in the piece.

    sound: novelty over a phrase, above that around; Foote 2000. repeat, long_repeat: a repeat of a phrase or two
    begins or ends, above how much around; after Serrà et al. 2014. accent: more of high bands than at the beginnings of
    units around, as a crash has.
    """
    likeness, phrase = texture_likeness(content), grid.phrase
    columns = (
        peaked(novelty(likeness, phrase), phrase),
        peaked(repeats_edge(passages(content, likeness, phrase), phrase), phrase),
        peaked(repeats_edge(passages(content, likeness, 2 * phrase), 2 * phrase), phrase),
        accents(content.high_db[:, 0], phrase),
    )
    least = SIGNS.values()
    return np.stack([usual(column, spread) for column, spread in zip(columns, least, strict=True)], axis=1)


def peaked(values: np.ndarray, width: int) -> np.ndarray:
    """Return values above the mean of so many around."""
    from scipy.ndimage import uniform_filter1d

    return np.asarray(values - uniform_filter1d(values, width | 1, mode="nearest"))


def novelty(likeness: np.ndarray, width: int) -> np.ndarray:
    """Return how much more alike units are on either side than across, up to `width` to each, shape (units,)."""
    units = len(likeness)
    found = np.zeros(units)
    for at in range(1, units):
        before, behind = slice(max(0, at - width), at), slice(at, min(units, at + width))
        sums, pairs = zip(*(_among(likeness[side, side]) for side in (before, behind)), strict=True)
        if sum(pairs):
            found[at] = sum(sums) / sum(pairs) - likeness[before, behind].mean()
    return found


def _among(likeness: np.ndarray) -> tuple[float, int]:
    """The sum over pairs of different units, and how many there are."""
    return float(likeness.sum() - np.trace(likeness)), len(likeness) * (len(likeness) - 1)


def repeats_edge(ahead: np.ndarray, length: int) -> np.ndarray:
    """Return by how much a repeat of another passage begins at each unit, and one ends there, shape (units,).

    ahead: as `passages` gives it for `length`.
    """
    units = len(ahead)
    found = np.zeros(units)
    for at in range(1, units):
        back = min(length, at)
        behind = np.zeros(units, ahead.dtype)
        behind[back:] = ahead[at - back, : units - back]
        change = np.maximum(0, ahead[at]) - np.maximum(0, behind)
        found[at] = change.max() - change.min()
    return found


def accents(high_db: np.ndarray, reach: int) -> np.ndarray:
    """Return by how many dB high bands exceed the median around, shape (units,)."""
    from scipy.ndimage import median_filter

    return np.asarray(np.maximum(0, high_db - median_filter(high_db, 2 * reach + 1, mode="nearest")))


def usual(values: np.ndarray, least: float) -> np.ndarray:
    """Return how far values exceed their median, in units of their spread, at least `least`, at most 4."""
    off = values - np.median(values)
    return np.asarray(np.clip(off / max(float(off.std()), least), 0, 4))
