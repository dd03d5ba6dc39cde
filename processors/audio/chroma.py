"""Pitch classes from the peaks of a magnitude spectrogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from processors.audio.arrays import Growing

PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
STEP_FRAMES = 8

_LOWEST_HZ = 55.0
_HIGHEST_HZ = 2000.0
_LOWEST_PITCH = 32
_PITCHES = 68
_AROUND_BINS = 24
_PROMINENCE = 3.0
_WITHIN_STEP = 0.05
_QUIETEST = 0.05
"""Magnitude of a sine at -80 dBFS under a Hann window of 2048."""
_OVERTONES = {12: 0.7, 19: 0.49, 24: 0.34, 28: 0.24, 31: 0.17}
"""Semitones from a tone to its overtones, and what share of its magnitude each is expected to have."""
_COMPRESSION = 0.7


@dataclass(frozen=True, slots=True)
class Tones:
    """Spectral peaks, one a row: index of the step, MIDI pitch with fraction (A440 = 69), magnitude."""

    step: np.ndarray
    pitch: np.ndarray
    magnitude: np.ndarray


def step_means(frames: np.ndarray) -> np.ndarray:
    """Return the mean of every 8 frames, in which noise evens out and tones stay, shape (ceil(frames / 8), n)."""
    starts = np.arange(0, len(frames), STEP_FRAMES)
    return np.add.reduceat(frames, starts, axis=0) / np.diff(starts, append=len(frames))[:, None].astype(np.float32)


def find_tones(spectrogram: np.ndarray, *, bin_hz: float, first_frame: int = 0) -> Tones:
    """Find peaks from 55 Hz to 2 kHz that stand out of their surroundings, placed between bins by a parabola.

    spectrogram: magnitudes, shape (frames, bins), a part that begins at frame `first_frame`, the first of a step.
    Source: Smith & Serra 1987 (parabola through log magnitudes); Gómez 2006 (peaks for pitch classes).
    """
    low, high = int(_LOWEST_HZ / bin_hz), int(_HIGHEST_HZ / bin_hz)
    band = step_means(spectrogram[:, : high + _AROUND_BINS])
    at = np.arange(low, high + 1)
    peak = band[:, at]
    limit = np.maximum(_QUIETEST, _WITHIN_STEP * peak.max(axis=1, keepdims=True))
    found = (peak > band[:, at - 1]) & (peak >= band[:, at + 1]) & (peak > limit)
    found &= peak > _PROMINENCE * _floor(band)[:, at]
    step, column = np.nonzero(found)
    left, centre, right = (np.log(np.maximum(band[step, at[column] + shift], 1e-9)) for shift in (-1, 0, 1))
    offset = np.clip(0.5 * (left - right) / np.minimum(left - 2 * centre + right, -1e-6), -0.5, 0.5)
    frequency = (at[column] + offset).astype(np.float64) * bin_hz
    step += first_frame // STEP_FRAMES
    return Tones(step, 69 + 12 * np.log2(frequency / 440), np.exp(centre - 0.25 * (left - right) * offset))


class ToneList:
    """The tones of all parts, one after the other."""

    def __init__(self) -> None:
        self._columns = Growing(np.int64), Growing(np.float64), Growing(np.float32)

    def add(self, tones: Tones) -> None:
        """Take the tones of the next part."""
        for column, values in zip(self._columns, (tones.step, tones.pitch, tones.magnitude), strict=True):
            column.add(values)

    def tones(self) -> Tones:
        """All that were taken."""
        return Tones(*(column.values() for column in self._columns))


def _floor(band: np.ndarray) -> np.ndarray:
    """Return the median over each stretch of 24 bins, joined by straight lines, shape of `band`."""
    stretches = band.shape[1] // _AROUND_BINS
    medians = np.median(band[:, : stretches * _AROUND_BINS].reshape(len(band), stretches, _AROUND_BINS), axis=2)
    place = np.clip(np.arange(band.shape[1]) / _AROUND_BINS - 0.5, 0, stretches - 1)
    first = np.minimum(place.astype(np.int64), stretches - 2)
    share = (place - first).astype(np.float32)
    joined: np.ndarray = medians[:, first] * (1 - share) + medians[:, first + 1] * share
    return joined


def tuning_semitones(tones: Tones) -> float:
    """By how much the tones lie above A440, from -0.5 to 0.5 semitones: their weighted circular mean."""
    if not len(tones.pitch):
        return 0.0
    turn = np.sum(tones.magnitude * np.exp(2j * np.pi * tones.pitch))
    return float(np.angle(turn) / (2 * np.pi))


def pitchgram(tones: Tones, *, steps: int) -> np.ndarray:
    """Return the magnitude of each semitone from MIDI 32, without what overtones explain, shape (steps, 68).

    A tone counts the less the farther it is from a semitone of the file's own tuning.
    """
    pitch = tones.pitch - tuning_semitones(tones)
    nearest = np.rint(pitch)
    cell = tones.step * _PITCHES + np.clip(nearest.astype(np.int64) - _LOWEST_PITCH, 0, _PITCHES - 1)
    weight = tones.magnitude * np.cos(np.pi * (pitch - nearest)) ** 2
    cells: np.ndarray = np.bincount(cell, weights=weight, minlength=steps * _PITCHES)
    grid = cells.astype(np.float64).reshape(steps, _PITCHES)
    sounding = grid.copy()
    for semitone in range(_PITCHES):
        for interval, share in _OVERTONES.items():
            if semitone + interval < _PITCHES:
                grid[:, semitone + interval] -= share * np.maximum(0, grid[:, semitone])
    return np.minimum(sounding, np.maximum(0, grid))


def chromagram(tones: Tones, *, steps: int) -> np.ndarray:
    """Return the strength of the twelve pitch classes from C a step, shape (steps, 12), float32; zeros if toneless."""
    strengths = pitchgram(tones, steps=steps) ** _COMPRESSION
    folded = np.zeros((steps, 12), np.float32)
    for semitone in range(_PITCHES):
        folded[:, (semitone + _LOWEST_PITCH) % 12] += strengths[:, semitone]
    return folded
