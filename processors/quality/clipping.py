"""Clipping: waves that are cut flat at a ceiling."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from processors.audio.levels import FULL_SCALE
from processors.quality.faults import LSB, Fault, Piece, merged, share

SHORTEST = 3
FLAT = 1.5 * LSB
STEP_IN = 6 * FLAT
"""A round peak that is flat within t over three samples falls by at most 4 t to the next; a cut one falls by more."""
FEWEST = 3
_LOUD = 0.02
_AT_CEILING = 0.985
_LOCAL_S = 0.1
_APART_S = 0.5
_JUMP = 0.95


@dataclass
class Clipping:
    """Gathers flat tops: per piece, shape (tops, 4): channel, start, length, value."""

    tops: list[np.ndarray] = field(default_factory=list)

    def add(self, piece: Piece, runs: list[np.ndarray]) -> None:
        """Take the flat runs of each channel of a piece.

        A flat top is the highest of its surroundings, and the wave comes to it on a slope; that of a square wave jumps.
        """
        step = max(1, round(_LOCAL_S * piece.rate_hz))
        for channel, rows in enumerate(runs):
            start, length, value = rows[:, 0].astype(int), rows[:, 1], rows[:, 2]
            slope = np.minimum(rows[:, 3], rows[:, 4])
            cut = (np.abs(value) >= FULL_SCALE - FLAT) | (slope >= STEP_IN)
            cut &= (length >= SHORTEST) & (np.abs(value) >= _LOUD) & (slope < _JUMP * np.abs(value)) & (slope > 0)
            cut &= (start >= piece.margin) & (start < piece.margin + piece.frames)
            if not cut.any():
                continue
            start, length, value = start[cut], length[cut], value[cut]
            for sign in (1, -1):
                mine = np.flatnonzero(np.sign(value) == sign)
                highest = _local_highest(sign * piece.samples[channel], step)
                mine = mine[
                    np.abs(value[mine]) >= _AT_CEILING * highest[np.minimum(start[mine] // step, len(highest) - 1)]
                ]
                where = piece.start + start[mine] - piece.margin
                self.tops.append(np.column_stack([np.full(len(mine), channel), where, length[mine], value[mine]]))

    def found(self, rate_hz: int) -> tuple[int, list[Fault]]:
        """How many tops are cut, and where; several at the same height make a ceiling."""
        tops = np.concatenate([np.zeros((0, 4)), *self.tops])
        kept = [_at_one_height(tops[(tops[:, 0] == channel) & (np.sign(tops[:, 3]) == sign)])
                for channel in np.unique(tops[:, 0]) for sign in (1, -1)]  # fmt: skip
        tops = np.concatenate([np.zeros((0, 4)), *kept])
        spans = merged([(int(start), int(start + length)) for start, length in tops[:, 1:3]], round(_APART_S * rate_hz))
        starts = np.sort(tops[:, 1])
        faults = []
        for start, end in spans:
            among = np.searchsorted(starts, (start, end))
            mine = tops[(tops[:, 1] >= start) & (tops[:, 1] < end)] if len(spans) < 200 else tops[:0]
            cut = float(mine[:, 2].sum()) if len(mine) else float(SHORTEST * (among[1] - among[0]))
            count = int(among[1] - among[0])
            faults.append(
                Fault("clipping", start / rate_hz, end / rate_hz, min(1.0, (cut / max(end - start, 1)) ** 0.5),
                      share(count, 0, 2 * FEWEST) * 0.5 + 0.5)
            )  # fmt: skip
        return len(tops), faults


def _local_highest(samples: np.ndarray, step: int) -> np.ndarray:
    """The highest of every `step` samples and of their neighbours on either side, shape (steps,)."""
    edges = np.arange(0, len(samples), step)
    highest = np.maximum.reduceat(samples, edges)
    padded = np.pad(highest, 1, constant_values=-np.inf)
    found: np.ndarray = np.max(np.lib.stride_tricks.sliding_window_view(padded, 3), axis=1)
    return found


def _at_one_height(tops: np.ndarray) -> np.ndarray:
    """Those tops that share their height with `FEWEST` or more."""
    heights = np.sort(tops[:, 3])
    there = np.searchsorted(heights, tops[:, 3] + 2 * FLAT, "right") - np.searchsorted(heights, tops[:, 3] - 2 * FLAT)
    return tops[there >= FEWEST]
