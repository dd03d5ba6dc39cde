"""The likeliest way to part units into sections: how borders are told, and how long sections are.

A semi-Markov model of segments whose lengths follow a law. Source: Sargent, Bimbot & Vincent 2017, "Estimating the
structural segmentation of popular music pieces under regularity constraints"; Yu 2010 for the recursions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_USUAL_S, _SPREAD, _LONG_S = 16.0, 0.6, 64.0
_BARS = {8: 0.0, 16: -0.7, 4: -0.7, 12: -1.0, 6: -1.7, 10: -1.7}
"""Log of how common sections of so many bars are beside those of eight."""
_FOURS, _EVEN, _ODD = -1.2, -2.2, -3.0


@dataclass(frozen=True, slots=True)
class Parting:
    """Borders as indices of units, from 0 to how many there are, and how probable each part is, shape (parts,)."""

    borders: np.ndarray
    probabilities: np.ndarray


def section_lengths(units: int, *, unit_s: float, bars: int) -> np.ndarray:
    """Return the log-probability of a section to have 1, 2, … units, shape (units,), 1 in all.

    Most are about sixteen seconds; of bars, eight, less often four or sixteen, and rarely odd numbers. Past a minute it
    falls with every second, or one section of an hour would be likelier than hundreds.
    bars: how many bars a unit is, 0 where it is none.
    """
    regular = np.array([_regular(length * bars) if bars else 0.0 for length in range(1, units + 1)])
    regular -= np.maximum(0, np.arange(1, units + 1) * unit_s - _LONG_S) / _USUAL_S
    return normal_lengths(units, unit_s=unit_s, usual_s=_USUAL_S, spread=_SPREAD, regular=regular)


def normal_lengths(units: int, *, unit_s: float, usual_s: float, spread: float, regular: np.ndarray) -> np.ndarray:
    """Return the log-probability of 1, 2, … units by a normal law of the logarithm of seconds, shape (units,).

    spread: of the natural logarithm. regular: what to add by how many units it is, shape (units,).
    """
    odds = regular - 0.5 * (np.log(np.arange(1, units + 1) * unit_s / usual_s) / spread) ** 2
    return np.asarray(odds - np.logaddexp.reduce(odds))


def _regular(bars: int) -> float:
    return _BARS.get(bars, _ODD if bars % 2 else _EVEN if bars % 4 else _FOURS)


def parted(odds: np.ndarray, lengths: np.ndarray) -> Parting:
    """Return the likeliest borders and how probable each part between them is.

    odds: log-likelihood ratio of a border before each unit, shape (units,), the first unused. lengths: log-probability
    of parts of 1, 2, … units, shape (longest,); none is longer.
    """
    units = len(odds)
    gains = np.append(odds, 0.0)
    sums, best, back = np.full(units + 1, -np.inf), np.full(units + 1, -np.inf), np.zeros(units + 1, np.int64)
    sums[0] = best[0] = 0.0
    for end in range(1, units + 1):
        first = max(0, end - len(lengths))
        law = lengths[: end - first][::-1]
        sums[end] = np.logaddexp.reduce(sums[first:end] + law) + gains[end]
        reached = best[first:end] + law
        back[end] = first + reached.argmax()
        best[end] = reached.max() + gains[end]
    ahead = sums_ahead(gains, lengths)
    borders = [units]
    while borders[-1]:
        borders.append(int(back[borders[-1]]))
    at = np.array(borders[::-1])
    starts, ends = at[:-1], at[1:]
    within = sums[starts] + lengths[ends - starts - 1] + gains[ends] + ahead[ends] - sums[units]
    return Parting(at, np.exp(np.minimum(0.0, within)))


def sums_ahead(gains: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the log of the weight of all ways to part what lies behind each border, shape (units + 1,).

    gains: of each border, shape (units + 1,).
    """
    units = len(gains) - 1
    found = np.full(units + 1, -np.inf)
    found[units] = 0.0
    for start in range(units - 1, -1, -1):
        behind = min(units, start + len(lengths)) + 1
        ways = gains[start + 1 : behind] + found[start + 1 : behind] + lengths[: behind - start - 1]
        found[start] = np.logaddexp.reduce(ways)
    return found
