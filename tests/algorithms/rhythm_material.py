"""Music of known bars, tempo and swing."""

from __future__ import annotations

import numpy as np
from audio_material import chord, clicks


def band(
    bars: int, per_bar: int, tempo_bpm: float, *, halved: float = 0.5, halves: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """A chord a bar, a click a beat, and one as loud as `halves` where the beat is halved; (1, frames), and its beats.

    halved: the share of a beat that its first half takes.
    """
    period_s = 60 / tempo_bpm
    times_s = 0.3 + period_s * np.arange(bars * per_bar)
    samples = np.zeros(round((times_s[-1] + 2 * period_s) * 44_100), np.float32)
    for bar, start_s in enumerate(times_s[::per_bar]):
        root = 48 + (0, 5, 7, 9)[bar % 4]
        _add(samples, start_s, chord([root - 12, root, root + 4, root + 7], per_bar * period_s))
    for time_s in times_s:
        _add(samples, time_s, 0.4 * click())
        _add(samples, time_s + halved * period_s, halves * click())
    return samples[None], times_s


def _add(samples: np.ndarray, at_s: float, sound: np.ndarray) -> None:
    held = samples[round(at_s * 44_100) :][: len(sound)]
    held += sound[: len(held)]


def click() -> np.ndarray:
    """One click, shape (frames,)."""
    only: np.ndarray = clicks(60, 0.4)[0][0, 11_025:]
    return only


def accelerating(start_bpm: float, end_bpm: float, duration_s: float) -> np.ndarray:
    """Clicks whose tempo goes evenly in time from one to another from 0.3 s on, shape (1, frames)."""
    rise = (end_bpm - start_bpm) / duration_s
    beats = np.arange(int(duration_s * (start_bpm + end_bpm) / 120))
    times_s = 0.3 + (np.sqrt(start_bpm**2 + 120 * rise * beats) - start_bpm) / rise
    samples = np.zeros(round((duration_s + 1) * 44_100), np.float32)
    for time_s in times_s:
        _add(samples, time_s, click())
    return samples[None]
