"""Dropouts: sound that is gone, or stands still, from one sample to the next and comes back as it was."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from processors.quality.faults import LSB, Fault, Piece, merged, share

SHORTEST_S = 0.002
LONGEST_S = 0.5
_EDGE_S = 0.0015
_AROUND_S = 0.02
_QUIETEST = 64 * LSB
_ABRUPT = 0.2
_ALIKE = 4.0
_APART_S = 0.002
_OFTEN = 8
_TOP = 0.85
"""What stands still so high is the top of a wave that is cut."""


@dataclass
class Dropouts:
    """Gathers gaps as (start, end, how abrupt) in samples."""

    gaps: list[tuple[int, int, float]] = field(default_factory=list)

    def add(self, piece: Piece, runs: list[np.ndarray]) -> None:
        """Take the flat runs of each channel of a piece."""
        shortest, longest = SHORTEST_S * piece.rate_hz, LONGEST_S * piece.rate_hz
        for samples, rows in zip(piece.samples, runs, strict=True):
            for start, length in rows[(rows[:, 1] >= shortest) & (rows[:, 1] <= longest), :2].astype(int):
                inside = piece.margin <= start < piece.margin + piece.frames
                if inside and (abrupt := _abruptness(samples, start, start + length, piece.rate_hz)):
                    at = piece.start + start - piece.margin
                    self.gaps.append((at, at + length, abrupt))

    def found(self, rate_hz: int) -> tuple[int, list[Fault]]:
        """How many there are and where; gaps as long and as evenly apart as a gate's are likelier meant."""
        spans = merged([gap[:2] for gap in self.gaps], round(_APART_S * rate_hz))
        abrupt = {start: how for start, _, how in self.gaps}
        meant = 0.4 if _rhythmic(spans) else 1.0
        faults = [
            Fault("dropout", start / rate_hz, end / rate_hz, share((end - start) / rate_hz, 0, 0.1) ** 0.5,
                  meant * (0.5 + 0.5 * abrupt.get(start, 0.0)))
            for start, end in spans
        ]  # fmt: skip
        return len(spans), faults


def _abruptness(samples: np.ndarray, start: int, end: int, rate_hz: int) -> float:
    """How much of the level around is there right beside the gap, 0 where it fades or both sides are not alike."""
    edge, around = max(2, round(_EDGE_S * rate_hz)), round(_AROUND_S * rate_hz)
    before, after = np.abs(samples[max(0, start - around) : start]), np.abs(samples[end : end + around])
    if not before.size or not after.size:
        return 0.0
    levels = float(before.max()), float(after.max())
    held = abs(float(samples[start]))
    if min(levels) < _QUIETEST or max(levels) > _ALIKE * min(levels) or held > _TOP * min(levels):
        return 0.0
    edges = min(float(before[-edge:].max()) / levels[0], float(after[:edge].max()) / levels[1])
    return edges if edges >= _ABRUPT else 0.0


def _rhythmic(spans: list[tuple[int, int]]) -> bool:
    """Whether many gaps are alike in length and distance, as those of a gate or a stutter."""
    if len(spans) < _OFTEN:
        return False
    lengths, apart = np.array([end - start for start, end in spans]), np.diff([start for start, _ in spans])
    return bool(lengths.std() < 0.1 * lengths.mean() and apart.std() < 0.2 * apart.mean())
