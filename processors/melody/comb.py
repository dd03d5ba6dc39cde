"""How well each pitch explains a spectrum: its harmonics speak for it, what lies between them against it.

Source: after Camacho & Harris 2008, SWIPE, and Hermes 1988, subharmonic summation, on a logarithmic axis.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from processors.audio.signal import ANALYSIS_RATE_HZ

LOWEST_HZ = 45.0
STEPS = 60
"""Pitches an octave, 20 cents apart."""
PITCHES = 336
"""Up to 2.2 kHz."""
_HARMONICS = 10
BELOW = STEPS
"""Where the lowest pitch is on the axis."""
_BINS = BELOW + PITCHES + int(np.ceil(STEPS * np.log2(_HARMONICS + 0.5))) + 1
_ROLLOFF = 0.5
_RAISED = 0.5
"""The power of frequency that magnitudes are raised by: the bass of a mix is loud, and is not the tune."""
_FAINTEST = 1e-3


def pitches_hz() -> np.ndarray:
    """The pitches that are compared, shape (336,)."""
    return np.asarray(LOWEST_HZ * 2 ** (np.arange(PITCHES) / STEPS))


def axes(magnitudes: np.ndarray) -> np.ndarray:
    """Put spectra on the logarithmic axis from an octave below the lowest pitch, shape (frames, 612), each of length 1.

    Roots of magnitudes, raised by 1.5 dB an octave; magnitudes: shape (frames, n_fft // 2 + 1), at 22,050 Hz.
    """
    rows = np.ascontiguousarray(np.sqrt(_bank(magnitudes.shape[1]) @ magnitudes.T).T)
    rows /= np.maximum(np.sqrt(np.einsum("ij,ij->i", rows, rows)), _FAINTEST)[:, None]
    return rows


def fits(rows: np.ndarray) -> np.ndarray:
    """Return how well each pitch explains each spectrum, shape (frames, 336), -1 to 1; about 0 for noise and silence.

    rows: spectra as `axes` gives them.
    """
    found = np.zeros((len(rows), PITCHES), np.float32)
    for place, weight in _comb():
        found += np.float32(weight) * rows[:, place : place + PITCHES]
    return found


@cache
def _comb() -> tuple[tuple[int, float], ...]:
    """Places on the axis, from the pitch an octave below the lowest, and their weights, which add up to nothing."""
    orders = np.arange(1, _HARMONICS + 1)
    weights = orders**-_ROLLOFF
    between = np.zeros(_HARMONICS + 1)
    between[:-1] -= weights / 2
    between[1:] -= weights / 2
    every = np.concatenate([orders, np.arange(_HARMONICS + 1) + 0.5])
    places = list(zip(every.tolist(), np.concatenate([weights, between]).tolist(), strict=True))
    norm = float(np.sqrt(sum(weight**2 for _, weight in places)))
    return tuple((BELOW + round(STEPS * float(np.log2(order))), float(weight) / norm) for order, weight in places)


@cache
def _bank(bins: int) -> Any:  # Any: a sparse matrix of SciPy, which has no types
    """What puts a spectrum on the logarithmic axis: straight lines between bins, triangles where steps are wider."""
    from scipy.sparse import csr_array

    at = LOWEST_HZ * 2 ** ((np.arange(_BINS) - BELOW) / STEPS) * 2 * (bins - 1) / ANALYSIS_RATE_HZ
    wide = np.maximum(1.0, at * (2 ** (1 / STEPS) - 1))
    shares = np.maximum(0, 1 - np.abs(np.arange(bins) - at[:, None]) / wide[:, None])
    raised = (np.arange(_BINS) / STEPS)[:, None] * _RAISED
    return csr_array((shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9) * 2**raised).astype(np.float32))
