"""What a chord costs in a key by textbook usage: what one would say without having counted.

Source: Piston & DeVoto 1987, "table of usual root progressions".
"""

from __future__ import annotations

import numpy as np

from processors.harmony.keys import KEYS
from processors.harmony.roman import MAJOR, MINOR

UNUSUAL = 6.0
COSTS: dict[str, dict[tuple[int, str], float]] = {
    MAJOR: {
        (0, "maj"): 0.7, (0, "maj7"): 1.6, (7, "maj"): 1.2, (7, "7"): 0.9, (5, "maj"): 1.7, (5, "maj7"): 2.3,
        (2, "min"): 2.1, (2, "min7"): 2.0, (9, "min"): 2.2, (9, "min7"): 2.6, (4, "min"): 3.2, (4, "min7"): 3.2,
        (11, "dim"): 2.3, (11, "hdim7"): 2.6, (11, "dim7"): 3.6, (2, "maj"): 3.9, (2, "7"): 3.6, (9, "maj"): 4.5,
        (9, "7"): 4.0, (4, "maj"): 4.3, (4, "7"): 4.2, (0, "7"): 3.7, (10, "maj"): 4.3, (5, "min"): 4.5,
        (8, "maj"): 5.0,
        (3, "maj"): 5.0, (6, "dim"): 4.2, (6, "dim7"): 4.2, (6, "hdim7"): 4.2, (5, "7"): 4.6, (0, "min"): 5.0,
        (7, "min"): 4.8, (2, "hdim7"): 4.8, (2, "dim"): 4.8, (11, "maj"): 5.2, (11, "7"): 5.2, (8, "dim7"): 4.8,
        (1, "dim7"): 4.6, (3, "dim7"): 5.0, (1, "dim"): 4.8, (0, "sus4"): 2.5, (7, "sus4"): 2.0, (1, "maj"): 5.5,
    },
    MINOR: {
        (0, "min"): 0.7, (0, "min7"): 1.9, (7, "maj"): 1.5, (7, "7"): 1.1, (7, "min"): 3.0, (7, "min7"): 3.2,
        (5, "min"): 1.9, (5, "min7"): 2.2, (2, "dim"): 2.4, (2, "hdim7"): 2.0, (8, "maj"): 2.3, (8, "maj7"): 2.6,
        (3, "maj"): 2.6, (3, "maj7"): 3.0, (10, "maj"): 2.7, (10, "7"): 3.2, (11, "dim"): 2.1, (11, "dim7"): 1.9,
        (0, "maj"): 3.4, (5, "maj"): 3.6, (5, "7"): 4.2, (2, "maj"): 4.5, (2, "7"): 4.2, (0, "7"): 4.0, (3, "aug"): 3.2,
        (6, "dim7"): 4.0, (6, "dim"): 4.4, (6, "hdim7"): 4.6, (1, "maj"): 4.2, (2, "min"): 4.4, (2, "min7"): 4.4,
        (9, "dim"): 4.2, (9, "hdim7"): 4.2, (3, "7"): 4.6, (8, "7"): 4.0, (4, "dim7"): 4.6, (0, "minmaj7"): 3.2,
        (0, "sus4"): 2.5, (7, "sus4"): 2.2, (4, "dim"): 4.8,
    },
}  # fmt: skip


def chord_costs(kind: str, root: int) -> np.ndarray:
    """What a chord costs in each of the 24 keys, shape (24,), majors from C and then minors."""
    return np.array([COSTS[key.mode].get(((root - key.tonic) % 12, kind), UNUSUAL) for key in KEYS])
