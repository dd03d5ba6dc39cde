"""How onsets stand out and repeat, on plain arrays."""

from __future__ import annotations

import numpy as np


def accents(onset_strength: np.ndarray, *, frame_rate_hz: float) -> np.ndarray:
    """Return how far onsets rise above their surroundings, at most four times the usual, shape (frames,)."""
    width = max(1, round(0.5 * frame_rate_hz)) | 1
    padded = np.pad(onset_strength.astype(np.float64), width // 2, mode="edge")
    around = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    raised = np.maximum(0, onset_strength - around)
    limited: np.ndarray = np.minimum(raised, 4 * np.sqrt(np.mean(raised**2)))
    return limited


def autocorrelation(values: np.ndarray, *, lags: int) -> np.ndarray:
    """Return the autocorrelation of centred values, 1 at lag 0, shape (lags,); zeros where nothing varies."""
    import scipy.fft

    centred = values - values.mean()
    size = scipy.fft.next_fast_len(2 * len(centred))
    spectrum = scipy.fft.rfft(centred, size)
    products = scipy.fft.irfft(spectrum * spectrum.conj(), size)[: min(lags, len(centred))]
    scaled = products / products[0] if products[0] > 0 else np.zeros_like(products)
    return np.pad(scaled, (0, max(0, lags - len(scaled))))
