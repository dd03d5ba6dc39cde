"""Key and mode from how much each pitch class sounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from events.analyses import KeyEstimated
from events.imports import AudioAdded
from processors.audio.chroma import PITCH_CLASSES
from processors.audio.signal import SPECTRUM, Signal
from processors.handler import processor

MODES = ("major", "minor")
_PROFILES = np.array(
    [
        [0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081],
        [0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052],
    ]
)
"""How often the degrees from the tonic occur in major and minor. Source: Albrecht & Shanahan 2013."""
_LEAST_TONAL_SHARE = 0.1
_LEAST_CORRELATION = 0.4
_LEAST_WEIGHT = 0.03


@dataclass(frozen=True, slots=True)
class Key:
    """Tonic as a pitch class from C = 0, mode, and how sure they are, from 0 to 1."""

    tonic: int
    mode: str
    confidence: float


def estimate(chroma: np.ndarray) -> Key | None:
    """Return the key whose profile correlates best with the sounding steps, None where too few pitches sound.

    chroma: shape (steps, 12), zeros in steps without a tone. The confidence is the lead over the next best key
    as a share of the best, weighed by the best. Source: Krumhansl 1990.
    """
    sums = chroma.sum(axis=1)
    sounding = chroma[sums > 0] / sums[sums > 0, None]
    if len(sounding) < max(1.0, _LEAST_TONAL_SHARE * len(chroma)):
        return None
    mean = sounding.mean(axis=0)
    if np.count_nonzero(mean > _LEAST_WEIGHT) < 3:
        return None
    correlations = key_correlations(mean)
    second, best = np.sort(correlations)[-2:]
    if best < _LEAST_CORRELATION:
        return None
    mode, tonic = divmod(int(np.argmax(correlations)), 12)
    return Key(tonic, MODES[mode], float(np.clip(best * min(1, 4 * (best - second) / best), 0, 1)))


def key_correlations(pitch_classes: np.ndarray) -> np.ndarray:
    """Return the correlation of 12 weights with every key, shape (24,): majors from C, then minors from C."""
    profiles = np.array([np.roll(profile, tonic) for profile in _PROFILES for tonic in range(12)])
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    weights = pitch_classes - pitch_classes.mean()
    scale = np.linalg.norm(centred, axis=1) * np.linalg.norm(weights)
    correlations: np.ndarray = centred @ weights / np.maximum(scale, 1e-12)
    return correlations


@processor("1")
def estimate_key(event: AudioAdded, signal: Signal) -> KeyEstimated:
    """Estimate key and mode."""
    key = estimate(signal.chroma)
    return KeyEstimated(
        asset_id=event.asset_id,
        parameters={**SPECTRUM, "profiles": "albrecht-shanahan"},
        tonic=PITCH_CLASSES[key.tonic] if key else None,
        mode=key.mode if key else None,
        confidence=round(key.confidence, 3) if key else 0.0,
    )
