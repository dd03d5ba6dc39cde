"""Bass, chords and drums written from patterns onto beats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from processors.generation import harmony as h
from processors.generation import patterns as p
from processors.generation.grid import BEATS_PER_BAR
from processors.harmony.labels import Harmony
from processors.midi.notes import DRUM_CHANNEL

BASS_CHANNEL, CHORDS_CHANNEL = 0, 1
FIRST_BASS = 36
DRUM_LENGTH = 0.2


def held_until(chords: Sequence[Harmony]) -> list[int]:
    """For each beat, the beat on which its harmony gives way to another, or the number of beats."""
    until = [len(chords)] * len(chords)
    for beat in reversed(range(len(chords) - 1)):
        until[beat] = until[beat + 1] if chords[beat] == chords[beat + 1] else beat + 1
    return until


class Played(NamedTuple):
    """A note at a place in beats."""

    at: float
    length: float
    pitch: int
    velocity: float
    channel: int
    program: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be accompanied, and how densely: a harmony for each beat, and the beat on which it gives way."""

    chords: Sequence[Harmony]
    held_until: Sequence[int]
    downbeat: int
    style: p.Style
    density: float

    def bars(self) -> Iterator[tuple[int, int]]:
        """(number, beat it begins on) of each bar; one before the first downbeat is number -1 and begins below 0."""
        start = self.downbeat - BEATS_PER_BAR if self.downbeat else 0
        number = -1 if self.downbeat else 0
        while start < len(self.chords):
            yield number, start
            number, start = number + 1, start + BEATS_PER_BAR

    def chord(self, at: float) -> Harmony:
        """The harmony at a place."""
        return self.chords[min(int(at), len(self.chords) - 1)]

    def change_after(self, at: float) -> float:
        """The place of the next change of harmony, or of the end."""
        return float(self.held_until[min(int(at), len(self.chords) - 1)])

    def changes(self, beat: int) -> bool:
        """Whether a harmony begins on this beat."""
        return beat == 0 or self.chords[beat] != self.chords[beat - 1]


def _hits(plan: Plan, pattern: tuple[p.Hit, ...]) -> list[p.Hit]:
    """The pattern over the whole piece, and a hit on each change of harmony that it leaves out."""
    hits: dict[float, p.Hit] = {}
    for _, start in plan.bars():
        for hit in pattern:
            if hit.density <= plan.density and 0 <= start + hit.at < len(plan.chords):
                hits[start + hit.at] = hit._replace(at=start + hit.at)
    for beat in range(len(plan.chords)):
        if plan.changes(beat):
            found = hits.get(float(beat), p.Hit(float(beat), 0.9, 88))
            hits[float(beat)] = found._replace(step=p.Step.ROOT)
    return [hits[at] for at in sorted(hits)]


def write_bass(plan: Plan) -> Iterator[Played]:
    """The bass: the bass tone where a harmony begins, then roots, fifths, octaves and steps that lead to the next."""
    hits = _hits(plan, plan.style.bass)
    before = FIRST_BASS
    for index, hit in enumerate(hits):
        ends = hits[index + 1].at if index + 1 < len(hits) else float(len(plan.chords))
        before = _bass_pitch(plan, hit, before)
        length = min(hit.length, ends - hit.at, plan.change_after(hit.at) - hit.at)
        yield Played(hit.at, length, before, hit.velocity, BASS_CHANNEL, plan.style.bass_program)


def _bass_pitch(plan: Plan, hit: p.Hit, before: int) -> int:
    chord, follows = plan.chord(hit.at), plan.change_after(hit.at)
    match hit.step:
        case p.Step.FIFTH:
            return h.bass_near(chord.fifth, before)
        case p.Step.OCTAVE:
            root = h.bass_near(chord.root, before)
            return root + 12 if root + 12 <= h.HIGHEST_BASS else root
        case p.Step.APPROACH if follows < len(plan.chords) and follows - hit.at <= 1:
            goal = h.bass_near(plan.chord(follows).bass, before)
            return goal - 1 if goal - 1 >= h.LOWEST_BASS and before <= goal else goal + 1
        case p.Step.APPROACH:
            return h.bass_near(chord.fifth, before)
    return h.bass_near(chord.bass, before)


def write_chords(plan: Plan) -> Iterator[Played]:
    """Close voicings that move least, each ended where its harmony ends."""
    hits = _hits(plan, plan.style.chords)
    before: tuple[int, ...] = ()
    last: Harmony | None = None
    for index, hit in enumerate(hits):
        chord = plan.chord(hit.at)
        if chord != last:
            before, last = h.voicing(chord, before), chord
        ends = hits[index + 1].at if index + 1 < len(hits) else float(len(plan.chords))
        length = min(hit.length, ends - hit.at, plan.change_after(hit.at) - hit.at)
        for pitch in before:
            yield Played(hit.at, length, pitch, hit.velocity, CHORDS_CHANNEL, plan.style.chords_program)


def write_drums(plan: Plan, random: np.random.Generator) -> Iterator[Played]:
    """The pattern bar by bar with a small fill every fourth bar, a large one every eighth, and crashes after those."""
    for number, start in plan.bars():
        for stroke in _bar(plan, number, random):
            at = start + stroke.at
            if 0 <= at < len(plan.chords):
                yield Played(at, DRUM_LENGTH, stroke.pitch, stroke.velocity, DRUM_CHANNEL, 0)


def _bar(plan: Plan, number: int, random: np.random.Generator) -> list[p.Stroke]:
    chance = random.random(4)
    strokes = [stroke for stroke in plan.style.drums if stroke.density <= plan.density]
    if number >= 0 and number % 4 == 3:
        fills = p.LARGE_FILLS if number % 8 == 7 else p.SMALL_FILLS
        fill = fills[int(chance[0] * len(fills))]
        strokes = [stroke for stroke in strokes if stroke.at < fill[0].at] + list(fill)
    else:
        strokes += _ornaments(plan.density, chance[1:])
    if number >= 0 and number % 8 == 0:
        strokes.append(p.Stroke(0.0, p.CRASH, 92))
    return strokes


def _ornaments(density: float, chance: np.ndarray) -> list[p.Stroke]:
    """Ghost notes and pushed kicks, as likely as the accompaniment is dense."""
    found = []
    if chance[0] < 0.6 * density:
        found.append(p.Stroke((1.75, 2.25, 0.75)[int(chance[2] * 3)], p.SNARE, 34))
    if chance[1] < 0.4 * density:
        found.append(p.Stroke(3.5, p.KICK, 76))
    return found
