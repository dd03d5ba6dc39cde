"""What bass, chords and drums play in a bar of each style: data, read by `parts`.

Places and lengths are in beats. `density` is how dense an accompaniment must be for a hit to be played.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

KICK, RIM, SNARE, CLAP, CLOSED, PEDAL, OPEN = 36, 37, 38, 39, 42, 44, 46
LOW_TOM, MID_TOM, HIGH_TOM, CRASH, RIDE = 45, 47, 50, 49, 51


class Step(Enum):
    """Which note the bass takes."""

    ROOT = "root"
    FIFTH = "fifth"
    OCTAVE = "octave"
    APPROACH = "approach"


class Hit(NamedTuple):
    """A chord, or with `step` a bass note."""

    at: float
    length: float
    velocity: int
    density: float = 0.0
    step: Step = Step.ROOT


class Stroke(NamedTuple):
    """A drum."""

    at: float
    pitch: int
    velocity: int
    density: float = 0.0


@dataclass(frozen=True, slots=True)
class Style:
    """How a style is played; swing is the least it has, programs are General MIDI's."""

    bass: tuple[Hit, ...]
    chords: tuple[Hit, ...]
    drums: tuple[Stroke, ...]
    bass_program: int
    chords_program: int
    swing: float = 0.0


def _each(pitch: int, places: tuple[float, ...], velocity: int, density: float = 0.0) -> tuple[Stroke, ...]:
    return tuple(Stroke(at, pitch, velocity - (0 if at % 1 == 0 else 14), density) for at in places)


_BEATS = (0.0, 1.0, 2.0, 3.0)
_OFFBEATS = (0.5, 1.5, 2.5, 3.5)

STYLES: dict[str, Style] = {
    "pop": Style(
        bass=(
            Hit(0, 1.4, 100),
            Hit(1.5, 0.45, 84, 0.3),
            Hit(2, 0.9, 94),
            Hit(3, 0.45, 84, 0.55, Step.FIFTH),
            Hit(3.5, 0.45, 86, 0.4, Step.APPROACH),
        ),
        chords=(
            Hit(0, 1.4, 82),
            Hit(1.5, 0.9, 72, 0.35),
            Hit(2.5, 0.45, 68, 0.6),
            Hit(3, 0.9, 76),
        ),
        drums=(
            Stroke(0, KICK, 112),
            Stroke(2, KICK, 104),
            Stroke(2.5, KICK, 84, 0.45),
            Stroke(1, SNARE, 106),
            Stroke(3, SNARE, 108),
            *_each(CLOSED, _BEATS, 78),
            *_each(CLOSED, _OFFBEATS, 78, 0.2),
        ),
        bass_program=33,
        chords_program=0,
    ),
    "ballad": Style(
        bass=(Hit(0, 1.9, 86), Hit(2, 1.4, 78, 0.2, Step.FIFTH), Hit(3.5, 0.45, 70, 0.7, Step.APPROACH)),
        chords=(Hit(0, 1.95, 70), Hit(2, 1.95, 64, 0.15), Hit(1, 0.95, 54, 0.65), Hit(3, 0.95, 56, 0.5)),
        drums=(
            Stroke(0, KICK, 88),
            Stroke(2.5, KICK, 68, 0.6),
            Stroke(2, RIM, 84),
            *_each(CLOSED, _BEATS, 60),
            *_each(CLOSED, _OFFBEATS, 58, 0.45),
        ),
        bass_program=32,
        chords_program=4,
    ),
    "swing": Style(
        bass=(
            Hit(0, 0.92, 96),
            Hit(1, 0.92, 88, 0.1, Step.FIFTH),
            Hit(2, 0.92, 92, 0.0, Step.OCTAVE),
            Hit(3, 0.92, 88, 0.1, Step.APPROACH),
        ),
        chords=(Hit(0, 0.3, 70), Hit(1.5, 0.4, 76), Hit(3.5, 0.3, 66, 0.6), Hit(2, 0.3, 60, 0.75)),
        drums=(
            *_each(RIDE, _BEATS, 84),
            *_each(RIDE, (1.5, 3.5), 84, 0.15),
            *_each(PEDAL, (1.0, 3.0), 74),
            *_each(KICK, _BEATS, 50, 0.3),
            Stroke(3.5, SNARE, 46, 0.65),
        ),
        bass_program=32,
        chords_program=26,
        swing=0.85,
    ),
    "four-on-the-floor": Style(
        bass=(
            Hit(0.5, 0.4, 96),
            Hit(1.5, 0.4, 96),
            Hit(2.5, 0.4, 96),
            Hit(3.5, 0.4, 96, 0.0, Step.OCTAVE),
            Hit(0, 0.3, 84, 0.5),
            Hit(2, 0.3, 80, 0.7),
        ),
        chords=(Hit(0, 0.7, 78), Hit(0.75, 0.5, 70, 0.5), Hit(1.5, 0.7, 76), Hit(2.5, 0.5, 74), Hit(3.5, 0.4, 70, 0.4)),
        drums=(
            *_each(KICK, _BEATS, 116),
            *_each(CLAP, (1.0, 3.0), 96),
            *_each(OPEN, _OFFBEATS, 92),
            *_each(CLOSED, (0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75), 66, 0.5),
        ),
        bass_program=38,
        chords_program=89,
    ),
}

SMALL_FILLS: tuple[tuple[Stroke, ...], ...] = (
    (Stroke(3, SNARE, 96), Stroke(3.25, SNARE, 74), Stroke(3.5, SNARE, 88), Stroke(3.75, SNARE, 98)),
    (Stroke(3, SNARE, 100), Stroke(3.5, HIGH_TOM, 94), Stroke(3.75, MID_TOM, 96)),
    (Stroke(3, KICK, 100), Stroke(3, SNARE, 92), Stroke(3.5, OPEN, 92)),
)
"""Every fourth bar, from its last beat."""
LARGE_FILLS: tuple[tuple[Stroke, ...], ...] = (
    (
        *(Stroke(2 + step / 4, SNARE, 78 + 4 * step) for step in range(2)),
        *(Stroke(2.5 + step / 4, HIGH_TOM, 88 + 3 * step) for step in range(2)),
        *(Stroke(3 + step / 4, MID_TOM, 92 + 3 * step) for step in range(2)),
        *(Stroke(3.5 + step / 4, LOW_TOM, 98 + 4 * step) for step in range(2)),
    ),
    (
        Stroke(2, SNARE, 100),
        Stroke(2.5, SNARE, 84),
        Stroke(2.75, SNARE, 92),
        Stroke(3, HIGH_TOM, 98),
        Stroke(3.5, MID_TOM, 98),
        Stroke(3.75, LOW_TOM, 102),
    ),
)
"""Every eighth bar, from its third beat; a crash follows."""
