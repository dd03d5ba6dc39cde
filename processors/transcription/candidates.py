"""Notes that may be there, and what speaks for and against each, compiled: import it where it is called."""

from __future__ import annotations

import numba
import numpy as np

AHEAD = 8
"""Frames behind its beginning by which a note is judged, 93 ms."""


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def proposed(
    sounding: np.ndarray, beginning: np.ndarray, least_beginning: int, least_sounding: int, patience: int, shortest: int
) -> np.ndarray:
    """Return notes that may be there: key, first frame, the frame behind the last; shape (notes, 3).

    One may begin at each peak of `beginning`, and where `sounding` sets in without one; it lasts until `sounding` has
    been below its least for longer than `patience`, or the key may begin again.
    """
    frames, keys = sounding.shape
    rows = []
    for key in range(keys):
        last_start, quiet, last_loud = -1, 0, -1
        for at in range(frames):
            peak = beginning[at, key] >= least_beginning
            for step in range(-2, 3):
                other = at + step
                if peak and 0 <= other < frames and step != 0:
                    higher = beginning[other, key] > beginning[at, key]
                    if higher or (step < 0 and beginning[other, key] == beginning[at, key]):
                        peak = False
            loud = sounding[at, key] >= least_sounding
            if last_start < 0:
                if peak or loud:
                    last_start, last_loud, quiet = at, at, 0
                continue
            if peak and at - last_start >= 3:
                rows.append((key, last_start, max(last_loud + 1, last_start + 1)))
                last_start, last_loud, quiet = at, at, 0
                continue
            if loud:
                last_loud, quiet = at, 0
            else:
                quiet += 1
                if quiet > patience:
                    rows.append((key, last_start, max(last_loud + 1, last_start + 1)))
                    last_start = -1
        if last_start >= 0:
            rows.append((key, last_start, max(last_loud + 1, last_start + 1)))
    kept = [row for row in rows if row[2] - row[1] >= shortest]
    found = np.empty((len(kept), 3), np.int64)
    for place in range(len(kept)):
        found[place, 0], found[place, 1], found[place, 2] = kept[place]
    return found


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _mean(values: np.ndarray, key: int, first: int, behind: int) -> float:
    """The mean over frames of a key, 0 to 1; 0 for a key that is none."""
    if key < 0 or key >= values.shape[1]:
        return 0.0
    first, behind = max(0, first), min(values.shape[0], behind)
    total = 0.0
    for at in range(first, behind):
        total += values[at, key]
    return total / 255.0 / max(1, behind - first)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def _most(values: np.ndarray, key: int, first: int, behind: int) -> float:
    if key < 0 or key >= values.shape[1]:
        return 0.0
    top = 0
    for at in range(max(0, first), min(values.shape[0], behind)):
        top = max(top, int(values[at, key]))
    return top / 255.0


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def described(sounding: np.ndarray, beginning: np.ndarray, notes: np.ndarray) -> np.ndarray:
    """Return what speaks for each of the notes of `proposed`, shape (notes, 23), float32; see `belief.TOLD`."""
    told = np.zeros((len(notes), 23), np.float32)
    for place in range(len(notes)):
        key, start, behind = notes[place]
        near = min(behind, start + AHEAD)
        here = _mean(sounding, key, start, near)
        row = told[place]
        row[0] = _most(beginning, key, start - 1, start + 2)
        row[1] = here
        row[2] = _most(sounding, key, start, behind)
        row[3] = _mean(sounding, key, start, behind)
        row[4] = np.log(behind - start + 1.0)
        row[5] = _mean(sounding, key, start - 8, start - 2)
        row[6] = _mean(sounding, key, start + 2, start + 7) - row[5]
        for slot, step in ((7, -1), (8, 1)):
            row[slot] = _mean(sounding, key + step, start, near)
            row[slot + 2] = _most(beginning, key + step, start - 3, start + 4)
        for slot, step in ((11, -12), (13, -19), (15, -24)):
            row[slot] = _mean(sounding, key + step, start, near)
            row[slot + 1] = _most(beginning, key + step, start - 3, start + 4)
        row[17] = _mean(sounding, key + 12, start, near)
        row[18] = _mean(sounding, key + 19, start, near)
        row[19] = key
        louder = 0
        for other in range(sounding.shape[1]):
            there = _mean(sounding, other, start, near)
            row[20] += there
            row[21] += _most(beginning, other, start - 2, start + 3)
            if there > here:
                louder += 1
        row[22] = louder
    return told
