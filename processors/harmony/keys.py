"""The key that each chord is in: a path through the 24 keys that explains chords, and pitch classes if there are any.

Source: Raphael & Stoddard 2004 and Mauch & Dixon 2010 for keys as hidden states above chords; what a chord costs in a
key is counted in analysed scores, and follows textbook usage where they are silent (`benchmarks/harmony/usage.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from processors.harmony.labels import Harmony
from processors.harmony.roman import MAJOR, MINOR, Key, kind_of

KEYS = tuple(Key(tonic, mode) for mode in (MAJOR, MINOR) for tonic in range(12))
KINDS = ("maj", "min", "7", "maj7", "min7", "dim", "hdim7", "dim7", "aug", "sus4", "minmaj7", "5", "sus2")
_FILE = Path(__file__).with_name("usage.npz")
_LEADS = 1.2
"""What it is worth that a dominant goes to its tonic."""
_CHANGE = 4.0
_FAR = 0.8
DOMINANTS = {(7, "maj"), (7, "7"), (11, "dim"), (11, "dim7"), (11, "hdim7"), (7, "sus4")}


@cache
def _usage() -> dict[str, np.ndarray]:
    """What each kind costs on each degree, by mode, shape (12, kinds): minus the logarithm of how often it is there."""
    with np.load(_FILE, allow_pickle=False) as held:
        return {mode: held[mode].astype(np.float64) for mode in (MAJOR, MINOR)}


@cache
def chord_costs(kind: str, root: int) -> np.ndarray:
    """What a chord costs in each of the 24 keys, shape (24,), majors from C and then minors."""
    usage = _usage()
    return np.array([usage[key.mode][(root - key.tonic) % 12, KINDS.index(kind)] for key in KEYS])


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
            if ((here[1] - key.tonic) % 12, here[0]) in DOMINANTS and after[1] == key.tonic:
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
