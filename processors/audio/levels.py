"""Levels of a sound in one pass over its samples: what its analyses rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

FULL_SCALE = 32767 / 32768
"""The highest sample that 16 bits hold: from here on a sample counts as clipped."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Largest magnitude, means and mean powers of each channel and of their mean; how many samples are clipped.

    means and powers: shape (channels,), float64. A peak that is not finite tells of samples that are not.
    """

    peak: float
    means: np.ndarray
    powers: np.ndarray
    mixed_power: float
    clipped_samples: int

    @property
    def cancelled(self) -> bool:
        """Whether the channels cancel each other in their mean."""
        channels = len(self.powers)
        return channels > 1 and self.mixed_power < 1e-4 * float(self.powers.sum()) / channels**2

    @property
    def strongest(self) -> int:
        """The channel of the greatest power."""
        return int(np.argmax(self.powers))


def mixed_channels(block: np.ndarray) -> np.ndarray:
    """Return the mean of the channels of a block of shape (channels, n), float32; quicker than NumPy's for a few."""
    total: np.ndarray = block[0].copy()
    for channel in block[1:]:
        total += channel
    total /= np.float32(len(block))
    return total


def levels_of(blocks: Iterable[np.ndarray]) -> Levels:
    """Measure blocks of shape (channels, n)."""
    peak, clipped, frames, mixed = np.float32(0), 0, 0, 0.0
    sums = squares = np.zeros(1)  # float64, and so is what is added to it
    for block in blocks:
        loudest = np.maximum(block.max(), -block.min())
        peak = np.maximum(peak, loudest)
        if loudest >= FULL_SCALE:
            clipped += int(np.count_nonzero(np.abs(block) >= FULL_SCALE))
        sums = sums + block.sum(axis=1)
        squares = squares + [float(np.dot(channel, channel)) for channel in block]
        together = mixed_channels(block)
        mixed += float(np.dot(together, together))
        frames += block.shape[1]
    return Levels(float(peak), sums / frames, squares / frames, mixed / frames, clipped)
