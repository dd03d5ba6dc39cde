"""What each unit sounds like: pitch classes, timbre and rhythm of its parts, and how loud it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from processors.audio.signal import FRAME_RATE_HZ, Signal
from processors.harmony.pitch_classes import pitch_classes_of
from processors.harmony.salience import FRAME_RATE_HZ as PITCH_RATE_HZ
from processors.rhythm.novelty import RATE_HZ, novelty_of
from processors.structure.grid import Grid, means

BANDS = 16
_BASS_SHARE = 0.5
_LEAST_SPREAD_DB = 3.0
_LEAST_SPREAD = 0.15
_HIGH_BANDS = 5


@dataclass(frozen=True, slots=True)
class Content:
    """Rows of units: what sounds, and how.

    pitches: treble and bass a slot, shape (units, slots, 2, 12), each row of twelve without its mean and such that a
    unit that is like another in all gives a product of 1. texture: bands in dB and rises a slot, in what is usual
    between units, shape (units, slots, n). level_db, shape (units,); high_db: of the high bands a slot, (units, slots).
    """

    pitches: np.ndarray
    texture: np.ndarray
    level_db: np.ndarray
    high_db: np.ndarray

    @property
    def units(self) -> int:
        """How many."""
        return len(self.level_db)


def content_of(signal: Signal, grid: Grid) -> Content:
    """Describe every unit of a grid."""
    edges_s, shape = grid.slot_edges_s, (grid.units, grid.slots)
    heard, novelty = signal.once(pitch_classes_of), signal.once(novelty_of)
    pitches = [centred(means(part, PITCH_RATE_HZ, edges_s)) for part in (heard.treble, heard.bass)]
    shares = np.sqrt(np.array([1 - _BASS_SHARE, _BASS_SHARE]) / grid.slots)[:, None]
    bands = means(signal.mel_db, FRAME_RATE_HZ, edges_s).reshape(len(edges_s) - 1, BANDS, -1).mean(axis=2)
    rises = np.stack([_usual(means(part, RATE_HZ, edges_s)) for part in (novelty.attack, novelty.bass)], axis=1)
    texture = np.concatenate(
        [standard(bands, _LEAST_SPREAD_DB) / np.sqrt(BANDS), 0.5 * standard(rises, _LEAST_SPREAD)], axis=1
    )
    return Content(
        pitches=(np.stack(pitches, axis=1) * shares).reshape(*shape, 2, 12).astype(np.float32),
        texture=texture.reshape(*shape, -1).astype(np.float32),
        level_db=10 * np.log10(means(signal.mel_power, FRAME_RATE_HZ, grid.edges_s) + 1e-9),
        high_db=bands[:, -_HIGH_BANDS:].mean(axis=1).reshape(shape),
    )


def centred(classes: np.ndarray) -> np.ndarray:
    """Return rows without their mean, at unit length, those of nothing at nothing."""
    off = classes - classes.mean(axis=1, keepdims=True)
    return np.asarray(off / (np.linalg.norm(off, axis=1, keepdims=True) + 0.05))


def standard(values: np.ndarray, least: float) -> np.ndarray:
    """Return columns in standard deviations, at least `least` each, from their mean."""
    return np.asarray((values - values.mean(axis=0)) / np.maximum(values.std(axis=0), least))


def _usual(rises: np.ndarray) -> np.ndarray:
    return np.log1p(rises / max(float(rises.mean()), 1e-9))
