"""Pitch classes of bass and treble from the strength of notes, and how tonal each moment is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from processors.audio.signal import Signal
from processors.harmony.salience import FRAME_RATE_HZ, HOP, LOWEST, N_FFT, NOTES, Salience, salience_of

_PITCHES = LOWEST + np.arange(NOTES)
_TREBLE = np.interp(_PITCHES, [24, 40, 52, 76, 92], [0, 0.1, 1, 1, 0.05]).astype(np.float32)
_BASS = np.interp(_PITCHES, [24, 28, 60, 72], [0.5, 1, 1, 0]).astype(np.float32)
_MIDDLE = np.interp(_PITCHES, [40, 50, 64, 72], [0, 1, 1, 0]).astype(np.float32)
_HIGH = np.interp(_PITCHES, [62, 70, 84, 96], [0, 1, 1, 0]).astype(np.float32)
_COMPRESSION = 0.6
_FOLD = (np.arange(NOTES)[:, None] % 12 == np.arange(12)).astype(np.float32)
_TONAL_FROM = 48
_APART = N_FFT // HOP
_AROUND = round(2.0 * FRAME_RATE_HZ) | 1
_SILENT_DB = -60.0
_QUIETEST = 0.2
"""Root of the power of a spectrum that counts as silent, about that of a sine at -80 dBFS."""


@dataclass(frozen=True, slots=True)
class PitchClasses:
    """Strengths of the twelve pitch classes from C a frame, shape (frames, 12) each, float32.

    treble and bass: the strongest of a frame is 1; bass: of the lowest notes that sound. middle, high: where chords are
    mostly laid and where tunes mostly lie, on the scale of the treble. tonality: how much what sounds stays what it was
    a window ago, 0 to 1, as the median of the two seconds around, shape (frames,); 0 where it is silent.
    """

    treble: np.ndarray
    bass: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    tonality: np.ndarray
    salience: Salience

    @property
    def share(self) -> np.ndarray:
        """What share of the sound each pitch class has over all tonal frames, shape (12,); zeros without any."""
        sums = self.treble.sum(axis=1)
        heard = (self.tonality > 0) & (sums > 0)
        shares: np.ndarray = self.treble[heard] / sums[heard, None]
        return shares.mean(axis=0) if len(shares) else np.zeros(12)


def pitch_classes_of(signal: Signal) -> PitchClasses:
    """Measure the pitch classes of a signal."""
    return folded(signal.once(salience_of))


def folded(salience: Salience) -> PitchClasses:
    """Fold the notes that sound into pitch classes."""
    strengths = salience.notes**_COMPRESSION
    treble = (strengths * _TREBLE) @ _FOLD
    most = np.maximum(treble.max(axis=1, keepdims=True), 1e-3)
    return PitchClasses(
        treble=(treble / most).astype(np.float32),
        bass=_scaled((lowest(strengths) * _BASS) @ _FOLD),
        middle=((strengths * _MIDDLE) @ _FOLD / most).astype(np.float32),
        high=((strengths * _HIGH) @ _FOLD / most).astype(np.float32),
        tonality=tonality(salience),
        salience=salience,
    )


def lowest(strengths: np.ndarray) -> np.ndarray:
    """Weaken notes the more, the more sounds below them, shape (frames, notes)."""
    below = np.cumsum(strengths, axis=1) - strengths
    most = np.maximum(strengths.max(axis=1, keepdims=True), 1e-3)
    weakened: np.ndarray = strengths * np.exp(-below / most)
    return weakened


def _scaled(chroma: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (chroma / np.maximum(chroma.max(axis=1, keepdims=True), 1e-3)).astype(np.float32)
    return scaled


def tonality(salience: Salience) -> np.ndarray:
    """How like the notes of windows that just do not overlap are, shape (frames,): tones stay, noise does not."""
    from scipy.ndimage import median_filter

    notes, level = salience.notes[:, _TONAL_FROM - LOWEST :], salience.level
    frames = len(notes)
    silent = level < max(_QUIETEST, float(level.max()) * 10 ** (_SILENT_DB / 20)) if frames else level > 0
    if frames <= _APART:
        return np.where(silent, 0, _likeness(notes, notes[::-1])) if frames > 1 else np.zeros(frames)
    like = _likeness(notes[:-_APART], notes[_APART:])
    placed = np.pad(like, (_APART // 2, _APART - _APART // 2), mode="edge")
    smooth: np.ndarray = median_filter(placed, size=min(_AROUND, len(placed) | 1), mode="nearest")
    return np.where(silent, 0, smooth)


def _likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, other = np.sqrt(one), np.sqrt(other)
    one, other = one - one.mean(axis=1, keepdims=True), other - other.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    like: np.ndarray = np.clip(np.einsum("ij,ij->i", one, other) / np.maximum(lengths, 1e-6), 0, 1)
    return like
