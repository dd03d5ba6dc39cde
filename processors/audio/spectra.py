"""Spectra on plain arrays: magnitude spectrogram, mel bands, decibels, onset strength."""

from __future__ import annotations

from functools import cache

import numpy as np

_BLOCK_FRAMES = 512


def magnitude_spectrogram(samples: np.ndarray, *, n_fft: int, hop: int) -> np.ndarray:
    """Return magnitudes under a periodic Hann window, frame k centred on sample k * hop, zeros beyond the ends.

    samples: shape (n,). Returns shape (1 + n // hop, n_fft // 2 + 1), float32.
    """
    import scipy.fft

    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)
    padded = np.pad(np.asarray(samples, np.float32), n_fft // 2)
    framed = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    magnitudes = np.empty((len(framed), n_fft // 2 + 1), np.float32)
    for start in range(0, len(framed), _BLOCK_FRAMES):
        spectrum = scipy.fft.rfft(framed[start : start + _BLOCK_FRAMES] * window, axis=1)
        np.abs(spectrum, out=magnitudes[start : start + _BLOCK_FRAMES])
    return magnitudes


@cache
def mel_filterbank(*, rate_hz: int, n_fft: int, bands: int) -> np.ndarray:
    """Return triangular mel filters of equal area, from 0 Hz to half the rate, shape (bands, n_fft // 2 + 1).

    Source: Slaney 1998, Auditory Toolbox: linear below 1 kHz, logarithmic above.
    """
    edges_hz = _mel_to_hz(np.linspace(0.0, _hz_to_mel(rate_hz / 2), bands + 2))
    bins_hz = np.arange(n_fft // 2 + 1) * (rate_hz / n_fft)
    widths_hz = np.diff(edges_hz)[:, None]
    rising = (bins_hz - edges_hz[:-2, None]) / widths_hz[:-1]
    falling = (edges_hz[2:, None] - bins_hz) / widths_hz[1:]
    triangles = np.maximum(0, np.minimum(rising, falling))
    filters: np.ndarray = (triangles * (2 / (edges_hz[2:] - edges_hz[:-2]))[:, None]).astype(np.float32)
    filters.setflags(write=False)
    return filters


_LINEAR_HZ = 200.0 / 3
_LOG_STEP = np.log(6.4) / 27


def _hz_to_mel(hz: float) -> float:
    return hz / _LINEAR_HZ if hz < 1000 else 15 + float(np.log(hz / 1000)) / float(_LOG_STEP)


def _mel_to_hz(mels: np.ndarray) -> np.ndarray:
    hz: np.ndarray = np.where(mels < 15, mels * _LINEAR_HZ, 1000 * np.exp(_LOG_STEP * (mels - 15)))
    return hz


def mel_spectrogram(spectrogram: np.ndarray, filterbank: np.ndarray) -> np.ndarray:
    """Return power in mel bands of a magnitude spectrogram, shape (frames, bands), float32."""
    mel = np.empty((len(spectrogram), len(filterbank)), np.float32)
    for start in range(0, len(spectrogram), _BLOCK_FRAMES):
        block = spectrogram[start : start + _BLOCK_FRAMES]
        np.matmul(block * block, filterbank.T, out=mel[start : start + _BLOCK_FRAMES])
    return mel


def decibels(power: np.ndarray, *, floor: float = 1e-10, range_db: float = 80.0) -> np.ndarray:
    """Return power in dB re 1, never lower than `floor` and than `range_db` below the loudest."""
    levels = 10 * np.log10(np.maximum(power, np.float32(floor)))
    limited: np.ndarray = np.maximum(levels, levels.max() - np.float32(range_db))
    return limited


def onset_strength(mel_db: np.ndarray, *, delay_frames: int) -> np.ndarray:
    """Return the mean rise over bands since the frame before, shape (frames,), non-negative, in dB.

    delay_frames: by how much a centred window sees an onset too early. Source: Böck & Widmer 2013, without its filter.
    """
    rise = np.zeros(len(mel_db), np.float32)
    rises = np.maximum(np.diff(mel_db, axis=0), 0).mean(axis=1)
    kept = max(0, len(mel_db) - 1 - delay_frames)
    rise[1 + delay_frames :] = rises[:kept]
    return rise
