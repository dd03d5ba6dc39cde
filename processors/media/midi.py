"""Read standard MIDI files of types 0, 1 and 2, checked before a parser sees them.

Source: MIDI Manufacturers Association, Standard MIDI Files 1.0 (RP-001); RIFF-MIDI (RP-029).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import mido

from domain.values import NoteFacts
from processors.media.limits import check_duration
from processors.media.source import Source

MAX_BYTES = 16 << 20
MAX_EVENTS = 1_000_000
MAX_TRACKS = 4096
DEFAULT_TEMPO_US = 500_000


def read_midi(path: Path, *, name: str | None = None) -> mido.MidiFile:
    """Return the parsed file.

    Raises: NotFound, Malformed, LimitExceeded.
    """
    return parse_midi(Source.at(path, name))


def parse_midi(source: Source) -> mido.MidiFile:
    """Check the structure, then parse. Raises: Malformed, LimitExceeded."""
    if source.size_bytes > MAX_BYTES:
        raise source.limit(
            f"has {source.size_bytes} bytes, the limit for MIDI is {MAX_BYTES}; split it", limit=MAX_BYTES
        )
    data = _unwrapped(source, source.head(MAX_BYTES))
    _check(source, data)
    try:
        return mido.MidiFile(file=io.BytesIO(data))
    except (ValueError, OSError, EOFError, LookupError, TypeError, struct.error) as error:
        raise source.malformed(
            f"is no valid MIDI file ({str(error) or type(error).__name__}); export it again"
        ) from error


def note_facts(source: Source) -> NoteFacts:
    """Count notes and tracks, and measure how long the file lasts, in seconds, tempo changes included.

    The patterns of a type 2 file each have their own time; the longest counts.
    Raises: Malformed, LimitExceeded.
    """
    file = parse_midi(source)
    notes = sum(m.type == "note_on" and m.velocity > 0 for track in file.tracks for m in track)
    if file.ticks_per_beat < 0:
        seconds = max((_ticks(track) for track in file.tracks), default=0) * _smpte_tick_s(file.ticks_per_beat)
    elif file.type == 2:
        seconds = max((_seconds(track, file.ticks_per_beat) for track in file.tracks), default=0.0)
    else:
        seconds = _seconds(mido.merge_tracks(file.tracks), file.ticks_per_beat)
    check_duration(source, seconds)
    return NoteFacts(format=f"midi-{file.type}", notes=notes, tracks=len(file.tracks), duration_s=seconds)


def _seconds(messages: Iterable[mido.Message], ticks_per_beat: int) -> float:
    """Duration; whole microseconds times ticks are added up exactly, so that no rounding creeps in."""
    tempo_us, total = DEFAULT_TEMPO_US, 0
    for message in messages:
        total += message.time * tempo_us
        if message.type == "set_tempo":
            tempo_us = message.tempo
    return total / ticks_per_beat / 1e6


def _ticks(messages: Iterable[mido.Message]) -> int:
    return sum(message.time for message in messages)


def _smpte_tick_s(division: int) -> float:
    """Length of a tick where the division is SMPTE: minus frames a second, and ticks a frame; 29 means 29.97."""
    frames_per_s, ticks_per_frame = -(division >> 8), division & 0xFF
    return 1 / ((30000 / 1001 if frames_per_s == 29 else frames_per_s) * ticks_per_frame)


def _unwrapped(source: Source, data: bytes) -> bytes:
    """The MIDI file inside a RIFF wrapping."""
    if data[:4] != b"RIFF":
        return data
    at = data.find(b"data", 12)
    if at < 0 or at + 8 > len(data):
        raise source.truncated("its RIFF wrapping has no data chunk")
    size = struct.unpack("<I", data[at + 4 : at + 8])[0]
    if at + 8 + size > len(data):
        raise source.truncated(f"its data chunk at byte {at} promises {size} bytes, {len(data) - at - 8} are there")
    return data[at + 8 : at + 8 + size]


def _check(source: Source, data: bytes) -> None:
    if len(data) < 14:
        raise source.truncated(f"a MIDI header has 14 bytes, here are {len(data)}")
    size, type_, tracks, division = struct.unpack(">IHHh", data[4:14])
    if data[:4] != b"MThd" or size < 6 or type_ > 2:
        raise source.malformed(f"has a MIDI header of type {type_} and {size} bytes; types 0, 1 and 2 exist")
    if division == 0 or (division < 0 and (-(division >> 8) not in (24, 25, 29, 30) or not division & 0xFF)):
        raise source.malformed(f"has {division} ticks a beat in its header (byte 12), so its time cannot be told")
    if tracks == 0 or (type_ == 0 and tracks != 1):
        raise source.malformed(f"says at byte 10 that it has {tracks} tracks, which type {type_} does not allow")
    if tracks > MAX_TRACKS:
        raise source.limit(f"has {tracks} tracks, the limit is {MAX_TRACKS}; split it", limit=MAX_TRACKS)
    events = 0
    for at, body in _tracks(source, data, 8 + size, tracks):
        events = _count_events(source, body, at, events)


def _tracks(source: Source, data: bytes, at: int, count: int) -> Iterator[tuple[int, bytes]]:
    for number in range(1, count + 1):
        if at + 8 > len(data):
            raise source.truncated(f"track {number} of {count} is missing at byte {at}", position=at)
        name, size = struct.unpack(">4sI", data[at : at + 8])
        if name != b"MTrk":
            raise source.malformed(f"has no track at byte {at}, where number {number} of {count} should begin")
        if at + 8 + size > len(data):
            raise source.truncated(
                f"track {number} at byte {at} promises {size} bytes, {len(data) - at - 8} are there", position=at
            )
        yield at + 8, data[at + 8 : at + 8 + size]
        at += 8 + size


def _count_events(source: Source, body: bytes, offset: int, events: int) -> int:
    """Walk one track's events without keeping them; returns `events` and how many they are."""
    at, status = 0, 0
    try:
        while at < len(body):
            _, at = _variable(body, at)
            if body[at] >= 0x80:
                status, at = body[at], at + 1
            elif not 0x80 <= status < 0xF0:
                raise ValueError(f"data byte {body[at]} without a status")
            if status in (0xF0, 0xF7, 0xFF):
                size, at = _variable(body, at + (status == 0xFF))
                at += size
            elif status < 0xF0:
                at += 1 if 0xC0 <= status < 0xE0 else 2
            else:
                raise ValueError(f"status {status:#x} has no place in a file")
            events += 1
            if events > MAX_EVENTS:
                raise source.limit(f"has more than {MAX_EVENTS} events; split it", limit=MAX_EVENTS)
        if at > len(body):
            raise ValueError("an event goes on behind the end of its track")
    except (ValueError, IndexError) as error:
        reason = "a track ends within an event" if isinstance(error, IndexError) else error
        raise source.malformed(
            f"is damaged near byte {offset + min(at, len(body))}: {reason}; export it again", position=offset + at
        ) from error
    return events


def _variable(body: bytes, at: int) -> tuple[int, int]:
    """A variable-length quantity, of four bytes at most, and where it ends."""
    value = 0
    for end in range(at, at + 4):
        value = value << 7 | body[end] & 0x7F
        if body[end] < 0x80:
            return value, end + 1
    raise ValueError("a number is longer than four bytes")
