"""Pitch classes and tonal centroids by spectrum, as librosa has them: for comparing with what others have computed.

Key and chords go by `chroma`, which looks at peaks instead.
"""

from __future__ import annotations

import numpy as np

_LOWEST_HZ, _HIGHEST_HZ = 150.0, 4000.0
_PEAK_SHARE = 0.1
_OCTAVE_CENTRE, _OCTAVE_WIDTH = 5.0, 2.0


def pitch_peaks(power: np.ndarray, *, bin_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return frequency in Hz and power of the peaks from 150 Hz to 4 kHz, shape (peaks,) each, float32.

    power: shape (frames, bins). A peak has a tenth of its frame's greatest power; a parabola places it between bins.
    Source: Smith 2011, Spectral Audio Signal Processing.
    """
    bins = np.arange(power.shape[1]) * bin_hz
    at = np.flatnonzero((bins >= _LOWEST_HZ) & (bins < _HIGHEST_HZ))
    limit = np.float32(_PEAK_SHARE) * power.max(axis=1, keepdims=True)
    near = power[:, at[0] - 1 : at[-1] + 2]
    above = near * (near > limit)
    frame, column = np.nonzero((above[:, 1:-1] > above[:, :-2]) & (above[:, 1:-1] >= above[:, 2:]))
    left, centre, right = (near[frame, column + shift] for shift in (0, 1, 2))
    curve, slope = left + right - 2 * centre, (right - left) / 2
    steep = np.abs(slope) >= np.abs(curve)
    shift = np.where(steep, 0, -slope / np.where(steep, 1, curve))
    return ((at[column] + shift) * bin_hz).astype(np.float32), centre + 0.5 * slope * shift


def tuning_of(frequency_hz: np.ndarray, power: np.ndarray) -> float:
    """Return by how many semitones, -0.5 to 0.5, most of the stronger half of peaks lie above A440; 0 without any.

    Both of shape (peaks,).
    """
    if not frequency_hz.size:
        return 0.0
    strong = frequency_hz[power >= np.median(power)]
    residual = np.mod(12 * np.log2(strong / (440.0 / 16)), 1.0)
    residual[residual >= 0.5] -= 1.0
    edges = np.linspace(-0.5, 0.5, 101)
    counts, _ = np.histogram(residual, edges)
    return float(edges[np.argmax(counts)])


def chroma_filterbank(*, rate_hz: int, n_fft: int, tuning_semitones: float) -> np.ndarray:
    """Return what each bin gives to each pitch class from C, shape (12, n_fft // 2 + 1), float32.

    Source: Ellis 2007, Chroma feature analysis and synthesis: bumps about each class, weighed by octave.
    """
    octave = np.log2(np.arange(1, n_fft) * (rate_hz / n_fft) / (440.0 * 2 ** (tuning_semitones / 12) / 16))
    place = 12 * np.concatenate([[octave[0] - 1.5], octave])
    width = np.append(np.maximum(np.diff(place), 1.0), 1.0)
    distance = np.mod(place - np.arange(12)[:, None] + 126, 12) - 6
    bumps = np.exp(-0.5 * (2 * distance / width) ** 2)
    bumps /= np.linalg.norm(bumps, axis=0)
    bumps *= np.exp(-0.5 * ((place / 12 - _OCTAVE_CENTRE) / _OCTAVE_WIDTH) ** 2)
    return np.ascontiguousarray(np.roll(bumps, -3, axis=0)[:, : n_fft // 2 + 1], np.float32)


def pitch_classes(power: np.ndarray, filterbank: np.ndarray) -> np.ndarray:
    """Return how much of each class sounds, the strongest as 1, shape (frames, 12), float32; zeros in silence."""
    raw = power @ filterbank.T
    greatest = raw.max(axis=1, keepdims=True)
    found: np.ndarray = raw / np.where(greatest < np.finfo(np.float32).tiny, 1, greatest)
    return found


def tonal_centroids(classes: np.ndarray) -> np.ndarray:
    """Return where classes lie on the circles of fifths, minor and major thirds, shape (frames, 6), float32.

    classes: shape (frames, 12). Source: Harte, Sandler & Gasser 2006.
    """
    turns = np.outer([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3], np.arange(12))
    turns[::2] -= 0.5
    radius = np.array([1, 1, 1, 1, 0.5, 0.5])
    circles = (radius[:, None] * np.cos(np.pi * turns)).astype(np.float32)
    total = np.abs(classes).sum(axis=1, keepdims=True)
    found: np.ndarray = (classes / np.where(total < np.finfo(np.float32).tiny, 1, total)) @ circles.T
    return found
