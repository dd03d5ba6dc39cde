"""The pitch of one voice every 10 ms: SwiftF0's, in the octave that the spectrum speaks for, note by note."""

from __future__ import annotations

import numpy as np

from processors.audio.signal import ANALYSIS_RATE_HZ, Signal
from processors.melody import swift
from processors.melody.tune import FRAME_RATE_HZ, Tune, line_of

RATE_HZ = 100
"""Frames a second of what is told."""
_FAVOUR = 0.1
_NEAR_CENTS = 80.0
_RATIOS = np.array([1.0, 0.5, 2.0, 1 / 3, 3.0, 0.25, 4.0])
_RING_DB, _RING_S, _RING_SOFT_DB = 30.0, 2.5, 2.0
_LEAP_CENTS = 80.0
_BACK_S, _DIP_DB = 0.09, 1.0
_GLIDE = 6
"""Frames to either side of a leap in which a glide would be seen."""
_SMOOTH_S = 0.03


def voice_of(signal: Signal) -> tuple[np.ndarray, np.ndarray]:
    """Return the pitch in Hz and how probably it sounds, every 10 ms, shape (frames,) each; 0 Hz where none is told."""
    hz, sure = signal.once(swift.f0_of)
    if not len(hz):
        return np.zeros(0), np.zeros(0)
    line = line_of(signal, _favoured(hz, sure, signal.spectral_frames))
    level_db = signal.once(levels_db)
    at_s = np.arange(len(level_db)) / RATE_HZ
    from_net = np.minimum(np.rint(at_s / swift.FRAME_S).astype(int), len(hz) - 1)
    pitch = _in_octave(hz[from_net], line, at_s)
    voiced = sure[from_net] * _ringing(level_db)
    return _from_their_beginnings(pitch, voiced, level_db), voiced


def levels_db(signal: Signal) -> np.ndarray:
    """Level of what swings in the mono, every 10 ms over 30 ms around, in dB re full scale, shape (frames,)."""
    import scipy.ndimage

    parts: list[np.ndarray] = []
    rest, taken, told = np.zeros(0), 0, 0
    for block in signal.analysis_blocks():
        samples = np.concatenate([rest, block.astype(np.float64)])
        count = (taken + len(samples)) * RATE_HZ // ANALYSIS_RATE_HZ - told
        starts = (np.arange(told, told + count + 1) * ANALYSIS_RATE_HZ) // RATE_HZ - taken
        if count:
            parts.append(_variances(samples[: starts[-1]], starts))
        rest, taken, told = samples[starts[-1] :], taken + int(starts[-1]), told + count
    if not parts:
        return np.zeros(0, np.float32)
    smooth = scipy.ndimage.uniform_filter1d(np.concatenate(parts), round(_SMOOTH_S * RATE_HZ), mode="nearest")
    return np.asarray(10 * np.log10(np.maximum(smooth, 1e-12)), np.float32)


def _variances(samples: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The variance of samples between each start and the next: power without what stands still."""
    lengths = np.diff(starts)
    means = np.add.reduceat(samples, starts[:-1]) / lengths
    return np.asarray(np.add.reduceat(np.square(samples), starts[:-1]) / lengths - np.square(means))


def _favoured(hz: np.ndarray, sure: np.ndarray, frames: int) -> np.ndarray:
    """What the network says, at the frames of the spectra, shape (frames, 2)."""
    at = np.minimum(np.rint(np.arange(frames) / FRAME_RATE_HZ / swift.FRAME_S).astype(int), len(hz) - 1)
    return np.stack([hz[at], _FAVOUR * sure[at]], axis=1)


def _in_octave(hz: np.ndarray, line: Tune, at_s: np.ndarray) -> np.ndarray:
    """Bring each pitch to where the line is, now or two frames around; where no ratio does, take the line's."""
    at = np.rint(at_s * FRAME_RATE_HZ).astype(int)
    around = np.clip(at[:, None] + np.arange(-2, 3), 0, len(line.hz) - 1)
    near = np.abs(_cents(hz[:, None], line.hz[around])).min(axis=1) <= _NEAR_CENTS
    here = line.hz[around[:, 2]].astype(np.float64)
    away = np.abs(_cents(hz[:, None] * _RATIOS, here[:, None]))
    best = away.argmin(axis=1)
    moved = np.where(away.min(axis=1) <= _NEAR_CENTS, hz * _RATIOS[best], here)
    return np.where(near, hz, moved)


def _cents(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(1200 * np.log2(np.maximum(one, 1.0) / np.maximum(other, 1.0)))


def _ringing(level_db: np.ndarray) -> np.ndarray:
    """How surely a note still rings: it has died away 30 dB below the loudest of the last seconds; shape (frames,)."""
    import scipy.ndimage

    width = round(_RING_S * RATE_HZ)
    loudest = scipy.ndimage.maximum_filter1d(level_db, width, origin=(width - 1) // 2, mode="nearest")
    return np.asarray(1 / (1 + np.exp(-np.clip((level_db - loudest + _RING_DB) / _RING_SOFT_DB, -40, 40))))


def _from_their_beginnings(hz: np.ndarray, voiced: np.ndarray, level_db: np.ndarray) -> np.ndarray:
    """Let each note that is leapt to begin where the level rises to it: a window sees the note before for some time."""
    found = hz.copy()
    leaps = np.flatnonzero((np.abs(_cents(hz[1:], hz[:-1])) > _LEAP_CENTS) & (voiced[1:] >= 0.5)) + 1
    before = 0
    for leap in leaps.tolist():
        first = max(before, leap - round(_BACK_S * RATE_HZ))
        before = leap
        if leap - first < 2 or _glides(hz[max(0, leap - _GLIDE) : leap + _GLIDE]):
            continue
        lowest = first + int(level_db[first : leap + 1].argmin())
        rise = level_db[leap : leap + 4].max() - level_db[lowest]
        fall = level_db[max(0, first - 2) : lowest + 1].max() - level_db[lowest]
        if rise >= _DIP_DB and fall >= _DIP_DB:
            found[lowest:leap] = hz[min(leap + 1, len(hz) - 1)]
    return found


def _glides(hz: np.ndarray) -> bool:
    """Whether a pitch goes from the first to the last of some frames by two steps or more."""
    way = _cents(hz, hz[:1])
    whole = float(way[-1]) or 1.0
    between = way[(way / whole > 0.12) & (way / whole < 0.88)]
    return len(np.unique(np.round(between, -1))) >= 2
