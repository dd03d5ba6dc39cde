"""Onsets: when something begins, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.ports import Blobs
from events.imports import AudioAdded
from events.rhythm import OnsetsFound
from processors.audio.arrays import NPZ, to_npz
from processors.audio.signal import SPECTRUM, Signal
from processors.handler import processor
from processors.rhythm.evidence import ONSET, evidence_of, saturated
from processors.rhythm.novelty import RATE_HZ

_LEAST = 2.0
_APART_S = 0.04
_LATE_FRAMES = -0.45
"""By how much the top comes after the onset: clicks are seen 10 ms early, drums and plucked strings 4 ms late."""


@dataclass(frozen=True, slots=True)
class Onsets:
    """Onsets in seconds and how much each stands out of what is around it, 0 to 1; shape (onsets,) each.

    confidence: how far the onsets stand out on average, 0 to 1.
    """

    times_s: np.ndarray
    strengths: np.ndarray
    confidence: float


NO_ONSETS = Onsets(np.zeros(0), np.zeros(0), 0.0)


def onsets_of(signal: Signal) -> Onsets:
    """Find where attacks and new tones stand out, 40 ms apart at least; none in what is even, like noise."""
    from scipy.ndimage import maximum_filter1d

    evidence = signal.once(evidence_of)
    if not evidence.heard:
        return NO_ONSETS
    onset = evidence.onset
    highest = maximum_filter1d(onset, 2 * round(_APART_S * RATE_HZ) + 1)
    tops = np.flatnonzero((onset == highest) & (onset > _LEAST))
    times_s = np.maximum(0, exact_frames(onset, tops) / RATE_HZ)
    strengths = saturated(onset[tops], ONSET.half)
    return Onsets(np.minimum(times_s, signal.duration_s), strengths, float(strengths.mean()) if len(tops) else 0.0)


def exact_frames(onset: np.ndarray, tops: np.ndarray) -> np.ndarray:
    """Return where onsets are the most prominent, between frames too: the top of the parabola through three."""
    left, top, right = (onset[np.clip(tops + step, 0, len(onset) - 1)] for step in (-1, 0, 1))
    bend = np.minimum(left - 2 * top + right, -1e-9)
    return np.asarray(tops + np.clip(0.5 * (left - right) / bend, -0.5, 0.5) - _LATE_FRAMES)


@processor("1")
def find_onsets(event: AudioAdded, signal: Signal, blobs: Blobs) -> OnsetsFound:
    """Find onsets and store them with their strengths."""
    found = signal.once(onsets_of)
    count = len(found.times_s)
    table = {"times_s": found.times_s.astype(np.float32), "strengths": found.strengths.astype(np.float32)}
    return OnsetsFound(
        asset_id=event.asset_id,
        parameters=dict(SPECTRUM),
        count=count,
        density_per_s=round(count / signal.duration_s, 3),
        confidence=round(found.confidence, 3),
        onsets=blobs.put(to_npz(table), NPZ),
    )
