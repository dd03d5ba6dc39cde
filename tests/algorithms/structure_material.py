"""Pieces of known form, played by the product's own instrument."""

from __future__ import annotations

from functools import cache

import numpy as np
from notes_material import notes

from processors.audio.signal import Signal
from processors.synthesis.render import play
from processors.synthesis.timbres import RATE_HZ

BAR_S = 1.5
BARS = 8
SECTION_S = BARS * BAR_S
_CHORDS = {"A": (0, 9, 5, 7, 0, 4, 5, 7), "B": (2, 7, 4, 9, 2, 7, 0, 0), "C": (5, 10, 3, 8, 5, 0, 8, 10)}
_MINOR = {"A": (4, 9), "B": (2, 4, 9), "C": ()}
_TUNES = {
    "A": ((0, 76), (1, 74), (2, 72), (4, 69), (5, 72), (8, 77), (10, 76), (12, 74), (14, 71)),
    "B": ((0, 69), (0.5, 71), (1, 72), (1.5, 74), (4, 79), (6, 77), (8, 76), (8.5, 77), (9, 79), (12, 81)),
    "C": ((2, 65), (3, 67), (4, 70), (7, 68), (9, 63), (11, 65), (13, 68), (15, 72)),
}
_COMP = {"A": (0, 24), "B": (1, 48), "C": (2, 19)}
"""Channel and program of the chords."""
_SOFT = {"A": 80, "B": 100, "C": 64}

Row = tuple[float, ...]


@cache
def piece(form: str, *, lead_s: float = 0.0, up: tuple[int, ...] = ()) -> Signal:
    """Sections of eight bars of 1.5 s, a letter each; up: by how many semitones each is higher.

    A: plucked chords a beat, B: louder strings, C: a soft organ without drums. Drums fill the last bar of a section,
    and a crash begins the next.
    """
    samples = sounded(form, up)
    return Signal(np.concatenate([np.zeros((2, round(lead_s * RATE_HZ)), np.float32), samples], axis=1), RATE_HZ)


@cache
def sounded(form: str, up: tuple[int, ...] = ()) -> np.ndarray:
    """The samples of a piece, shape (2, frames)."""
    rows: list[Row] = []
    for place, label in enumerate(form):
        raised = up[place] if up else 0
        for bar in range(BARS):
            rows += _bar(label, bar, place * SECTION_S + bar * BAR_S, raised)
    return play(notes(*rows))


def _bar(label: str, bar: int, start_s: float, raised: int) -> list[Row]:
    beat_s, loud = BAR_S / 4, _SOFT[label]
    root = _CHORDS[label][bar]
    third = 3 if root in _MINOR[label] else 4
    channel, program = _COMP[label]
    pitches = [48 + raised + (root + tone) % 12 for tone in (0, third, 7)]
    hits = (0, 1, 2, 3) if label == "A" else (0,)
    rows: list[Row] = [
        (start_s + hit * beat_s, start_s + (hit + 4 / len(hits) - 0.1) * beat_s, pitch, loud, channel, program)
        for hit in hits
        for pitch in pitches
    ]
    rows.append((start_s, start_s + 2 * beat_s, 36 + (root + raised) % 12, loud, 3, 33))
    for at, pitch in _TUNES[label]:
        if int(at // 4) == bar % 4:
            at_s = start_s + (at % 4) * beat_s
            higher = 0 if bar < 4 else 5 - int(at) % 4
            rows.append((at_s, at_s + 0.9 * beat_s, pitch + raised + higher, loud + 10, 4, 73))
    if label != "C":
        hits_here = _DRUMS + (_CRASH if bar == 0 else _FILL if bar == BARS - 1 else ())
        rows += [(start_s + hit * beat_s, start_s + hit * beat_s + 0.1, drum, loud, 9, 0, 1) for hit, drum in hits_here]
    return rows


_CRASH, _FILL = ((0, 49),), ((3, 38), (3.25, 38), (3.5, 45), (3.75, 43))
_DRUMS = ((0, 36), (1, 38), (2, 36), (3, 38), *((step / 2, 42) for step in range(8)))


def borders_s(form: str, lead_s: float = 0.0) -> list[float]:
    """Where sections begin, and where the last one ends."""
    return [lead_s + place * SECTION_S for place in range(len(form) + 1)]
