"""Spectra of sound that comes in blocks: magnitudes, mel bands, decibels, onset strength."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np

N_FFT = 2048
HOP = 512
AT_ONCE = 128
"""Frames of a block: its spectra fit into a processor's cache."""


def framed(blocks: Iterable[np.ndarray], *, window: int, hop: int) -> Iterator[np.ndarray]:
    """Cut a stream, blocks of shape (n,), into windows centred on every `hop`-th sample, with zeros beyond its ends.

    Yields views of shape (128, window), fewer at the end; window is even and not below hop. There are 1 + n // hop.
    """
    pending = [np.zeros(window // 2, np.float32)]
    held, wanted = window // 2, window + (AT_ONCE - 1) * hop

    def cut(samples: np.ndarray) -> Iterator[np.ndarray]:
        at = 0
        while len(samples) - at >= window:
            frames = np.lib.stride_tricks.sliding_window_view(samples[at : at + wanted], window)[::hop]
            yield frames
            at += len(frames) * hop

    for block in blocks:
        pending.append(block)
        held += len(block)
        if held >= wanted:
            samples = np.concatenate(pending)
            whole = (held - wanted) // (AT_ONCE * hop) + 1
            yield from cut(samples[: wanted + (whole - 1) * AT_ONCE * hop])
            pending = [samples[whole * AT_ONCE * hop :]]
            held = len(pending[0])
    yield from cut(np.concatenate([*pending, np.zeros(window // 2, np.float32)]))


def magnitudes(blocks: Iterable[np.ndarray], *, n_fft: int, hop: int) -> Iterator[np.ndarray]:
    """Yield magnitudes of a stream under a periodic Hann window, framed as by `framed`, shape (128, n_fft // 2 + 1).

    float32, but transformed in double precision: bins far below the loudest count where logarithms are taken.
    """
    import scipy.fft

    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    for frames in framed(blocks, window=n_fft, hop=hop):
        yield np.abs(scipy.fft.rfft(frames * window, axis=1).astype(np.complex64))


def placed(blocks: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """Give each block with the index of its first row."""
    at = 0
    for block in blocks:
        yield at, block
        at += len(block)


def resampled(blocks: Iterable[np.ndarray], rate_hz: int, to_hz: int, *, frames: int) -> Iterator[np.ndarray]:
    """Bring a stream of `frames` samples, shape (n,) each, to another rate: ceil(frames * to / from) samples."""
    if rate_hz == to_hz:
        yield from blocks
        return
    import soxr

    resampler = soxr.ResampleStream(rate_hz, to_hz, 1, dtype="float32", quality="HQ")
    wanted, given, taken = -(-frames * to_hz // rate_hz), 0, 0
    for block in blocks:
        taken += len(block)
        part = resampler.resample_chunk(np.ascontiguousarray(block), last=taken == frames)[: wanted - given]
        given += len(part)
        if len(part):
            yield part
    if given < wanted:
        yield np.zeros(wanted - given, np.float32)


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


def decibels(power: np.ndarray, *, floor: float = 1e-10) -> np.ndarray:
    """Return power in dB re 1, never lower than `floor`."""
    levels: np.ndarray = 10 * np.log10(np.maximum(power, np.float32(floor)))
    return levels


def limited(levels_db: np.ndarray, *, range_db: float = 80.0) -> np.ndarray:
    """Raise what lies more than `range_db` below the loudest, in place; returns the same array."""
    np.maximum(levels_db, levels_db.max() - levels_db.dtype.type(range_db), out=levels_db)
    return levels_db


def onset_strength(mel_db: np.ndarray, *, delay_frames: int) -> np.ndarray:
    """Return the mean rise over bands since the frame before, shape (frames,), non-negative, in dB.

    delay_frames: by how much a centred window sees an onset too early. Source: Böck & Widmer 2013, without its filter.
    """
    rise = np.zeros(len(mel_db), np.float32)
    for start in range(1, len(mel_db) - delay_frames, AT_ONCE):
        part = mel_db[start - 1 : min(start + AT_ONCE, len(mel_db) - delay_frames)]
        rises = np.maximum(np.diff(part, axis=0), 0).mean(axis=1)
        rise[start + delay_frames : start + delay_frames + len(rises)] = rises
    return rise
