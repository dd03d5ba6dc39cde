"""The units that form is made of: bars where they are heard, else half seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from processors.audio.signal import FRAME_RATE_HZ, Signal
from processors.rhythm.beats import Beats, beats_of

STEP_S = 0.5
MOST_UNITS = 2048
"""However long a sound is: neighbours are taken together where there would be more, so that what compares all with all
is bounded."""
PHRASE_S = 8.0
_LEAST_BARS, _LEAST_CONFIDENCE = 6, 0.25
_SILENT_DB = -60.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Units between edges in seconds, shape (units + 1,).

    bars: how many bars a unit is, 0 where it is none. slots: parts a unit is looked at in. phrase: units that last
    about eight seconds, a power of two.
    """

    edges_s: np.ndarray
    bars: int
    slots: int
    phrase: int

    @property
    def units(self) -> int:
        """How many."""
        return len(self.edges_s) - 1

    @property
    def unit_s(self) -> float:
        """How long one usually is, in seconds."""
        return float(np.median(np.diff(self.edges_s)))

    @property
    def slot_edges_s(self) -> np.ndarray:
        """Where the parts of units begin and end, in seconds, shape (units * slots + 1,)."""
        places = np.arange(self.units * self.slots + 1) / self.slots
        return np.asarray(np.interp(places, np.arange(self.units + 1), self.edges_s))


def grid_of(signal: Signal) -> Grid | None:
    """Lay bars, else half seconds, from where a sound begins to where it ends; None below a second."""
    start_s, end_s = sounding(signal)
    if end_s - start_s < 2 * STEP_S:
        return None
    bars_s = bar_edges(signal.once(beats_of), start_s, end_s)
    return even_grid(start_s, end_s) if bars_s is None else laid(bars_s, barred=True)


def even_grid(start_s: float, end_s: float) -> Grid:
    """Lay half seconds; what is left belongs to the last."""
    return laid(np.append(np.arange(start_s, end_s - STEP_S, STEP_S), end_s), barred=False)


def laid(edges_s: np.ndarray, *, barred: bool) -> Grid:
    """Make a grid of the edges of bars, or of other units."""
    edges_s, together = gathered(edges_s)
    unit_s = float(np.median(np.diff(edges_s)))
    phrase = int(2 ** np.clip(np.rint(np.log2(PHRASE_S / unit_s)), 1, 4))
    return Grid(edges_s, together if barred else 0, 4 if barred else 1, phrase)


def gathered(edges_s: np.ndarray) -> tuple[np.ndarray, int]:
    """Take neighbours together as far as there are more than MOST_UNITS; return the edges left, and how many those are.

    edges_s: shape (n,), the last one stays.
    """
    together = -(-(len(edges_s) - 1) // MOST_UNITS)
    return np.append(edges_s[:-1:together], edges_s[-1]), together


def sounding(signal: Signal) -> tuple[float, float]:
    """Return from when to when, in seconds, a sound is within 60 dB of its loudest; nothing of silence."""
    power = signal.mel_power
    heard = np.flatnonzero(power > max(1e-9, float(power.max(initial=0.0)) * 10 ** (_SILENT_DB / 10)))
    if not heard.size:
        return 0.0, 0.0
    return float(heard[0] / FRAME_RATE_HZ), min(signal.duration_s, float((heard[-1] + 1) / FRAME_RATE_HZ))


def bar_edges(beats: Beats, start_s: float, end_s: float) -> np.ndarray | None:
    """Return where bars begin and the last one ends, both ends included; None where too few are heard for sure.

    What is less than half a bar at either end belongs to its neighbour; longer stretches there are cut into bars.
    """
    firsts_s = beats.times_s[beats.downbeats]
    if len(firsts_s) <= _LEAST_BARS or beats.confidence < _LEAST_CONFIDENCE:
        return None
    bar_s = float(np.median(np.diff(firsts_s)))
    before_s = np.arange(firsts_s[0] - bar_s, start_s, -bar_s)[::-1]
    behind_s = np.arange(firsts_s[-1] + bar_s, end_s, bar_s)
    inner_s = np.concatenate([before_s, firsts_s, behind_s])
    inner_s = inner_s[(inner_s > start_s + bar_s / 2) & (inner_s < end_s - bar_s / 2)]
    return np.concatenate([[start_s], inner_s, [end_s]])


def means(values: np.ndarray, rate_hz: float, edges_s: np.ndarray) -> np.ndarray:
    """Return the mean of frames between edges, at least of one, shape (len(edges_s) - 1, …).

    values: shape (frames, …), frame k at k / rate_hz seconds.
    """
    starts = np.clip(np.rint(edges_s[:-1] * rate_hz).astype(np.int64), 0, len(values) - 1)
    end = int(np.clip(np.rint(edges_s[-1] * rate_hz), starts[-1] + 1, len(values)))
    lengths = np.maximum(1, np.diff(starts, append=end)).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(np.add.reduceat(values[:end], starts, axis=0) / lengths, np.float64)


def nearest(places: np.ndarray, sought: np.ndarray) -> np.ndarray:
    """Return the index of the place nearest to each that is sought, shape of `sought`; places ascend."""
    behind = np.clip(np.searchsorted(places, sought), 1, max(1, len(places) - 1))
    if len(places) < 2:
        return np.zeros(len(sought), np.int64)
    return np.where(sought - places[behind - 1] <= places[behind] - sought, behind - 1, behind)
