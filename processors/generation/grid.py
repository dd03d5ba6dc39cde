"""The beats that an accompaniment is written on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from domain.errors import LimitExceeded
from processors.harmony.labels import Harmony
from processors.midi.notes import Metre, Tempo

STEADY_S = 0.5
SHORTEST_S = 0.06
SLOWEST_S = 2.0
FIRST_S = 0.001
MAX_BEATS = 50_000
LONGEST_S = 6 * 3600.0
BEATS_PER_BAR = 4


@dataclass(frozen=True, slots=True)
class Grid:
    """Beats in order, the last of which only ends the one before; `downbeat`, 0 to 3, is the first to begin a bar."""

    beats_s: tuple[float, ...]
    downbeat: int = 0

    def __len__(self) -> int:
        return max(len(self.beats_s) - 1, 0)

    def seconds(self, beats: np.ndarray) -> np.ndarray:
        """Times of places counted in beats, linear within each."""
        return np.asarray(np.interp(beats, np.arange(len(self.beats_s)), self.beats_s))

    def tempos(self) -> tuple[list[Tempo], list[Metre]]:
        """A tempo a beat, so that every beat falls on its time, and metres such that bars begin on downbeats.

        What lies before the first downbeat is a bar of its own, in sixteenths.
        """
        if not len(self):
            return [], [Metre(0.0, BEATS_PER_BAR, 4)]
        usual = median(after - before for before, after in pairwise(self.beats_s))
        first = self.beats_s[0]
        lead = max(1, round(first / usual * 4)) if first > 0 else 0
        tempos = [Tempo(0.0, 60 * lead / 4 / first)] if lead else []
        tempos += [Tempo(start, 60 / (end - start)) for start, end in pairwise(self.beats_s)]
        pickup = (lead + 4 * self.downbeat) % (4 * BEATS_PER_BAR)
        metres = [Metre(0.0, BEATS_PER_BAR, 4)]
        if pickup:
            bar_s = _at_sixteenth(tempos, pickup)
            metres = [Metre(0.0, *_reduced(pickup)), Metre(bar_s, BEATS_PER_BAR, 4)]
        return tempos, metres


def _reduced(sixteenths: int) -> tuple[int, int]:
    shared = math.gcd(sixteenths, 4)
    return sixteenths // shared, 16 // shared


def _at_sixteenth(tempos: Sequence[Tempo], sixteenths: int) -> float:
    """The time of so many sixteenths from 0."""
    left = sixteenths / 4
    for tempo, after in pairwise(tempos):
        beats = (after.start_s - tempo.start_s) * tempo.bpm / 60
        if left < beats - 1e-6:
            return tempo.start_s + left * 60 / tempo.bpm
        left -= beats
    return tempos[-1].start_s + max(left, 0.0) * 60 / tempos[-1].bpm


def lay_beats(beats_s: Sequence[float], duration_s: float) -> tuple[float, ...]:
    """The beats to write on: those given, in order and apart; gaps filled evenly; gone on with up to the end.

    Without beats 120 a minute from the beginning, with a single one through that. The last ends the beat before it and
    may lie behind the end. Raises: LimitExceeded, above six hours or
    50,000 beats. Gaps are those above 1.7 usual beats, or 3.4 s; a first beat before 1 ms is at 0.
    """
    if duration_s > LONGEST_S:
        raise LimitExceeded(f"{duration_s:.0f} s are too long to accompany; the limit is {LONGEST_S:.0f} s")
    given: list[float] = []
    for beat in sorted(beat for beat in beats_s if math.isfinite(beat) and 0 <= beat < duration_s):
        if not given or beat - given[-1] >= SHORTEST_S:
            given.append(beat if beat >= FIRST_S else 0.0)
    if len(given) > MAX_BEATS:
        raise LimitExceeded(f"{len(given)} beats are too many to accompany; the limit is {MAX_BEATS}", limit=MAX_BEATS)
    if len(given) < 2:
        first = given[0] % STEADY_S if given else 0.0
        count = max(math.ceil((duration_s - first) / STEADY_S - 1e-9), 0)
        return tuple(first + STEADY_S * beat for beat in range(count + 1)) if count else ()
    steps = [after - before for before, after in pairwise(given)]
    usual = min(median(steps), SLOWEST_S)
    beats: list[float] = []
    for before, after in pairwise(given):
        parts = max(1, round((after - before) / usual)) if after - before > 1.7 * usual else 1
        beats += [before + (after - before) * part / parts for part in range(parts)]
    last_s = min(median(steps[-4:]), SLOWEST_S)
    left = max(math.ceil((duration_s - given[-1]) / last_s - 1e-9), 1)
    return (*beats, *(given[-1] + last_s * beat for beat in range(left + 1)))


def find_downbeat(chords: Sequence[Harmony]) -> int:
    """Which of the first four beats begins bars: that from which most chords change, the first of equals."""
    changes = [0] * BEATS_PER_BAR
    for beat, (before, after) in enumerate(pairwise(chords), start=1):
        changes[beat % BEATS_PER_BAR] += before != after
    return changes.index(max(changes))
