"""A sheet as a MIDI file whose ticks are times: tempo changes are worked out before, not by the player."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import mido
import numpy as np

from benchmarks.hearing.sheet import DRUMS, Sheet

TICKS_PER_S = 1920
TAIL_S = 1.5
"""Silence after the last release, in which what was played rings out."""
_VOLUME, _PAN, _REVERB = 7, 10, 91


def write_midi(sheets: Sequence[Sheet], path: Path, *, jitter_s: float = 0.0, seed: int = 0) -> list[float]:
    """Write sheets behind one another to a file and return when each begins, in seconds.

    Each onset is moved by a random time of the spread that is asked for, as hands would. A part plays on a channel of
    its own; more than 15 pitched ones share them by their number.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, int, mido.Message]] = []
    starts_s = [0.0]
    for sheet in sheets:
        rows += _rows(sheet, starts_s[-1] + sheet.lead_s, jitter_s, rng)
        starts_s.append(starts_s[-1] + sheet.lead_s + sheet.length_s + TAIL_S)
    _write(sorted(rows, key=lambda row: row[:2]), path)
    return starts_s


def _rows(
    sheet: Sheet, start_s: float, jitter_s: float, rng: np.random.Generator
) -> Iterator[tuple[int, int, mido.Message]]:
    channels = _channels(sheet.programs)
    for part, program in enumerate(sheet.programs):
        for order, message in enumerate(_setting(channels[part], program, part, sheet)):
            yield _ticks(start_s - sheet.lead_s), order - 20, message
    for note in sheet.notes:
        moved = float(np.clip(rng.normal(0, jitter_s), -2 * jitter_s, 2 * jitter_s)) if jitter_s else 0.0
        first = _ticks(sheet.clock.seconds(note.onset_q) + start_s + moved)
        behind = max(first + 20, _ticks(sheet.clock.seconds(note.end_q) + start_s) - 4)
        named = {"channel": channels[note.part], "note": note.pitch}
        yield first, 1, mido.Message("note_on", velocity=note.velocity, **named)
        yield behind, 0, mido.Message("note_off", velocity=64, **named)


def _write(rows: list[tuple[int, int, mido.Message]], path: Path) -> None:
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    now = 0
    for tick, _, message in rows:
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=TICKS_PER_S))
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_S // 2)
    file.tracks.append(track)
    file.save(str(path))


def _ticks(at_s: float) -> int:
    return max(0, round(at_s * TICKS_PER_S))


def _channels(programs: tuple[int, ...]) -> list[int]:
    free = [channel for channel in range(16) if channel != 9]
    pitched = iter(free * (1 + len(programs) // len(free)))
    return [9 if program == DRUMS else next(pitched) for program in programs]


def _setting(channel: int, program: int, part: int, sheet: Sheet) -> list[mido.Message]:
    parts = len(sheet.programs)
    pan = 64 if parts == 1 or channel == 9 else round(64 + 36 * (2 * part / max(1, parts - 1) - 1))
    settings = [
        mido.Message("control_change", channel=channel, control=control, value=value)
        for control, value in ((_VOLUME, 100), (_PAN, pan), (_REVERB, 40 if parts > 1 else 0))
    ]
    if program == DRUMS:
        return settings
    fine = 8192 + round(8192 * sheet.tuning_cents / 100)
    tuning = [
        mido.Message("control_change", channel=channel, control=control, value=value)
        for control, value in ((101, 0), (100, 1), (6, fine >> 7), (38, fine & 127))
    ]
    return [mido.Message("program_change", channel=channel, program=program), *settings, *tuning]
