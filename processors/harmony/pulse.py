"""The beats and onsets that harmony leans on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from processors.audio.signal import Signal
from processors.rhythm.beats import beats_of
from processors.rhythm.onsets import onsets_of

_NEAR_S = 0.14


@dataclass(frozen=True, slots=True)
class Pulse:
    """Beat times in seconds and how sure they are, from 0 to 1; onsets, and how much each stands out, from 0 to 1."""

    beats_s: tuple[float, ...]
    downbeats_s: tuple[float, ...]
    confidence: float
    onsets_s: tuple[float, ...] = ()
    strengths: tuple[float, ...] = ()

    def placed(self, times_s: np.ndarray) -> np.ndarray:
        """Move times to onsets that are near: the strongest, the less it is away; in order as before."""
        moved = np.array(times_s, float)
        onsets, strengths = np.array(self.onsets_s), np.array(self.strengths)
        for at, time_s in enumerate(moved):
            first, behind = np.searchsorted(onsets, (time_s - _NEAR_S, time_s + _NEAR_S))
            if first < behind:
                here = slice(int(first), int(behind))
                fits = strengths[here] * (1 - np.abs(onsets[here] - time_s) / _NEAR_S)
                moved[at] = onsets[here][int(fits.argmax())]
        return np.maximum.accumulate(moved)


def pulse_of(signal: Signal) -> Pulse:
    """The beats and onsets of a signal; none where none can be heard."""
    found, onsets = signal.once(beats_of), signal.once(onsets_of)
    return Pulse(
        tuple(found.times_s.tolist()),
        tuple(found.times_s[found.downbeats].tolist()),
        found.confidence,
        tuple(onsets.times_s.tolist()),
        tuple(onsets.strengths.tolist()),
    )
