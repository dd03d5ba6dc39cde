"""What is true of a rendered piece, in seconds, as it is kept beside its sound."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from statistics import median
from typing import Any

import numpy as np

from benchmarks.hearing.sheet import DRUMS, Sheet, Span

HOP_S = 0.01
_TEMPO_STEP_S = 0.5

Labelled = list[tuple[float, float, str]]
"""Start and end in seconds, and what it is called."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything known of an item; None where it is not known, and then nothing is to be asked.

    tempo_bpm: the median, in beats of the metre. tempo_curve: (seconds, bpm), piecewise linear.
    beats_per_bar: None where the metre changes. swing: share of a beat that its first half takes, .5 is straight.
    chords: Harte's labels, sevenths and inversions included. numerals: "F# minor:ii6/5".
    melody_hz: every 10 ms from 0, 0 where nothing is sung. notes: (onset, offset, MIDI pitch, bent by the
    tuning) without drums.
    """

    duration_s: float
    beats_s: list[float] | None = None
    downbeats_s: list[float] | None = None
    metre: str | None = None
    beats_per_bar: int | None = None
    tempo_bpm: float | None = None
    tempo_curve: list[tuple[float, float]] | None = None
    swing: float | None = None
    key: tuple[str, str] | None = None
    keys: Labelled | None = None
    chords: Labelled | None = None
    numerals: Labelled | None = None
    sections: Labelled | None = None
    melody_hz: list[float] | None = None
    notes: list[tuple[float, float, float]] | None = None
    family: str | None = None
    piece: str | None = None
    tuning_cents: float | None = None


def truth_of(sheet: Sheet) -> Truth:
    """Return what is true of a sheet in the sound that is made of it, jitter of its notes left aside."""
    late_s = sheet.lead_s

    def at(place_q: float) -> float:
        return round(sheet.clock.seconds(place_q) + late_s, 5)

    def spans(found: tuple[Span, ...]) -> Labelled | None:
        return [(at(span.start_q), at(span.end_q), span.label) for span in found] or None

    bent = sheet.tuning_cents / 100
    beats_s = [at(place) for place in sheet.beats_q]
    heard = [n for n in sheet.notes if sheet.programs[n.part] != DRUMS]
    return Truth(
        duration_s=at(sheet.end_q),
        beats_s=beats_s or None,
        downbeats_s=[at(place) for place in sheet.downbeats_q] or None,
        metre=sheet.metre,
        beats_per_bar=_beats_per_bar(sheet),
        tempo_bpm=round(60 / median(np.diff(beats_s)), 3) if len(beats_s) > 2 else None,
        tempo_curve=_tempo_curve(sheet, late_s) if len(beats_s) > 2 else None,
        swing=sheet.swing,
        key=sheet.key,
        keys=spans(sheet.keys),
        chords=spans(sheet.chords),
        numerals=spans(sheet.numerals),
        sections=spans(sheet.sections),
        melody_hz=_melody(sheet, late_s),
        notes=sorted((at(n.onset_q), at(n.end_q), n.pitch + bent) for n in heard) or None,
        piece=sheet.name,
        tuning_cents=sheet.tuning_cents,
    )


def to_json(truth: Truth) -> dict[str, Any]:  # Any: JSON
    """Return a truth as JSON can hold it."""
    return asdict(truth)


def from_json(values: dict[str, Any]) -> Truth:  # Any: JSON
    """Return the truth that was written so."""
    held = {one.name: values.get(one.name) for one in fields(Truth)}
    for name in ("keys", "chords", "numerals", "sections", "notes", "tempo_curve"):
        if held[name] is not None:
            held[name] = [tuple(row) for row in held[name]]
    if held["key"] is not None:
        held["key"] = tuple(held["key"])
    return Truth(**held)


def _beats_per_bar(sheet: Sheet) -> int | None:
    counts = [
        sum(here - 1e-6 <= beat < behind - 1e-6 for beat in sheet.beats_q)
        for here, behind in zip(sheet.downbeats_q, sheet.downbeats_q[1:], strict=False)
    ]
    return max(set(counts), key=counts.count) if counts and sheet.metre else None


def _tempo_curve(sheet: Sheet, late_s: float) -> list[tuple[float, float]]:
    """The tempo in beats a minute every half second, from the places of the beats' neighbours in the clock."""
    per_quarter = 1 / float(np.median(np.diff(sheet.beats_q)))
    clock = sheet.clock
    rows: dict[float, float] = {}
    for at_s in np.arange(0, sheet.length_s, _TEMPO_STEP_S):
        step = max(0, int(np.searchsorted(clock.starts, at_s, side="right")) - 1)
        rows[round(float(at_s) + late_s, 5)] = round(clock.bpms[step] * per_quarter, 3)
    return list(rows.items())


def _melody(sheet: Sheet, late_s: float) -> list[float] | None:
    """The tune's pitch every 10 ms; where two of its notes overlap, the later one's."""
    if sheet.melody is None:
        return None
    hz = np.zeros(int((sheet.length_s + late_s) / HOP_S) + 1)
    for note in sorted(n for n in sheet.notes if n.part == sheet.melody):
        first, behind = (int(np.ceil((sheet.clock.seconds(q) + late_s) / HOP_S)) for q in (note.onset_q, note.end_q))
        hz[first:behind] = 440 * 2 ** ((note.pitch - 69 + sheet.tuning_cents / 100) / 12)
    return np.round(hz, 3).tolist()
