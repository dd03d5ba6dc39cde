"""How fast work goes, and how long the rest of it will take."""

from __future__ import annotations

import math

MEMORY_S = 30.0
LEAST_S = 1.0
"""How long work has to be watched before anything is said of its rest: the first pieces are seldom like the others."""


class Pace:
    """An exponentially smoothed rate: of `memory_s` seconds ago it remembers a third of what it knows of now.

    Each stretch between two looks counts with its mean rate. The weights of what was seen add up to one, so that a
    steady rate is told exactly from the first stretch on.
    """

    def __init__(self, *, memory_s: float = MEMORY_S) -> None:
        self._memory_s = memory_s
        self._begun_s: float | None = None
        self._at_s = 0.0
        self._done = 0.0
        self._rate = 0.0
        self._weight = 0.0

    def seen(self, done: float, now_s: float) -> None:
        """So much is done now; what was done once stays done, whatever is said later."""
        if self._begun_s is None:
            self._begun_s, self._at_s, self._done = now_s, now_s, done
            return
        elapsed_s = now_s - self._at_s
        if elapsed_s <= 0:
            return
        fresh = -math.expm1(-elapsed_s / self._memory_s)
        gained = max(0.0, done - self._done)
        self._rate += fresh * (gained / elapsed_s - self._rate)
        self._weight += fresh * (1.0 - self._weight)
        self._at_s, self._done = now_s, self._done + gained

    @property
    def rate_hz(self) -> float | None:
        """Pieces a second, None before anything was measured."""
        return self._rate / self._weight if self._weight > 0 else None

    def left_s(self, left: float) -> float | None:
        """Seconds that so many pieces will take; None where too little was seen to be done yet."""
        if left <= 0:
            return 0.0
        rate_hz = self.rate_hz
        watched = self._begun_s is not None and self._at_s - self._begun_s >= LEAST_S
        return left / rate_hz if watched and rate_hz else None
