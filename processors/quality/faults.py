"""A fault, and pieces of sound to look for faults in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

FRAME = 4096
"""Samples of a spectrum's frame; a piece is a whole number of them."""
PIECE_S = 6.0
MARGIN_S = 0.6
LSB = 1 / 32768
"""A step of 16 bits, what most sounds were once rounded to."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong from when to when, how bad it is and how surely it is one, both from 0 to 1."""

    kind: str
    start_s: float
    end_s: float
    severity: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of shape (channels, margin + frames + margin), float32; the first one that it is asked about is `start`.

    Beyond the ends of the sound there is silence.
    """

    samples: np.ndarray
    start: int
    frames: int
    margin: int
    rate_hz: int

    @property
    def core(self) -> np.ndarray:
        """The samples without their margins, shape (channels, frames)."""
        return self.samples[:, self.margin : self.margin + self.frames]


def pieces(blocks: Iterable[np.ndarray], rate_hz: int, channels: int) -> Iterator[Piece]:
    """Cut blocks of any length, shape (channels, n), into the same pieces of six seconds, the last one shorter."""
    size, margin = max(1, round(PIECE_S * rate_hz / FRAME)) * FRAME, round(MARGIN_S * rate_hz)
    silence = np.zeros((channels, margin), np.float32)
    held, length, start = [silence], margin, 0
    for block in blocks:
        held.append(block)
        length += block.shape[1]
        while length >= size + 2 * margin:
            joined = np.concatenate(held, axis=1)
            yield Piece(joined[:, : size + 2 * margin], start, size, margin, rate_hz)
            held, length, start = [joined[:, size:]], length - size, start + size
    joined = np.concatenate([*held, silence], axis=1)
    left = joined.shape[1] - 2 * margin
    for first in range(0, left, size):
        frames = min(size, left - first)
        yield Piece(joined[:, first : first + frames + 2 * margin], start + first, frames, margin, rate_hz)


def share(value: float, low: float, high: float) -> float:
    """Where a value lies between two bounds, 0 at the first, 1 at the second."""
    return float(min(1.0, max(0.0, (value - low) / (high - low))))


def merged(spans: Iterable[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Join spans (start, end) that lie no further apart than `gap`, in order."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
