"""Standard MIDI files to notes and back. Source: Standard MIDI Files 1.0 (RP-001), General MIDI 1."""

from __future__ import annotations

import io
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import mido
import numpy as np

from domain.errors import LimitExceeded, Malformed
from processors.midi.values import DRUM_CHANNEL, Metre, Note, Notes, Tempo, make_notes

MAX_BYTES = 32 * 2**20
MAX_MESSAGES = 2_000_000
MAX_DURATION_S = 24 * 3600.0
LONGEST_US = 2**24 - 1
SUSTAIN = 64
Placed = tuple[int, mido.Message]
"""A message at a tick."""
_BROKEN = (OSError, EOFError, ValueError, LookupError, TypeError, mido.KeySignatureError)


def read_midi(source: bytes | Path | str) -> Notes:
    """Read a MIDI file of type 0, 1 or 2; the patterns of type 2 follow one another.

    A note that is never let go ends with its track; the sustain pedal holds notes until it is lifted or they are
    struck again. Raises: Malformed, if it is no MIDI file or breaks off; LimitExceeded, above 32 MiB, two million
    messages or 24 hours.
    """
    data = source if isinstance(source, bytes) else _bounded(Path(source))
    if len(data) > MAX_BYTES:
        raise LimitExceeded(f"the MIDI file has {len(data)} bytes; the limit is {MAX_BYTES}", limit=MAX_BYTES)
    try:
        file = mido.MidiFile(file=io.BytesIO(data), clip=True)
    except _BROKEN as error:
        raise Malformed(f"not a whole MIDI file: {error or type(error).__name__}") from error
    if sum(map(len, file.tracks)) > MAX_MESSAGES:
        raise LimitExceeded(f"the MIDI file has over {MAX_MESSAGES} messages", limit=MAX_MESSAGES)
    patterns = [[track] for track in file.tracks] if file.type == 2 else [file.tracks]
    return _joined([_read_pattern(tracks, file.ticks_per_beat) for tracks in patterns], f"midi {file.type}")


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


@dataclass(slots=True)
class _Pattern:
    """What one set of parallel tracks holds; `length_s` to the end of its last message."""

    table: np.ndarray
    tempos: list[Tempo]
    metres: list[Metre]
    tracks: int
    length_s: float


def _joined(patterns: list[_Pattern], format: str) -> Notes:
    tables, tempos, metres, after = [], [], [], 0.0
    for pattern in patterns:
        pattern.table[:, :2] += after
        tables.append(pattern.table)
        tempos += [Tempo(start + after, bpm) for start, bpm in pattern.tempos]
        metres += [Metre(start + after, beats, unit) for start, beats, unit in pattern.metres]
        after += pattern.length_s
    if after > MAX_DURATION_S:
        raise LimitExceeded(f"the MIDI file lasts {after:.0f} s; the limit is {MAX_DURATION_S:.0f} s")
    return make_notes(
        np.concatenate(tables) if tables else [],
        tempos=tempos,
        metres=metres,
        format=format,
        tracks=sum(pattern.tracks for pattern in patterns),
    )


@dataclass(slots=True)
class _Reader:
    """Follows the messages of one pattern in time; `rows` are notes in ticks."""

    rows: list[tuple[int, int, int, int, int, int, bool]] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    metres: list[tuple[int, int, int]] = field(default_factory=list)
    programs: dict[int, int] = field(default_factory=dict)
    pedals: set[int] = field(default_factory=set)
    sounding: dict[tuple[int, int, int], deque[tuple[int, int, int]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    held: dict[tuple[int, int], list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    with_notes: set[int] = field(default_factory=set)

    def take(self, tick: int, track: int, message: mido.Message) -> None:
        match message.type:
            case "note_on" if message.velocity > 0:
                self._end_held(tick, message.channel, message.note)
                struck = (tick, message.velocity, self.programs.get(message.channel, 0))
                self.sounding[track, message.channel, message.note].append(struck)
                self.with_notes.add(track)
            case "note_on" | "note_off":
                self._let_go(tick, track, message.channel, message.note)
            case "program_change":
                self.programs[message.channel] = message.program
            case "control_change" if message.control == SUSTAIN:
                self._press(tick, message.channel, down=message.value >= 64)
            case "set_tempo":
                if not message.tempo:
                    raise Malformed(f"a tempo of 0 microseconds a beat at tick {tick}")
                self.tempos.append((tick, message.tempo))
            case "time_signature":
                self.metres.append((tick, message.numerator, message.denominator))

    def finish(self, tick: int, track: int) -> None:
        for (of, channel, pitch), struck in self.sounding.items():
            while of == track and struck:
                self._write(struck.popleft(), tick, channel, pitch)

    def lift_all(self, tick: int) -> None:
        for channel, pitch in list(self.held):
            self._end_held(tick, channel, pitch)

    def _let_go(self, tick: int, track: int, channel: int, pitch: int) -> None:
        struck = self.sounding.get((track, channel, pitch))
        if not struck:
            return
        if channel in self.pedals and channel != DRUM_CHANNEL:
            self.held[channel, pitch].append(struck.popleft())
        else:
            self._write(struck.popleft(), tick, channel, pitch)

    def _press(self, tick: int, channel: int, *, down: bool) -> None:
        if down:
            self.pedals.add(channel)
            return
        self.pedals.discard(channel)
        for of, pitch in [key for key in self.held if key[0] == channel]:
            self._end_held(tick, of, pitch)

    def _end_held(self, tick: int, channel: int, pitch: int) -> None:
        for struck in self.held.pop((channel, pitch), ()):
            self._write(struck, tick, channel, pitch)

    def _write(self, struck: tuple[int, int, int], tick: int, channel: int, pitch: int) -> None:
        start, velocity, program = struck
        self.rows.append((start, tick, pitch, velocity, channel, program, channel == DRUM_CHANNEL))


def _read_pattern(tracks: list[mido.MidiTrack], division: int) -> _Pattern:
    reader, timed, ends = _Reader(), [], []
    for index, track in enumerate(tracks):
        ticks = np.cumsum([message.time for message in track]) if track else np.zeros(0)
        timed += [(int(tick), index, message) for tick, message in zip(ticks, track, strict=True)]
        ends.append((int(ticks[-1]) if len(ticks) else 0, index))
    for tick, index, message in sorted(timed, key=lambda entry: entry[0]):
        reader.take(tick, index, message)
    for tick, index in ends:
        reader.finish(tick, index)
    last = max((tick for tick, _ in ends), default=0)
    reader.lift_all(last)
    clock = _Clock(reader.tempos, division)
    table = np.array(reader.rows, dtype=np.float64).reshape(-1, len(Note._fields))
    table[:, :2] = clock.seconds(table[:, :2])
    metres = [Metre(float(clock.seconds(tick)), beats, unit) for tick, beats, unit in reader.metres]
    return _Pattern(table, clock.tempos, metres, len(reader.with_notes), float(clock.seconds(last)))


class _Clock:
    """Ticks to seconds through tempo changes; in SMPTE divisions a tick has one length whatever the tempo."""

    def __init__(self, changes: Iterable[tuple[int, int]], division: int) -> None:
        frames, per_frame = -(division >> 8), division & 0xFF
        if division == 0 or (division < 0 and not per_frame):
            raise Malformed(f"the MIDI header's division {division} gives no time to a tick")
        last: dict[int, int] = {0: mido.bpm2tempo(120)}
        if division > 0:
            last.update(changes)
        self._ticks = np.array(list(last), dtype=np.float64)
        tempos_us = np.array(list(last.values()), dtype=np.float64)
        self._tick_s = tempos_us / 1e6 / division if division > 0 else np.array([1.0 / (frames * per_frame)])
        self._starts_s = np.concatenate([[0.0], np.cumsum(np.diff(self._ticks) * self._tick_s[:-1])])
        self.tempos = [Tempo(float(start), 60e6 / us) for start, us in zip(self._starts_s, tempos_us, strict=True)]

    def seconds(self, ticks: np.ndarray | float) -> np.ndarray:
        """The times of ticks, any shape."""
        at = np.searchsorted(self._ticks, ticks, side="right") - 1
        return np.asarray(self._starts_s[at] + (ticks - self._ticks[at]) * self._tick_s[at])


def write_midi(notes: Notes, ticks_per_beat: int = 480) -> bytes:
    """Write a MIDI file of type 1: tempo and metre first, then a track a channel; the same notes give the same bytes.

    Notes fall on the nearest tick. Each tempo is set so that the next change comes within a microsecond of its time,
    whatever was rounded before it. Raises: Malformed, for a tempo below 3.6 bpm, which MIDI cannot say.
    """
    grid = _Grid(notes.tempos, ticks_per_beat)
    conductor: list[tuple[int, mido.MetaMessage]] = [
        (tick, mido.MetaMessage("set_tempo", tempo=us)) for tick, us in grid.changes
    ]
    for start, beats, unit in notes.metres:
        message = mido.MetaMessage("time_signature", numerator=beats, denominator=unit)
        conductor.append((int(grid.ticks(start)), message))
    file = mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat)
    file.tracks.append(_track(sorted(conductor, key=lambda entry: entry[0])))
    starts, ends = grid.ticks(notes.start_s), grid.ticks(notes.end_s)
    for channel in np.unique(notes.channel):
        file.tracks.append(_track(_channel_messages(notes, int(channel), starts, ends)))
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def _channel_messages(notes: Notes, channel: int, starts: np.ndarray, ends: np.ndarray) -> list[Placed]:
    """Program changes, then ends before starts on the same tick; a note lasts a tick at least."""
    events: list[tuple[int, int, int, mido.Message]] = []
    program: int | None = None
    for index in np.flatnonzero(notes.channel == channel):
        start, pitch, sound = int(starts[index]), int(notes.pitch[index]), int(notes.program[index])
        end = max(int(ends[index]), start + 1)
        if sound != program and not (notes.is_drum[index] and program is None and sound == 0):
            change = mido.Message("program_change", channel=channel, program=sound)
            events.append((start, 1, len(events), change))
        program = sound
        strike = mido.Message("note_on", channel=channel, note=pitch, velocity=int(notes.velocity[index]))
        events.append((start, 2, len(events), strike))
        let_go = mido.Message("note_off", channel=channel, note=pitch, velocity=64)
        events.append((end, 0, len(events), let_go))
    return [(tick, message) for tick, _, _, message in sorted(events, key=lambda entry: entry[:3])]


def _track(events: Iterable[tuple[int, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    track, now = mido.MidiTrack(), 0
    for tick, message in events:
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=0))
    return track


class _Grid:
    """Seconds to ticks through a tempo map in whole microseconds a beat; `changes` are (tick, microseconds)."""

    def __init__(self, tempos: tuple[Tempo, ...], ticks_per_beat: int) -> None:
        self.changes: list[tuple[int, int]] = []
        tick, now_s = 0, 0.0
        starts = []
        for (start, bpm), after in zip(tempos, (*tempos[1:], None), strict=True):
            us = round(60e6 / bpm) if bpm > 0 else 0
            ticks = round((after.start_s - start) * bpm / 60 * ticks_per_beat) if after else 0
            if after and ticks:
                us = round((after.start_s - now_s) * 1e6 * ticks_per_beat / ticks)
            if not 1 <= us <= LONGEST_US:
                raise Malformed(f"a tempo of {bpm:g} bpm at {start:.3f} s; MIDI needs {60e6 / LONGEST_US:.3g} or more")
            if not after or ticks:
                self.changes.append((tick, us))
                starts.append(now_s)
            tick, now_s = tick + ticks, now_s + ticks * us / 1e6 / ticks_per_beat
        self._starts_s = np.array(starts)
        self._ticks, self._us = np.array(self.changes, dtype=np.float64).T
        self._per_s = 1e6 * ticks_per_beat / self._us

    def ticks(self, seconds: np.ndarray | float) -> np.ndarray:
        """The nearest ticks, int64."""
        at = np.searchsorted(self._starts_s, seconds, side="right") - 1
        at = np.maximum(at, 0)
        ticks = self._ticks[at] + (seconds - self._starts_s[at]) * self._per_s[at]
        return np.asarray(np.rint(ticks), dtype=np.int64)
