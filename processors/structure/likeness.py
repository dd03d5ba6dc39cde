"""How alike units are: each with each, in texture and in what is played, in whatever key."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from processors.structure.content import Content

KEY_CHANGE = 0.1
"""By how much a passage must be more like another in another key than in the same one."""


def texture_likeness(content: Content) -> np.ndarray:
    """Return how alike the sound of units is, 0 to 1, shape (units, units), float32."""
    slots = content.texture.shape[1]
    rows = content.texture.reshape(content.units, -1) / np.float32(np.sqrt(slots))
    squares = np.einsum("ij,ij->i", rows, rows)
    apart = squares[:, None] + squares - 2 * (rows @ rows.T)
    return np.asarray(np.exp(-np.maximum(0, apart)))


def pitch_likeness(content: Content) -> Iterator[tuple[int, np.ndarray]]:
    """Yield semitones from 0 to 11 and how alike the pitches of units are, those of the second so much lower, -1 to 1.

    Shape (units, units) each, float32.
    """
    flat = content.pitches.reshape(content.units, -1)
    for semitones in range(12):
        yield semitones, flat @ np.roll(content.pitches, -semitones, axis=3).reshape(content.units, -1).T


def ahead(likeness: np.ndarray, length: int) -> np.ndarray:
    """Return the mean of the next `length` of each diagonal, fewer at the bottom, nothing right of the last column.

    Shape of `likeness`. Cell (i, j) tells how alike what goes on from i is to what goes on from j.
    """
    units = len(likeness)
    found = likeness.copy()
    for step in range(1, min(length, units)):
        found[: units - step, : units - step] += likeness[step:, step:]
    found /= np.minimum(length, units - np.arange(units))[:, None].astype(likeness.dtype)
    return found


def passages(content: Content, texture: np.ndarray, length: int) -> np.ndarray:
    """Return how alike what goes on from each unit is to what goes on from each other, in the key that suits best.

    texture: as `texture_likeness` gives it; where the sound differs too, the pitches count by half.
    Source: Müller & Clausen 2007, transposition-invariant self-similarity matrices, with smoothing along diagonals.
    """
    best = np.full((content.units, content.units), -np.inf, np.float32)
    share = np.float32(0.5) + np.float32(0.5) * texture
    for semitones, likeness in pitch_likeness(content):
        np.maximum(best, ahead(likeness * share, length) - np.float32(KEY_CHANGE * (semitones > 0)), out=best)
    return best
