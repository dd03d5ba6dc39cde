"""The key that each chord is in: a path through the 24 keys that explains chords, and pitch classes if there are any.

Source: Raphael & Stoddard 2004 and Mauch & Dixon 2010 for keys as hidden states above chords; what a chord costs in a
key follows textbook usage (Piston & DeVoto 1987, "table of usual root progressions").
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from processors.harmony.labels import Harmony
from processors.harmony.roman import MAJOR, MINOR, Key, kind_of

KEYS = tuple(Key(tonic, mode) for mode in (MAJOR, MINOR) for tonic in range(12))
_UNUSUAL = 6.0
_COSTS: dict[str, dict[tuple[int, str], float]] = {
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
_LEADS = 1.2
"""What it is worth that a dominant goes to its tonic."""
_CHANGE = 4.5
_FAR = 0.8
_DOMINANTS = {(7, "maj"), (7, "7"), (11, "dim"), (11, "dim7"), (11, "hdim7"), (7, "sus4")}


@cache
def chord_costs(kind: str, root: int) -> np.ndarray:
    """What a chord costs in each of the 24 keys, shape (24,), majors from C and then minors."""
    costs = [_COSTS[key.mode].get(((root - key.tonic) % 12, kind), _UNUSUAL) for key in KEYS]
    return np.array(costs, dtype=np.float64)


@cache
def change_costs() -> np.ndarray:
    """What it costs to go from one key to another, shape (24, 24): the more, the more tones they differ in."""
    costs = np.zeros((24, 24))
    for i, before in enumerate(KEYS):
        for j, after in enumerate(KEYS):
            apart = 7 - len(before.scale & after.scale) + (1 if before.mode != after.mode else 0)
            costs[i, j] = 0 if i == j else _CHANGE + _FAR * apart
    return costs


def key_costs(chords: Sequence[Harmony | None], weights: np.ndarray) -> np.ndarray:
    """What each chord costs in each key, its resolution included, shape (chords, 24).

    weights: how much each chord counts, shape (chords,).
    """
    kinds = [None if chord is None else (kind_of(chord), chord.root) for chord in chords]
    costs = np.array([np.zeros(24) if kind is None else chord_costs(*kind) for kind in kinds]).reshape(-1, 24)
    costs *= weights[:, None]
    for at in range(len(kinds) - 1):
        here, after = kinds[at], kinds[at + 1]
        if here is None or after is None:
            continue
        for index, key in enumerate(KEYS):
            if ((here[1] - key.tonic) % 12, here[0]) in _DOMINANTS and after[1] == key.tonic:
                own = ("maj", "maj7") if key.mode == MAJOR else ("min", "min7", "maj")
                costs[at, index] -= _LEADS * (after[0] in own)
    return costs


def key_path(costs: np.ndarray) -> list[int]:
    """Return the cheapest path through the keys, as indices into KEYS. Source: Viterbi 1967."""
    if not len(costs):
        return []
    moves = change_costs()
    total = costs[0].copy()
    came = np.zeros(costs.shape, np.int64)
    for step in range(1, len(costs)):
        options = total[:, None] + moves
        came[step] = options.argmin(axis=0)
        total = options.min(axis=0) + costs[step]
    path = [int(total.argmin())]
    for step in range(len(costs) - 1, 0, -1):
        path.append(int(came[step, path[-1]]))
    return path[::-1]


def keys_of_chords(chords: Sequence[Harmony | None], durations: np.ndarray) -> list[Key]:
    """Return the key that each chord is in, from the chords alone; durations in any unit, shape (chords,)."""
    usual = float(np.median(durations)) if len(durations) else 1.0
    weights = np.clip(np.sqrt(durations / max(usual, 1e-9)), 0.5, 2.0)
    return [KEYS[index] for index in key_path(key_costs(chords, weights))]
