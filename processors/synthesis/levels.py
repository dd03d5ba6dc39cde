"""Bring a mix to a level and under a ceiling, without a corner in its gain."""

from __future__ import annotations

import numpy as np

WINDOW = 64
LOOK = 24
"""Windows on either side that a peak turns down: 35 ms at 44.1 kHz."""
MOST_DB = 48.0
OVERSAMPLING = 4
STRETCH = 4096


def db(level: float) -> float:
    """The factor of a level in decibels."""
    return float(10.0 ** (level / 20))


def levelled(mix: np.ndarray, *, rate_hz: int, loud_dbfs: float, ceiling_dbtp: float) -> np.ndarray:
    """Make the louder passages of a mix `loud_dbfs` RMS, and keep its true peak below the ceiling.

    mix: shape (2, frames), float32, changed in place. Loud is the 95th percentile of what sounds at all, in windows
    of 0.1 s; it is raised or lowered by 48 dB at most. Silence stays silence. Returns the mix.
    Source: true peak by ITU-R BS.1770-4, annex 2; look-ahead limiting with a minimum filter and two box filters.
    """
    loud = _loud(mix, rate_hz // 10)
    if loud == 0:
        return mix
    mix *= np.float32(np.clip(db(loud_dbfs) / loud, db(-MOST_DB), db(MOST_DB)))
    limited = _limited(mix, db(ceiling_dbtp - 0.3))
    peak = true_peak(limited, above=db(ceiling_dbtp - 3.0))
    if peak > db(ceiling_dbtp):
        limited *= np.float32(db(ceiling_dbtp - 0.01) / peak)
    return limited


def _loud(mix: np.ndarray, window: int) -> float:
    window = min(window, mix.shape[1])
    whole = mix.shape[1] // window * window
    windows = mix[:, :whole].reshape(2, -1, window)
    power = np.mean(np.einsum("cwf,cwf->cw", windows, windows), axis=0) / window
    sounding = power[power > power.max() * 1e-4]
    return float(np.sqrt(np.percentile(sounding, 95))) if len(sounding) else 0.0


def _limited(mix: np.ndarray, ceiling: float) -> np.ndarray:
    """Turn down around peaks: the gain is at or below what each window needs, and moves in straight lines."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    frames = mix.shape[1]
    windows = -(-frames // WINDOW)
    peaks = np.zeros(windows + 1)
    for channel in mix:
        padded = np.pad(np.abs(channel), (0, windows * WINDOW - frames))
        np.maximum(peaks[:-1], padded.reshape(-1, WINDOW).max(axis=1), out=peaks[:-1])
    if peaks.max() <= ceiling:
        return mix
    needed = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    gain = minimum_filter1d(needed, 2 * LOOK + 3)
    gain = uniform_filter1d(uniform_filter1d(gain, LOOK + 1), LOOK + 1)
    at = np.arange(WINDOW, dtype=np.float32) / WINDOW
    lines = gain[:-1, None].astype(np.float32) + np.diff(gain)[:, None].astype(np.float32) * at
    mix *= lines.ravel()[:frames]
    return mix


def true_peak(mix: np.ndarray, *, above: float = 0.0) -> float:
    """The highest level between samples too, looked for only around samples above `above`; shape (2, frames)."""
    from scipy.signal import resample_poly

    frames = mix.shape[1]
    highest = 0.0
    for channel in mix:
        level = np.abs(channel)
        highest = max(highest, float(level.max(initial=0.0)))
        for stretch in np.unique(np.flatnonzero(level > above) // STRETCH):
            first, last = max(0, stretch * STRETCH - WINDOW), min(frames, (stretch + 1) * STRETCH + WINDOW)
            finer = resample_poly(channel[first:last].astype(np.float64), OVERSAMPLING, 1)
            highest = max(highest, float(np.abs(finer).max()))
    return highest
