"""How rough partials sound together."""

from __future__ import annotations

from itertools import combinations

import numpy as np

_B1, _B2 = 3.5, 5.75
_S, _S1, _S2 = 0.24, 0.0207, 18.96
_LEVEL, _DEPTH = 0.1, 3.11
PEAKS = 20
_WITHIN = 0.01
_LOWEST_HZ, _HIGHEST_HZ = 30.0, 8000.0


def _rising(apart: np.ndarray | float) -> np.ndarray:
    return np.asarray(np.exp(-_B1 * np.asarray(apart)) - np.exp(-_B2 * np.asarray(apart)))


_ROUGHEST = 0.5 * float(_rising(np.log(_B2 / _B1) / (_B2 - _B1)))
"""Of two equal sines of amplitude 1 at the distance where they are roughest."""


def roughness(frequencies_hz: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
    """Return how rough partials sound together, shape (frames,): 1 as two equal sines that are as rough as can be.

    Both of shape (frames, partials); an amplitude of 0 is no partial. The strongest counts as 1, so level is no matter.
    Source: Vassilakis 2001, after Plomp & Levelt 1965 and Sethares 1998.
    """
    most = amplitudes.max(axis=1, keepdims=True)
    scaled = np.where(most > 0, amplitudes / np.maximum(most, 1e-30), 0)
    one, other = np.array(list(combinations(range(amplitudes.shape[1]), 2))).T
    low = np.minimum(frequencies_hz[:, one], frequencies_hz[:, other])
    apart = np.abs(frequencies_hz[:, one] - frequencies_hz[:, other]) * _S / (_S1 * low + _S2)
    both = scaled[:, one] * scaled[:, other]
    together = scaled[:, one] + scaled[:, other]
    depth = 2 * np.minimum(scaled[:, one], scaled[:, other]) / np.maximum(together, 1e-30)
    pairs = np.where(both > 0, both**_LEVEL * 0.5 * depth**_DEPTH * _rising(apart), 0)
    return np.asarray(pairs.sum(axis=1) / _ROUGHEST)


def partials(spectrum: np.ndarray, *, bin_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies in Hz and amplitudes of the strongest 20 peaks of each frame, shape (frames, 20) each.

    spectrum: magnitudes, shape (frames, bins). What is below a hundredth of the strongest is none, of amplitude 0.
    """
    low = max(1, int(_LOWEST_HZ / bin_hz))
    behind = max(low + PEAKS, min(spectrum.shape[1] - 1, int(_HIGHEST_HZ / bin_hz)))
    at = np.arange(low, behind)
    left, here, right = (spectrum[:, at + step].astype(np.float64) for step in (-1, 0, 1))
    peak = (here > left) & (here >= right) & (here > _WITHIN * here.max(axis=1, keepdims=True))
    heights = np.where(peak, here, 0)
    strongest = np.argpartition(-heights, PEAKS - 1, axis=1)[:, :PEAKS]
    amplitudes = np.take_along_axis(heights, strongest, axis=1)
    logs = [np.log(np.maximum(np.take_along_axis(side, strongest, axis=1), 1e-12)) for side in (left, here, right)]
    bend = np.minimum(logs[0] - 2 * logs[1] + logs[2], -1e-6)
    offset = np.clip(0.5 * (logs[0] - logs[2]) / bend, -0.5, 0.5)
    return (low + strongest + offset) * bin_hz, amplitudes
