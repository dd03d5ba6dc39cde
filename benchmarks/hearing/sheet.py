"""What is to be played and what is true of it, in quarter notes: scores, arrangements and melodies all become one."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

DRUMS = -1
"""The program of a part that plays the drum kit."""


class Played(NamedTuple):
    """One note of a part, by its index."""

    onset_q: float
    end_q: float
    pitch: int
    velocity: int
    part: int


class Span(NamedTuple):
    """What holds from one place to another."""

    start_q: float
    end_q: float
    label: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A piece with its truth. None, or empty, is what is not known of it and not asked.

    programs: of General MIDI, one a part; DRUMS for the kit. tempi: (place, quarter notes a minute) from there on.
    bpq: beats a quarter note. melody: the part that has the tune. numerals: "key:figure", like "F# minor:ii6/5".
    lead_s: silence before the first moment. tuning_cents: by how much all but the drums is higher than A at 440 Hz.
    """

    name: str
    kind: str
    programs: tuple[int, ...]
    notes: tuple[Played, ...]
    tempi: tuple[tuple[float, float], ...]
    end_q: float
    beats_q: tuple[float, ...] = ()
    downbeats_q: tuple[float, ...] = ()
    metre: str | None = None
    swing: float | None = None
    key: tuple[str, str] | None = None
    keys: tuple[Span, ...] = ()
    chords: tuple[Span, ...] = ()
    numerals: tuple[Span, ...] = ()
    sections: tuple[Span, ...] = ()
    melody: int | None = None
    tags: tuple[str, ...] = ()
    lead_s: float = 0.1
    tuning_cents: float = 0.0
    clock: Clock = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.tempi))

    @property
    def length_s(self) -> float:
        """From the first moment to the last release."""
        return self.clock.seconds(self.end_q)


class Clock:
    """Places in quarter notes to seconds, at a tempo that changes by steps."""

    def __init__(self, tempi: tuple[tuple[float, float], ...]) -> None:
        self.places = [place for place, _ in tempi]
        self.bpms = [bpm for _, bpm in tempi]
        if not tempi or self.places[0] != 0 or sorted(self.places) != self.places:
            raise ValueError("tempi begin at 0 and go forward")
        self.starts = [0.0]
        for here, behind, bpm in zip(self.places, self.places[1:], self.bpms, strict=False):
            self.starts.append(self.starts[-1] + (behind - here) * 60 / bpm)

    def seconds(self, place_q: float) -> float:
        """When a place sounds."""
        step = max(0, bisect_right(self.places, place_q) - 1)
        return self.starts[step] + (place_q - self.places[step]) * 60 / self.bpms[step]

    def place(self, at_s: float) -> float:
        """Where the piece is at a time."""
        step = max(0, bisect_right(self.starts, at_s) - 1)
        return self.places[step] + (at_s - self.starts[step]) * self.bpms[step] / 60


def ramp(start_q: float, end_q: float, from_bpm: float, to_bpm: float) -> list[tuple[float, float]]:
    """Return steps of a quarter of a quarter note over which the tempo goes evenly from one to another."""
    count = max(1, round((end_q - start_q) * 4))
    width = (end_q - start_q) / count
    return [(start_q + i * width, from_bpm + (to_bpm - from_bpm) * (i + 0.5) / count) for i in range(count)]


def cut(sheet: Sheet, longest_s: float) -> Sheet:
    """Return the beginning of a piece, ending on a bar line within the length asked for where it has bars."""
    if sheet.length_s <= longest_s:
        return sheet
    last_q = sheet.clock.place(longest_s)
    end_q = max((place for place in sheet.downbeats_q if place <= last_q), default=last_q) or last_q
    return replaced(
        sheet,
        notes=tuple(n._replace(end_q=min(n.end_q, end_q)) for n in sheet.notes if n.onset_q < end_q - 1e-6),
        tempi=tuple(step for step in sheet.tempi if step[0] < end_q),
        end_q=end_q,
        beats_q=tuple(place for place in sheet.beats_q if place < end_q - 1e-6),
        downbeats_q=tuple(place for place in sheet.downbeats_q if place < end_q - 1e-6),
        **{
            name: tuple(s._replace(end_q=min(s.end_q, end_q)) for s in getattr(sheet, name) if s.start_q < end_q - 1e-6)
            for name in ("keys", "chords", "numerals", "sections")
        },
    )


def replaced(sheet: Sheet, **changes: object) -> Sheet:
    """Return a sheet with other values in some fields."""
    values = {name: getattr(sheet, name) for name in Sheet.__slots__ if name != "clock"}
    return Sheet(**(values | changes))  # type: ignore[arg-type]  # the names are the fields'
