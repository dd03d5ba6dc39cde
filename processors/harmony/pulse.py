"""The beats that harmony leans on."""

from __future__ import annotations

from dataclasses import dataclass

from processors.audio.signal import Signal
from processors.rhythm.beats import beats_of


@dataclass(frozen=True, slots=True)
class Pulse:
    """Beat times in seconds and how sure they are, from 0 to 1."""

    beats_s: tuple[float, ...]
    downbeats_s: tuple[float, ...]
    confidence: float


def pulse_of(signal: Signal) -> Pulse:
    """The beats of a signal; none where none can be heard."""
    found = signal.once(beats_of)
    return Pulse(tuple(found.times_s.tolist()), tuple(found.times_s[found.downbeats].tolist()), found.confidence)
