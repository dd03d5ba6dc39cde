"""How long sounds take to rise."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

STEP = 22
"""Samples of a step of the envelope, 1 ms at 22,050 Hz."""
_SMOOTHED = 11
_LOW, _HIGH = 0.1, 0.9
_LONGEST_S = 2.0
_EARLY = 30
"""Steps before an onset at which its rise may be over; one that is over earlier belongs to the onset before."""


def envelope(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Return the mean power of every 22 samples of a stream, blocks of shape (n,) each, shape (n // 22,), float32."""
    parts, rest = [], np.zeros(0, np.float32)
    for block in blocks:
        samples = np.concatenate([rest, block])
        whole = len(samples) // STEP * STEP
        steps = samples[:whole].reshape(-1, STEP)
        parts.append(np.einsum("ij,ij->i", steps, steps) / np.float32(STEP))
        rest = samples[whole:]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def attacks_s(power: np.ndarray, onsets_s: np.ndarray, *, step_s: float) -> np.ndarray:
    """Return how long onsets take to their top, in seconds, shape (heard,); without onsets, how long the whole takes.

    power: as of `envelope`. Each is looked for between the onset before and the one behind.
    """
    from scipy.ndimage import convolve1d

    kernel = np.hanning(_SMOOTHED + 2)[1:-1]
    padded = np.pad(power, (_SMOOTHED, 0))  # a sound may begin with its file: before that, all is silent
    level = np.sqrt(np.maximum(0, convolve1d(padded, kernel / kernel.sum(), mode="constant")))
    places = np.unique(np.minimum((onsets_s / step_s).astype(int), max(0, len(power) - 1))) + _SMOOTHED
    onsets = places.tolist() or [0]
    longest = int(_LONGEST_S / step_s)
    found = [
        rise_steps(level[max(before, here - longest) : min(behind, here + longest)], min(here - before, longest))
        for before, here, behind in zip([0, *onsets], onsets, [*onsets[1:], len(level)], strict=False)
    ]
    return np.array([steps * step_s for steps in found if steps is not None])


def rise_steps(level: np.ndarray, onset: int) -> float | None:
    """Return how many steps a level takes from its lowest to its top, as a straight rise would; None without one.

    The top is sought from step `onset` on. Told by when a tenth and nine tenths of the way up are passed.
    Source: the attack time of Peeters 2004, with fixed shares.
    """
    if len(level) < 3 or onset >= len(level):
        return None
    top = onset + int(np.argmax(level[onset:]))
    start = int(np.argmin(level[: top + 1]))
    lowest, highest = float(level[start]), float(level[top])
    if not highest > 1.25 * lowest:
        return None
    rise = (level[start : top + 1].astype(np.float64) - lowest) / (highest - lowest)
    reached = int(np.argmax(rise >= _HIGH))
    if start + reached < onset - _EARLY:
        return None
    below = int(np.flatnonzero(rise[:reached] <= _LOW)[-1])
    return max(0.0, (_crossing(rise, reached - 1, _HIGH) - _crossing(rise, below, _LOW)) / (_HIGH - _LOW))


def _crossing(values: np.ndarray, at: int, share: float) -> float:
    """Where between a step and the next a share is passed."""
    step = float(values[at + 1] - values[at])
    return at + (share - float(values[at])) / step if step > 0 else float(at)
