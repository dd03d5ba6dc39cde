"""By how much a recording lies above or below A440."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LOWEST_HZ, _HIGHEST_HZ = 80.0, 1600.0
_WITHIN_FRAME = 0.1
_QUIETEST = 0.2
_BINS_PER_CENT = 1
_WIDTH_CENTS = 6.0


@dataclass(frozen=True, slots=True)
class Tuning:
    """Offset from A440 in cents, from -50 to 50, and how much of the tones agree with it, from 0 to 1."""

    cents: float
    confidence: float


class Turn:
    """Where within their semitone the spectral peaks lie: a histogram by cent, filled block by block."""

    def __init__(self) -> None:
        self.cents = np.zeros(100)

    def add(self, magnitudes: np.ndarray, *, bin_hz: float) -> None:
        """Count the peaks of some frames, each by its magnitude's root; shape (frames, bins)."""
        low, high = int(_LOWEST_HZ / bin_hz), int(_HIGHEST_HZ / bin_hz)
        band = magnitudes[:, low - 1 : high + 2]
        peak = band[:, 1:-1]
        limit = np.maximum(_QUIETEST, _WITHIN_FRAME * peak.max(axis=1, keepdims=True))
        frame, column = np.nonzero((peak > limit) & (peak > band[:, :-2]) & (peak >= band[:, 2:]))
        left, centre, right = (np.log(np.maximum(band[frame, column + shift], 1e-9)) for shift in (0, 1, 2))
        offset = np.clip(0.5 * (left - right) / np.minimum(left - 2 * centre + right, -1e-6), -0.5, 0.5)
        pitch = 69 + 12 * np.log2((low + column + offset) * bin_hz / 440)
        place = np.rint(100 * pitch).astype(np.int64) % 100
        self.cents += np.bincount(place, weights=np.exp(0.5 * centre), minlength=100)

    def tuning(self) -> Tuning:
        """The place where most lie, to a fraction of a cent: the mode, which overtones bend less than the mean."""
        total = float(self.cents.sum())
        if not total:
            return Tuning(0.0, 0.0)
        away = (np.arange(100) + 50) % 100 - 50
        kernel = np.fft.rfft(np.exp(-0.5 * (away / _WIDTH_CENTS) ** 2))
        smooth = np.fft.irfft(np.fft.rfft(self.cents) * kernel, 100)
        best = int(np.argmax(smooth))
        left, centre, right = smooth[best - 1], smooth[best], smooth[(best + 1) % 100]
        bend = 0.5 * (left - right) / min(left - 2 * centre + right, -1e-12)
        cents = (best + bend + 50) % 100 - 50
        turn = np.sum(self.cents * np.exp(2j * np.pi * np.arange(100) / 100))
        return Tuning(float(cents), float(abs(turn)) / total)
