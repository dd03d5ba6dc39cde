"""How players bend a tempo: drift, and a slowing at the end."""

from __future__ import annotations

import random


def expressive(bpm: float, end_q: float, chance: random.Random, *, drift: float) -> tuple[tuple[float, float], ...]:
    """Return a tempo for each half of a quarter note that wanders about the given one, and slows over the last bar.

    drift: the spread of the slow wandering as a share of the tempo; 0 is a machine's time, without a ritardando.
    """
    if not drift:
        return ((0.0, round(bpm, 3)),)
    steps: list[tuple[float, float]] = []
    off = 0.0
    for step in range(int(2 * end_q) + 1):
        off = 0.97 * off + chance.gauss(0, drift * 0.243)
        left_q = end_q - step / 2
        slower = 1 - 0.25 * max(0.0, 1 - left_q / 4)
        steps.append((step / 2, round(bpm * (1 + off) * slower, 3)))
    return tuple(steps)
