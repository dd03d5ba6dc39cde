"""What of the harmony does not depend on the key: which intervals and chords follow each other, how many beats later.

A shift in time changes nothing, nor does a transposition, which turns all pitch classes alike. Source: the idea of
Ellis & Bertin-Mahieux 2012 (magnitudes of the 2-D Fourier transform of beat-synchronous chroma), taken as
correlations, which a piece of another length leaves as they are, and carried on to chords.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from processors.audio.signal import Signal
from processors.harmony.pitch_classes import PitchClasses, pitch_classes_of
from processors.harmony.salience import FRAME_RATE_HZ
from processors.likeness.grid import PACES_S, even_s, half_beats_s, means_between

Windows = Sequence[Sequence[int]]
"""Stretches of lags, in steps, over each of which is averaged."""
BEATS: Windows = tuple((lag,) for lag in range(2, 34, 2))
CHORD_BEATS: Windows = tuple((lag,) for lag in (2, 4, 6, 8, 12, 16, 24, 32))
STEP_S = 0.15
SECONDS: Windows = tuple(
    range(max(1, round(0.9 * centre_s / STEP_S)), round(1.1 * centre_s / STEP_S) + 1)
    for centre_s in np.geomspace(0.9, 10, 9)
)
"""From 0.9 to 10 s, a tenth to either side, so that it holds at about the same pace where beats are mistaken."""
_TRIADS = np.array([[1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]]) / np.sqrt(3)
_SHARPNESS = 8
_BASS = 0.7
_LEAST = 1e-3
_TONAL = 0.4
"""How sure the tuning is where all is harmony; drums have a tenth of it."""


def harmony_numbers(signal: Signal) -> np.ndarray:
    """Return what follows what in chords, bass and treble, shape (2184,): at two paces of beats, then in seconds."""
    heard = signal.once(pitch_classes_of)
    found = [
        changes_between(heard, half_beats_s(signal, shortest_s), BEATS, of_chords=CHORD_BEATS) for shortest_s in PACES_S
    ]
    found.append(changes_between(heard, even_s(signal.duration_s, STEP_S), SECONDS, of_chords=SECONDS))
    return np.concatenate(found)


def changes_between(heard: PitchClasses, borders_s: np.ndarray, lags: Windows, *, of_chords: Windows) -> np.ndarray:
    """Return what follows what between borders, shape (12 * (4 * len(of_chords) + 2 * len(lags)),)."""
    rows = (
        means_between(part * heard.tonality[:, None], borders_s * FRAME_RATE_HZ) for part in (heard.treble, heard.bass)
    )
    treble, bass = map(unit_rows, rows)
    chords = np.sqrt(np.maximum(0, chord_changes(unit_rows(treble + _BASS * bass), of_chords)))
    return np.concatenate([chords, following(bass**2, bass**2, lags), following(treble**2, treble**2, lags)])


def tonal_share(signal: Signal) -> float:
    """Return how far a sound is harmony rather than drums or noise, 0 to 1: how well its tones lie on one tuning."""
    return min(1.0, signal.once(pitch_classes_of).salience.tuning.confidence / _TONAL)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows at unit length; those of next to nothing become nothing."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.where(lengths > _LEAST, rows / np.maximum(lengths, _LEAST), 0))


def following(before: np.ndarray, behind: np.ndarray, windows: Windows) -> np.ndarray:
    """Return how much of `behind` sounds k semitones above `before`, so many steps later; shape (windows * 12,).

    Both of shape (steps, 12); means over the steps.
    """
    one, other = np.conj(np.fft.rfft(before, axis=1)), np.fft.rfft(behind, axis=1)
    rows = np.zeros((len(windows), 7), complex)
    for row, window in enumerate(windows):
        for lag in window:
            if lag < len(one):
                rows[row] += np.einsum("ij,ij->j", one[: len(one) - lag], other[lag:]) / (
                    (len(one) - lag) * len(window)
                )
    return np.fft.irfft(rows, 12, axis=1).ravel()


def chord_changes(chroma: np.ndarray, windows: Windows) -> np.ndarray:
    """Return which triads follow which, by mode, mode and interval; shape (4 * windows * 12,)."""
    turned = np.stack([np.roll(_TRIADS, root, axis=1) for root in range(12)], axis=1)
    fits = np.maximum(0, np.einsum("tp,mrp->tmr", chroma, turned)) ** _SHARPNESS
    sums = fits.sum(axis=(1, 2), keepdims=True)
    triads = np.where(sums > 0, fits / np.maximum(sums, 1e-12), 0)
    modes = (triads[:, 0], triads[:, 1])
    return np.concatenate([following(one, other, windows) for one in modes for other in modes])
