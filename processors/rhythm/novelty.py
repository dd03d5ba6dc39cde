"""How much begins at each moment: of attacks, of tones and of the bass, and what the harmony is meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from processors.audio.signal import ANALYSIS_RATE_HZ, Signal

SHORT_FFT, SHORT_HOP = 1024, 256
LONG_FFT, LONG_HOP = 2048, 512
RATE_HZ = ANALYSIS_RATE_HZ / SHORT_HOP
"""Frames a second of everything here but the chroma, which has half as many."""
_ATTACK_HZ, _TONE_HZ = (40.0, 10_500.0), (60.0, 3000.0)
_ATTACK_LAG, _TONE_LAG, _BASS_LAG = 2, 4, 2
_SMOOTHED = 3
_BASS_TOP_HZ = 280.0
_CHROMA_TOP_HZ = 1800.0
_ATTACK_GAIN, _TONE_GAIN = 600.0, 27.0
"""Of a band at the level that the sound exceeds a twentieth of the time, before its logarithm is taken."""
_LIMIT = 99.7

Steps = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Novelty:
    """Rises at RATE_HZ, shape (frames,) each, float32, and pitch classes at half of it, shape (frames / 2, 12).

    attack: of all bands, quick. tone: of narrow bands, slower, so that bowed and sung notes count. bass: below 280 Hz.
    level: the sum of the bands. Frame k is at k / RATE_HZ seconds.
    """

    attack: np.ndarray
    tone: np.ndarray
    bass: np.ndarray
    level: np.ndarray
    chroma: np.ndarray
    bass_chroma: np.ndarray


def novelty_of(signal: Signal) -> Novelty:
    """Hear what begins when.

    Source: Böck & Widmer 2013, SuperFlux: rises of compressed bands over the strongest neighbour some frames ago,
    which vibrato does not trigger.
    """
    loudness = float(np.sqrt(np.percentile(signal.mel_power, 95)))
    scale = 1 / loudness if loudness > 0 else 0.0
    attacks = _gathered(signal.spectra(SHORT_FFT, SHORT_HOP), _ATTACK_LAG, lambda rows: _attacks(rows, scale))
    tones = _gathered(signal.spectra(LONG_FFT, LONG_HOP), _TONE_LAG + _SMOOTHED, lambda rows: _tones(rows, scale))
    frames = len(attacks["attack"])
    return Novelty(
        attack=_limited(attacks["attack"]),
        tone=_limited(_doubled(tones["tone"], frames, early=_TONE_LAG // 2 + 1)),
        bass=_limited(_doubled(tones["bass"], frames, early=_BASS_LAG // 2)),
        level=attacks["level"],
        chroma=tones["chroma"],
        bass_chroma=tones["bass_chroma"],
    )


def _gathered(blocks: Iterable[np.ndarray], before: int, measure: Callable[[np.ndarray], Steps]) -> Steps:
    """Measure blocks of a stream, each with the `before` rows that came before it, and join what was measured."""
    found = [measure(rows) for rows in _with_history(blocks, before)]
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def _with_history(blocks: Iterable[np.ndarray], before: int) -> Iterator[np.ndarray]:
    history: np.ndarray | None = None
    for block in blocks:
        if history is None:
            history = np.zeros((before, block.shape[1]), block.dtype)
        rows = np.concatenate([history, block])
        yield rows
        history = rows[len(rows) - before :]


def _attacks(rows: np.ndarray, scale: float) -> Steps:
    """Measure the short spectra; the first `_ATTACK_LAG` rows are history."""
    bands = _filtered(rows, filters(SHORT_FFT, *_ATTACK_HZ, 12)[0])
    logs = np.log1p(bands * np.float32(scale * _ATTACK_GAIN))
    return {"attack": _rises(logs, _ATTACK_LAG).mean(axis=1), "level": bands[_ATTACK_LAG:].sum(axis=1)}


def _tones(rows: np.ndarray, scale: float) -> Steps:
    """Measure the long spectra; the first rows, as many as the lag and the smoothing take, are history."""
    bank, centres_hz = filters(LONG_FFT, *_TONE_HZ, 24)
    logs = np.log1p(_filtered(rows, bank) * np.float32(scale * _TONE_GAIN))
    smooth = (logs[2:] + logs[1:-1] + logs[:-2])[1:] / _SMOOTHED
    low = centres_hz < _BASS_TOP_HZ
    bass = logs[:, low] * np.linspace(1, 0.4, int(low.sum()), dtype=np.float32)
    new = logs[_TONE_LAG + _SMOOTHED :]
    return {
        "tone": _rises(smooth, _TONE_LAG).mean(axis=1),
        "bass": _rises(bass[_TONE_LAG + _SMOOTHED - _BASS_LAG :], _BASS_LAG).mean(axis=1),
        "chroma": new @ _folding(_CHROMA_TOP_HZ),
        "bass_chroma": new @ _folding(_BASS_TOP_HZ),
    }


def _filtered(rows: np.ndarray, bank: Any) -> np.ndarray:  # Any: a sparse matrix of SciPy, which has no types
    """Return bands of spectra of shape (rows, bins), shape (rows, bands), float32."""
    return np.ascontiguousarray((bank @ rows.T).T)


def _rises(logs: np.ndarray, lag: int) -> np.ndarray:
    """How far each band rises over itself and its neighbours `lag` rows before, shape (rows - lag, bands)."""
    before = logs[:-lag].copy()
    np.maximum(before[:, 1:], logs[:-lag, :-1], out=before[:, 1:])
    np.maximum(before[:, :-1], logs[:-lag, 1:], out=before[:, :-1])
    rises: np.ndarray = np.maximum(logs[lag:] - before, 0)
    return rises


def _limited(rises: np.ndarray) -> np.ndarray:
    """Cut off what few frames exceed: the start of a sound that was cut out of another says nothing."""
    return np.asarray(np.minimum(rises, np.percentile(rises, _LIMIT)), np.float32)


def _doubled(values: np.ndarray, frames: int, *, early: int) -> np.ndarray:
    """Bring what was measured at LONG_HOP, and `early` frames late, to `frames` of SHORT_HOP."""
    places = np.arange(frames) * (SHORT_HOP / LONG_HOP) + early
    return np.asarray(np.interp(places, np.arange(len(values)), values), np.float32)


@cache
def filters(n_fft: int, low_hz: float, high_hz: float, per_octave: int) -> tuple[Any, np.ndarray]:
    """Return triangular filters evenly spaced in pitch, no narrower than a bin, and their centres in Hz.

    Shapes (bands, n_fft // 2 + 1), float32 and sparse, hence Any, and (bands,).
    """
    from scipy.sparse import csr_array

    steps = np.arange(np.log2(high_hz / low_hz) * per_octave + 1e-9) / per_octave
    edges = np.unique(np.rint(low_hz * 2**steps * n_fft / ANALYSIS_RATE_HZ))
    bins = np.arange(n_fft // 2 + 1)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    bank = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return csr_array(bank), edges[1:-1] * ANALYSIS_RATE_HZ / n_fft


@cache
def _folding(top_hz: float) -> np.ndarray:
    """Return what averages the bands of the long filters below `top_hz` into pitch classes from C, (bands, 12)."""
    centres_hz = filters(LONG_FFT, *_TONE_HZ, 24)[1]
    classes = np.rint(12 * np.log2(centres_hz / 440) + 69).astype(int) % 12
    held = (classes[:, None] == np.arange(12)) & (centres_hz < top_hz)[:, None]
    shares: np.ndarray = (held / np.maximum(1, held.sum(axis=0))).astype(np.float32)
    return shares
