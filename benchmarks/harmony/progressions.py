"""Seeded rows of chords, drawn by how usual each is in its key."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np

from benchmarks.harmony.textbook import chord_costs
from processors.harmony.keys import KEYS
from processors.harmony.roman import MAJOR, Key

COLOURS: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "maj": (("maj", (0, 4, 7)), ("maj", (0, 4, 7, 9)), ("maj", (0, 2, 4, 7))),
    "min": (("min", (0, 3, 7)), ("min", (0, 3, 7, 9)), ("min", (0, 2, 3, 7))),
    "7": (("7", (0, 4, 7, 10)), ("7", (0, 2, 4, 7, 10)), ("7", (0, 4, 9, 10))),
    "maj7": (("maj7", (0, 4, 7, 11)), ("maj7", (0, 2, 4, 7, 11))),
    "min7": (("min7", (0, 3, 7, 10)), ("min7", (0, 2, 3, 7, 10))),
    "dim": (("dim", (0, 3, 6)),),
    "hdim7": (("hdim7", (0, 3, 6, 10)),),
    "dim7": (("dim7", (0, 3, 6, 9)),),
    "aug": (("aug", (0, 4, 8)),),
    "sus4": (("sus4", (0, 5, 7)),),
}
"""Each kind as it is told, and the tones that it may have, the usual first."""
_RICHER = {"maj": "maj7", "min": "min7", "dim": "hdim7"}
_TEMPERATURES = (0.5, 0.7, 0.7, 1.1)
_FIFTH_DOWN, _SUSPENDED = 1.0, -1.0
_COLOURED, _INVERTED, _MODULATES = 0.08, 0.22, 0.04


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chord in its key: root from C, its quality as it is told, what sounds of it above the root, and its bass."""

    root: int
    quality: str
    tones: tuple[int, ...]
    bass: int
    key: Key


def progression(chance: random.Random, count: int) -> list[Drawn]:
    """Draw so many chords: the likelier, the more usual in the key; roots fall by fifths more often than not."""
    key = chance.choice(KEYS)
    rich = chance.choice((0.0, 0.0, 0.15, 0.4, 0.8))
    usual = chance.choice(_TEMPERATURES)
    plain = [_drawn(chance, key, key.tonic, "maj" if key.mode == MAJOR else "min", 0.0)]
    for _ in range(count - 1):
        if chance.random() < _MODULATES:
            key = _neighbour(chance, key)
        root, quality = _next(chance, key, plain[-1].root, usual)
        if quality in _RICHER and chance.random() < rich:
            quality = "7" if (root - key.tonic) % 12 == 7 and quality == "maj" else _RICHER[quality]
        plain.append(_drawn(chance, key, root, quality, _INVERTED))
    return plain


def _next(chance: random.Random, key: Key, before: int, temperature: float) -> tuple[int, str]:
    options = [(root, quality) for quality in COLOURS for root in range(12)]
    costs = np.array([chord_costs(quality, root)[KEYS.index(key)] for root, quality in options])
    odds = np.exp(-costs / temperature)
    roots = np.array([root for root, _ in options])
    odds *= np.where((roots - before) % 12 == 5, math.exp(_FIFTH_DOWN), 1.0)
    odds *= np.where(roots == before, 0.15, 1.0)
    odds *= [math.exp(_SUSPENDED) if quality == "sus4" else 1.0 for _, quality in options]
    return chance.choices(options, weights=odds.tolist())[0]


def _drawn(chance: random.Random, key: Key, root: int, quality: str, inverted: float) -> Drawn:
    colours = COLOURS[quality]
    told, tones = colours[0] if chance.random() > _COLOURED else chance.choice(colours)
    bass = chance.choice([tone for tone in tones if tone]) if chance.random() < inverted else 0
    if bass == 2 or quality in ("dim7", "aug", "sus4"):
        bass = 0
    return Drawn(root, told, tones, bass, key)


def _neighbour(chance: random.Random, key: Key) -> Key:
    near = [other for other in KEYS if len(other.scale & key.scale) >= 6 and other != key]
    return chance.choice(near)
