"""The space of likeness: directions in which renderings of one piece agree, learnt once, and what it sounds like.

`space.npz` is made by `python -m benchmarks.hearing.learn_likeness`; docs/analysis.md has its card.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np

from processors.audio.signal import Signal
from processors.likeness.colour import colour_numbers
from processors.likeness.intervals import harmony_numbers, tonal_share

SPACE = "piece-and-sound-1"
DIMENSIONS = 128
LEARNT = 72
"""Dimensions of what a piece keeps in other renderings; the rest tell what it sounds like."""
_PIECE = 0.8
"""Share of the likeness of harmonies that goes by the piece; drums and noise are compared by their sound."""
_FURTHEST = 4.0


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a sound. piece: shape (2184,); sound: shape (56,); tonal: 0 to 1, how far it is harmony."""

    piece: np.ndarray
    sound: np.ndarray
    tonal: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt. mean, scale: of the numbers of a piece, shape (2184,); directions: shape (2184, LEARNT).

    sound_mean: shape (56,), that of usual music, from which sounds differ.
    """

    mean: np.ndarray
    scale: np.ndarray
    directions: np.ndarray
    sound_mean: np.ndarray


@cache
def learnt() -> Learnt:
    """Read what was learnt."""
    with np.load(BytesIO((files(__package__) / "space.npz").read_bytes()), allow_pickle=False) as arrays:
        return Learnt(**{name: arrays[name].astype(np.float64) for name in arrays.files})


def described(signal: Signal) -> Described:
    """Describe a sound."""
    return Described(harmony_numbers(signal), colour_numbers(signal), tonal_share(signal))


def placed(heard: Described, space: Learnt) -> np.ndarray:
    """Return the vector of what was heard, shape (128,), unit length."""
    piece = heard.tonal * unit(standard(heard.piece, space) @ space.directions)
    sound = unit(heard.sound - space.sound_mean)
    vector = np.concatenate([np.sqrt(_PIECE) * piece, np.sqrt(1 - _PIECE) * sound])
    return np.asarray(vector / np.linalg.norm(vector))


def standard(numbers: np.ndarray, space: Learnt) -> np.ndarray:
    """Return how far numbers are from their means, in usual deviations, within four."""
    return np.asarray(np.clip((numbers - space.mean) / space.scale, -_FURTHEST, _FURTHEST))


def unit(values: np.ndarray) -> np.ndarray:
    """Return a vector at unit length; of nothing, the first axis."""
    length = float(np.linalg.norm(values))
    return np.asarray(values / length if length > 0 else np.eye(1, len(values))[0])
