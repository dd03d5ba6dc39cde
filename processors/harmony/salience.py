"""How strongly each semitone sounds, and with it the pitch classes of bass and treble.

A spectrum of 8192 points is put on thirds of semitones, whitened, and explained as a sum of notes with overtones.
Source: Mauch & Dixon 2010, "Approximate note transcription for the improved identification of difficult chords";
Lee & Seung 2001 for the non-negative least squares, here for all frames at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from processors.audio.signal import ANALYSIS_RATE_HZ, Signal
from processors.harmony.tuning import Tuning, Turn

N_FFT = 8192
HOP = 2048
FRAME_RATE_HZ = ANALYSIS_RATE_HZ / HOP
LOWEST = 24
"""The lowest note, as MIDI counts: C1, 33 Hz."""
NOTES = 73
THIRDS = 3
_ABOVE = 12
"""Semitones of spectrum above the highest note."""
_BINS = (NOTES + _ABOVE) * THIRDS
_HARMONICS = 12
_DECAY_LOW, _DECAY_HIGH = 0.85, 0.6
_WHITENING = 0.7
_ROUNDS = 25
_QUIETEST = 0.02
"""Magnitude below which a bin of the spectrum counts as silent: that of a sine near -100 dBFS."""


@dataclass(frozen=True, slots=True)
class Salience:
    """What sounds when: frame k is centred on k / FRAME_RATE_HZ seconds.

    notes: shape (frames, 73), from C1 up, as large as the whitened spectrum needs them; level: shape (frames,), root of
    the spectrum's power.
    """

    notes: np.ndarray
    level: np.ndarray
    tuning: Tuning


def salience_of(signal: Signal) -> Salience:
    """Measure tuning and the strength of notes of a whole signal, in one pass over its spectra."""
    turn, logs, levels = Turn(), [], []
    thirds = _to_thirds()
    for block in signal.spectra(N_FFT, HOP):
        turn.add(block, bin_hz=ANALYSIS_RATE_HZ / N_FFT)
        used = block[:, : len(thirds)]
        logs.append(used @ thirds)
        levels.append(np.sqrt(np.einsum("ij,ij->i", used, used)))
    tuning = turn.tuning()
    notes = np.concatenate([note_strengths(retuned(log, tuning.cents)) for log in logs])
    return Salience(notes, np.concatenate(levels), tuning)


@cache
def _to_thirds() -> np.ndarray:
    """How much of each bin of the spectrum belongs to each third of a semitone, shape (bins used, thirds)."""
    pitch = LOWEST + (np.arange(_BINS) - 1) / THIRDS
    centre_hz = 440 * 2 ** ((pitch - 69) / 12)
    bin_hz = ANALYSIS_RATE_HZ / N_FFT
    last = int(centre_hz[-1] / bin_hz) + 4
    bins = np.arange(1, last)
    bin_pitch = 69 + 12 * np.log2(bins * bin_hz / 440)
    wide = np.maximum(1 / THIRDS, 12 * np.log2(1 + 1 / bins))
    away = np.abs(bin_pitch[:, None] - pitch) / wide[:, None]
    shares = np.where(away < 1, 0.5 + 0.5 * np.cos(np.pi * np.minimum(away, 1)), 0)
    matrix = np.concatenate([np.zeros((1, _BINS)), shares]).astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def retuned(log: np.ndarray, cents: float) -> np.ndarray:
    """Shift spectra on thirds of semitones so that a file `cents` above A440 comes to lie on them."""
    shift = cents / 100 * THIRDS
    whole = int(np.floor(shift))
    part = np.float32(shift - whole)
    at = np.clip(np.arange(log.shape[1])[:, None] + np.array([whole, whole + 1]), 0, log.shape[1] - 1)
    shifted: np.ndarray = log[:, at[:, 0]] * (1 - part) + log[:, at[:, 1]] * part
    return shifted


def _whitened(log: np.ndarray) -> np.ndarray:
    """Take off the mean of the octave around and divide by its deviation; what does not stand out is zero."""
    around = THIRDS * 12 // 2
    kernel = np.hamming(2 * around + 1)

    def smooth(values: np.ndarray) -> np.ndarray:
        import scipy.ndimage

        weights = scipy.ndimage.convolve1d(np.ones(values.shape[1]), kernel, mode="constant")
        smoothed: np.ndarray = scipy.ndimage.convolve1d(values, kernel, axis=1, mode="constant") / weights
        return smoothed

    rest = log - smooth(log)
    deviation = np.sqrt(smooth(rest * rest))
    return np.where(rest > 0, rest / np.maximum(deviation, _QUIETEST) ** _WHITENING, 0).astype(np.float32)


@cache
def _dictionary() -> np.ndarray:
    """The spectrum on thirds of each note with its overtones, shape (notes, thirds), float32."""
    decay = np.linspace(_DECAY_LOW, _DECAY_HIGH, NOTES)
    shapes = np.zeros((NOTES, _BINS))
    bins = np.arange(_BINS)
    for note in range(NOTES):
        for harmonic in range(1, _HARMONICS + 1):
            place = THIRDS * (note + 12 * np.log2(harmonic)) + 1
            away = np.abs(bins - place) / 1.5
            shapes[note] += decay[note] ** (harmonic - 1) * np.where(away < 1, 0.5 + 0.5 * np.cos(np.pi * away), 0)
    shapes = shapes.astype(np.float32)
    shapes.setflags(write=False)
    return shapes


def note_strengths(log: np.ndarray) -> np.ndarray:
    """Return how much of each note explains spectra on thirds of semitones, shape (frames, 73), non-negative."""
    shapes = _dictionary()
    seen = _whitened(log) @ shapes.T
    gram = shapes @ shapes.T
    strengths: np.ndarray = seen / np.diag(gram)
    for _ in range(_ROUNDS):
        strengths *= seen / np.maximum(strengths @ gram, 1e-6)
    return strengths
