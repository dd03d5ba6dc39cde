"""A sound cut into half beats, so that its pace does not matter."""

from __future__ import annotations

import numpy as np

from processors.audio.signal import Signal
from processors.rhythm.beats import beats_of

_EVEN_S = 0.3
"""Half a beat where no beat can be heard."""
PACES_S = (0.45, 0.45 * 2**0.5)
"""The shortest interval of beats that are kept as they are: closer ones count by twos, those twice as far apart are
halved, since a tracker, like people, may take either for the beat. Two paces, so that what lies at the border of one
is in the middle of the other."""
_MOST = 1 << 16


def half_beats_s(signal: Signal, shortest_s: float) -> np.ndarray:
    """Return the borders of half beats in seconds, from the beginning of a sound to its end, shape (n + 1,).

    shortest_s: see PACES_S.
    """
    times_s = signal.once(beats_of).times_s
    if len(times_s) < 4:
        return even_s(signal.duration_s, _EVEN_S)
    beats_s = extended(paced(times_s, shortest_s), signal.duration_s)
    return np.asarray(np.interp(np.arange(2 * len(beats_s) - 1) / 2, np.arange(len(beats_s)), beats_s))


def even_s(duration_s: float, step_s: float) -> np.ndarray:
    """Return borders that are evenly apart, at least two."""
    return np.arange(min(_MOST, max(2, int(duration_s / step_s) + 1))) * step_s


def paced(beats_s: np.ndarray, shortest_s: float) -> np.ndarray:
    """Return beats whose usual interval lies within the octave from `shortest_s`: some left out, or others put in."""
    octaves = int(np.floor(np.log2(float(np.median(np.diff(beats_s))) / shortest_s)))
    if octaves < 0:
        apart = 2**-octaves
        return beats_s[::apart] if len(beats_s) > 4 * apart else beats_s
    parts = 2**octaves
    return np.asarray(np.interp(np.arange(parts * (len(beats_s) - 1) + 1) / parts, np.arange(len(beats_s)), beats_s))


def extended(beats_s: np.ndarray, duration_s: float) -> np.ndarray:
    """Return beats with those before and behind that the first and the last interval lead to."""
    first_s, last_s = np.diff(beats_s[:5]).mean(), np.diff(beats_s[-5:]).mean()
    before = beats_s[0] - first_s * np.arange(min(_MOST, int(beats_s[0] / first_s)), 0, -1)
    behind = beats_s[-1] + last_s * np.arange(1, min(_MOST, int(max(0.0, duration_s - beats_s[-1]) / last_s)) + 1)
    return np.concatenate([before, beats_s, behind])


def means_between(values: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Return the means of rows between borders, which are places among them, shape (borders - 1, …).

    values: shape (rows, …); row k is all that lies from k - 0.5 to k + 0.5. Beyond the ends there is nothing.
    """
    rows = values.reshape(len(values), -1).astype(np.float64)
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    at = np.clip(borders + 0.5, 0, len(rows))
    below = np.minimum(at.astype(int), len(rows) - 1)
    reached = sums[below] + (at - below)[:, None] * rows[below]
    widths = np.maximum(np.diff(borders), 1e-9)[:, None]
    return np.asarray(np.diff(reached, axis=0) / widths).reshape(len(borders) - 1, *values.shape[1:])
