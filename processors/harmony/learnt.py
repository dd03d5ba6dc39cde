"""How well each chord explains what sounds, by weights that were learnt from rendered music, one set for all roots.

A log-linear model of what is heard around the root of a chord, in a conditional random field whose changes cost the
less, the surer a beat is there. Source: Lafferty, McCallum & Pereira 2001 for the field; Sheh & Ellis 2003 for turning
what is learnt of one root to all others. The recipe is `benchmarks/harmony`, the card beside the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from processors.harmony.pitch_classes import PitchClasses
from processors.harmony.pulse import Pulse
from processors.harmony.salience import FRAME_RATE_HZ

_FILE = Path(__file__).with_name("chords.npz")
CHANGES = 5
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Weights:
    """What is learnt: weights of what is heard, shape (features, qualities), and of changes, shape (5,)."""

    tones: np.ndarray
    changes: np.ndarray


@cache
def weights() -> Weights:
    """The weights that come with the program."""
    with np.load(_FILE, allow_pickle=False) as held:
        return Weights(held["tones"].astype(np.float32), held["changes"].astype(np.float64))


def rows_of(heard: PitchClasses) -> np.ndarray:
    """What is heard of each pitch class, shape (frames, 8, 12), float32: treble, bass, middle, high, their squares."""
    now = np.stack([heard.treble, heard.bass, heard.middle, heard.high], axis=1)
    return np.concatenate([now, now * now], axis=1)


def turned(rows: np.ndarray, root: int) -> np.ndarray:
    """Features of a root: rows counted from it, how much sounds in all, and 1, shape (frames, features)."""
    ones = np.ones((len(rows), 1), np.float32)
    full = rows[:, 0].sum(axis=1, keepdims=True) / 12
    return np.concatenate([np.roll(rows, -root, axis=2).reshape(len(rows), -1), full, ones], axis=1)


def chord_scores(rows: np.ndarray, tones: np.ndarray) -> np.ndarray:
    """Log-odds of each chord, up to a term of the frame, shape (frames, qualities * 12): all roots of each quality."""
    found = np.empty((len(rows), 12 * tones.shape[1]), np.float32)
    for at in range(0, len(rows), _BLOCK):
        for root in range(12):
            found[at : at + _BLOCK, root::12] = turned(rows[at : at + _BLOCK], root) @ tones
    return found


def change_features(frames: int, pulse: Pulse) -> np.ndarray:
    """What changes go by, shape (frames, 5).

    1; whether a beat is near, how sure it is, and how sure that it begins a bar; how much an onset stands out there.
    """
    features = np.zeros((frames, CHANGES))
    features[:, 0] = 1
    for column, times_s, how in (
        (1, pulse.beats_s, 1.0),
        (2, pulse.beats_s, pulse.confidence),
        (3, pulse.downbeats_s, pulse.confidence),
        (4, pulse.onsets_s, np.array(pulse.strengths)),
    ):
        places = np.asarray(times_s, float) * FRAME_RATE_HZ
        for near in (np.floor(places), np.ceil(places)):
            at = np.minimum(near.astype(np.int64), frames - 1)
            np.maximum.at(features[:, column], at, how)
    return features
