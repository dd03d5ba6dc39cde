"""Pitch classes from the peaks of a magnitude spectrogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

_LOWEST_HZ = 55.0
_HIGHEST_HZ = 2000.0
_AROUND_BINS = 8
_LOBE_BINS = 2
_PROMINENCE = 10.0
_WITHIN_FRAME = 1e-2
_QUIETEST = 0.05
"""Magnitude of a sine at -80 dBFS under a Hann window of 2048."""
_BLOCK_FRAMES = 512


@dataclass(frozen=True, slots=True)
class Tones:
    """Spectral peaks, one a row: frame index, MIDI pitch with fraction (A440 = 69), magnitude."""

    frame: np.ndarray
    pitch: np.ndarray
    magnitude: np.ndarray


def find_tones(spectrogram: np.ndarray, *, bin_hz: float) -> Tones:
    """Find peaks from 55 Hz to 2 kHz that stand out of their surroundings, placed between bins by a parabola.

    spectrogram: magnitudes, shape (frames, bins).
    Source: Smith & Serra 1987 (parabola through log magnitudes); Gómez 2006 (peaks for pitch classes).
    """
    parts = [
        _tones_of(spectrogram[start : start + _BLOCK_FRAMES], start, bin_hz)
        for start in range(0, len(spectrogram), _BLOCK_FRAMES)
    ]
    frame, bins, magnitude = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Tones(frame, 69 + 12 * np.log2(bins * bin_hz / 440.0), magnitude)


def _tones_of(block: np.ndarray, first_frame: int, bin_hz: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low, high = int(_LOWEST_HZ / bin_hz), int(_HIGHEST_HZ / bin_hz)
    band = block[:, : high + _AROUND_BINS + 2]
    sums = np.cumsum(np.pad(band * band, ((0, 0), (_AROUND_BINS + 1, 0))), axis=1, dtype=np.float64)
    at = np.arange(low, high + 1)

    def power_within(reach: int) -> np.ndarray:
        shifted = at + _AROUND_BINS + 1
        return sums[:, shifted + reach] - sums[:, shifted - reach - 1]

    around = power_within(_AROUND_BINS) - power_within(_LOBE_BINS)
    peak = band[:, at]
    limit = np.maximum(_QUIETEST, _WITHIN_FRAME * peak.max(axis=1, keepdims=True))
    found = (peak > band[:, at - 1]) & (peak >= band[:, at + 1]) & (peak > limit)
    found &= peak * peak > _PROMINENCE / (2 * (_AROUND_BINS - _LOBE_BINS)) * around
    frame, column = np.nonzero(found)
    left, centre, right = (np.log(np.maximum(band[frame, at[column] + shift], 1e-9)) for shift in (-1, 0, 1))
    offset = 0.5 * (left - right) / np.minimum(left - 2 * centre + right, -1e-6)
    height = np.exp(centre - 0.25 * (left - right) * offset)
    return frame + first_frame, at[column] + np.clip(offset, -0.5, 0.5), height


def tuning_semitones(tones: Tones) -> float:
    """By how much the tones lie above A440, from -0.5 to 0.5 semitones: their weighted circular mean."""
    if not len(tones.pitch):
        return 0.0
    turn = np.sum(tones.magnitude * np.exp(2j * np.pi * tones.pitch))
    return float(np.angle(turn) / (2 * np.pi))


def chromagram(tones: Tones, *, frames: int) -> np.ndarray:
    """Return the strength of the twelve pitch classes from C a frame, shape (frames, 12), float32.

    A tone counts by the square root of its magnitude, and the less the farther it is from a semitone.
    """
    pitch = tones.pitch - tuning_semitones(tones)
    nearest = np.rint(pitch)
    weight = np.sqrt(tones.magnitude) * np.cos(np.pi * (pitch - nearest)) ** 2
    cell = tones.frame * 12 + nearest.astype(np.int64) % 12
    return np.bincount(cell, weights=weight, minlength=frames * 12).reshape(frames, 12).astype(np.float32)
