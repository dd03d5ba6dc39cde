"""From what begins when to the odds that a beat, or a part of one, is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from processors.audio.signal import Signal
from processors.rhythm.novelty import RATE_HZ, Novelty, novelty_of

_AROUND_S, _SCALE_S = 0.5, 6.0
_TONE_WEIGHT = 2.0
_CHANGE_S, _CHANGE_SCALE_S = 0.47, 4.0
_BASS_CHANGE = 0.4
_EDGE = 16
_LEAST_RISE, _LEAST_CONTRAST = 0.1, 2.9
"""Noise rises to two and a half times its mean rise, attacks and tones together."""


class Kind(NamedTuple):
    """How probable something of a kind is at a beat, its half, a third, a quarter, and anywhere; and its weight.

    half: the prominence that counts as half an event.
    """

    beat: float
    half_beat: float
    third: float
    quarter: float
    anywhere: float
    weight: float
    half: float


ONSET = Kind(0.8, 0.26, 0.45, 0.12, 0.035, weight=1.0, half=3.0)
ACCENT = Kind(0.4, 0.13, 0.15, 0.05, 0.02, weight=0.5, half=12.0)
BASS = Kind(0.55, 0.25, 0.22, 0.15, 0.1, weight=0.5, half=3.0)
CHANGE = Kind(0.42, 0.27, 0.28, 0.3, 0.3, weight=1.0, half=3.0)
"""About as counted in rendered scores and arrangements; accents and bass weigh half, since onsets tell of them too."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands out when, at RATE_HZ, shape (frames,) each: 0 where nothing begins, 1 is usual.

    onset: attacks and tones together. change: of harmony between the half second before and after, 0 to 1.
    """

    onset: np.ndarray
    attack: np.ndarray
    bass: np.ndarray
    change: np.ndarray
    novelty: Novelty

    @property
    def heard(self) -> bool:
        """Whether anything begins that stands out of an even sound, apart from the sound's own beginning and end."""
        inner = [rises[_EDGE:-_EDGE] for rises in (self.novelty.attack, self.novelty.tone)]
        if not inner[0].size or max(float(rises.max()) for rises in inner) < _LEAST_RISE:
            return False
        contrasts = [float(rises.max()) / max(float(rises.mean()), 1e-9) for rises in inner]
        return contrasts[0] * contrasts[1] > _LEAST_CONTRAST**2


def evidence_of(signal: Signal) -> Evidence:
    """Hear what stands out when."""
    novelty = signal.once(novelty_of)
    attack, tone, bass = (prominence(rises) for rises in (novelty.attack, novelty.tone, novelty.bass))
    onset = (attack + _TONE_WEIGHT * tone) / 2
    return Evidence(onset, attack, bass, harmonic_change(novelty), novelty)


def prominence(rises: np.ndarray) -> np.ndarray:
    """Return how far rises stand out of the half second around, in units of what is usual, shape (frames,).

    Usual is the mean of the six seconds around and of all in equal parts.
    """
    from scipy.ndimage import uniform_filter1d

    values = rises.astype(np.float64)
    around = uniform_filter1d(values, int(_AROUND_S * RATE_HZ) | 1, mode="nearest")
    out = np.maximum(0, values - around)
    near = np.maximum(0, uniform_filter1d(out, int(_SCALE_S * RATE_HZ) | 1, mode="reflect"))
    usual = 0.5 * near + 0.5 * out.mean()
    return np.asarray(out / np.maximum(usual, 1e-9))


def harmonic_change(novelty: Novelty) -> np.ndarray:
    """Return how much the pitch classes after a moment differ from those before, 0 to 1, shape (frames,)."""
    from scipy.ndimage import uniform_filter1d

    rate_hz = RATE_HZ / 2
    width = round(_CHANGE_S * rate_hz)
    here = np.arange(len(novelty.chroma))
    change = np.zeros(len(here))
    for chroma, weight in ((novelty.chroma, 1 - _BASS_CHANGE), (novelty.bass_chroma, _BASS_CHANGE)):
        sums = np.concatenate([np.zeros((1, 12)), np.cumsum(standing_out(chroma), axis=0)])
        before = sums[here] - sums[np.maximum(here - width, 0)]
        after = sums[np.minimum(here + width, len(chroma))] - sums[np.minimum(here + 2, len(chroma))]
        change += weight * (1 - (unit(before) * unit(after)).sum(axis=1))
    usual = uniform_filter1d(change, int(_CHANGE_SCALE_S * rate_hz), mode="nearest")
    relative = np.clip(change / (usual + 1e-3) / CHANGE.half, 0, 1)
    return np.asarray(np.interp(np.arange(len(novelty.attack)) / 2, here, relative))


def standing_out(chroma: np.ndarray) -> np.ndarray:
    """Return pitch classes above the weakest of each row, float64."""
    return np.asarray(chroma - chroma.min(axis=1, keepdims=True), np.float64)


def unit(rows: np.ndarray) -> np.ndarray:
    """Return rows at unit length, those of nothing at nothing."""
    return np.asarray(rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-3))


def place_odds(evidence: Evidence) -> np.ndarray:
    """Return log-odds of a beat, its half, a third, a quarter against anywhere, shape (4, frames), float32.

    Each kind of event is there or not, by a probability of its own at each place; what is half there counts by halves.
    """
    from scipy.ndimage import maximum_filter1d

    odds = np.zeros((4, len(evidence.onset)))
    for kind, there in (
        (ONSET, saturated(evidence.onset, ONSET.half)),
        (ACCENT, saturated(evidence.onset, ACCENT.half)),
        (BASS, saturated(evidence.bass, BASS.half)),
        (CHANGE, evidence.change),
    ):
        near = there if kind is CHANGE else maximum_filter1d(there, 3)
        for place, share in enumerate(kind[:4]):
            yes, no = np.log(share / kind.anywhere), np.log((1 - share) / (1 - kind.anywhere))
            odds[place] += kind.weight * (near * yes + (1 - near) * no)
    return odds.astype(np.float32)


def saturated(values: np.ndarray, half: float) -> np.ndarray:
    """Return values from 0 to 1 that are 0.5 at `half`."""
    return np.asarray(values / (values + half))
