"""Clicks: what lasts a millisecond and leaves the sound as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from processors.quality.faults import Fault, Piece, merged, share

SURROUNDINGS_S = 0.04
LONGEST_S = 0.0015
STANDS_OUT = 4.0
"""By how much a click's prediction error exceeds the largest of its surroundings: 14 standard deviations of noise."""
_SAME = 2.0
"""What is behind within a few milliseconds is that much louder at most; what is played goes on for longer."""
_FAINT = 1 / 40
_GONE = 0.05
_BESIDE = 0.35
"""Of its height so little is left within two bins of 16 samples; a rim shot or a pair of sticks lasts longer."""
_QUIETEST = 0.005
_RINGS = (8, 40)
_BEFORE = 64
_APART_S = 0.002
_EDGE_S = 0.004


@dataclass
class Clicks:
    """Gathers clicks as (start, end, by how much it stands out) in samples."""

    clicks: list[tuple[int, int, float]] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        """Look where linear prediction fails for a moment that is short, alone, and without consequence.

        A drum hit or a plucked string goes on sounding: what comes behind is louder than what was before.
        Source: Godsill and Rayner 1998, "Digital Audio Restoration", chapter 5: detection by the residual of an
        autoregressive model; the threshold here is the surroundings' largest error, not their variance, since music's
        errors come in bursts.
        """
        from processors.quality.scanning import BIN, residual_peaks

        wide, narrow = (round(length * piece.rate_hz / BIN) for length in (SURROUNDINGS_S, LONGEST_S))
        for samples in piece.samples:
            peaks = residual_peaks(samples)
            for at in _candidates(peaks, wide, narrow):
                place = at * BIN
                if (
                    piece.margin <= place < piece.margin + piece.frames
                    and _alone(peaks, at, wide, narrow)
                    and _over(samples, place)
                ):
                    begin = piece.start + place - piece.margin
                    self.clicks.append((begin, begin + BIN, float(peaks[at])))

    def found(self, rate_hz: int, *, beside: Sequence[Fault] = ()) -> tuple[int, list[Fault]]:
        """How many there are and where; the edges of dropouts (`beside`) click, but are told already."""
        spans = merged([click[:2] for click in self.clicks], round(_APART_S * rate_hz))
        height = {start: high for start, _, high in self.clicks}
        faults = [
            Fault("click", start / rate_hz, end / rate_hz, share(height[start], 0, 0.5) ** 0.5, 0.9)
            for start, end in spans
        ]
        edges = np.sort([at for gap in beside for at in (gap.start_s, gap.end_s)])
        kept = [fault for fault in faults if not _within(edges, fault.start_s, _EDGE_S)]
        return len(kept), kept


def _within(places: np.ndarray, at: float, reach: float) -> bool:
    """Whether one of the sorted places lies so near."""
    first, behind = np.searchsorted(places, (at - reach, at + reach))
    return bool(behind > first)


def _candidates(peaks: np.ndarray, wide: int, narrow: int) -> np.ndarray:
    """Bins that stand out of all within `wide` but those within `narrow`."""
    from scipy.ndimage import maximum_filter1d

    if len(peaks) <= 2 * wide:
        return np.zeros(0, int)
    span = wide - narrow
    sides = maximum_filter1d(peaks, span, mode="constant")
    shift = narrow + span // 2 + 1
    beside = np.zeros_like(peaks)
    beside[shift:] = sides[:-shift]
    beside[:-shift] = np.maximum(beside[:-shift], sides[shift:])
    highest = maximum_filter1d(peaks, 2 * narrow + 1, mode="constant")
    return np.flatnonzero((peaks >= STANDS_OUT * beside) & (peaks >= _QUIETEST) & (peaks >= highest))


def _over(samples: np.ndarray, place: int) -> bool:
    """Whether it is over at once: the bends of the wave behind it, as before it, are slight; a tick rings."""
    from processors.quality.scanning import BIN

    first = max(0, place - _BEFORE)
    bends = np.abs(np.diff(samples[first : place + BIN + _RINGS[1]], 2))
    if len(bends) < _RINGS[1]:
        return False
    most = int(np.argmax(bends[: place - first + BIN]))
    behind, ahead = (
        bends[most + _RINGS[0] : most + _RINGS[1]],
        bends[max(0, most - _RINGS[1]) : max(0, most - _RINGS[0])],
    )
    return float(max(behind.max(initial=0), ahead.max(initial=0))) <= _BESIDE * float(bends[most])


def _alone(peaks: np.ndarray, at: int, wide: int, narrow: int) -> bool:
    """Whether the errors behind are no larger than before, and those right beside are not of a longer burst."""
    near = peaks[at - 2 : at + 3]
    if len(near) < 5 or max(near[0], near[4], min(near[1], near[3])) > _BESIDE * near[2]:
        return False
    reach = max(1, wide // 5)
    before = peaks[max(0, at - narrow - reach) : at - narrow]
    after = peaks[at + narrow + 1 : at + narrow + reach + 1]
    if not before.size or not after.size:
        return False
    if after.mean() < _GONE * before.mean():  # the sound ends there
        return False
    return float(after.mean()) <= _SAME * float(before.mean()) + _FAINT * float(peaks[at])
