"""MIDI in and out, with mido's own player clock and hand-made bytes to hold it to."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notes_material import FileBlobs, imported, imported_notes, notes

from domain.errors import LimitExceeded, Malformed
from processors.midi.describe import describe_notes
from processors.midi.notes import Metre, Tempo, make_notes, read_midi, write_midi


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    """An empty store."""
    return FileBlobs(tmp_path)


def smf(kind: int, division: int, *tracks: bytes) -> bytes:
    """A MIDI file of raw track bytes."""
    body = b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)
    return b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division & 0xFFFF) + body


END = bytes.fromhex("00ff2f00")


def played(data: bytes) -> list[tuple[float, int, int]]:
    """What mido's own clock plays: (seconds, pitch, channel) of every note struck."""
    now, found = 0.0, []
    for message in mido.MidiFile(file=io.BytesIO(data)):
        now += message.time
        if message.type == "note_on" and message.velocity:
            found.append((now, message.note, message.channel))
    return sorted(found)


def test_written_notes_are_played_by_mido_at_their_times_through_tempo_changes():
    """Given notes on a tempo map, when written, then mido's player strikes each within half a tick."""
    random = np.random.default_rng(5)
    rows = [
        (s, s + 0.2, p, 90, c, c, 0) for s, p, c in zip(random.uniform(0, 60, 300), range(300), range(300), strict=True)
    ]
    given = make_notes(
        [(s, e, 20 + p % 100, v, c % 9, g % 128, d) for s, e, p, v, c, g, d in rows],
        tempos=[Tempo(0.0, 120), Tempo(10.0, 90), Tempo(26.0, 133.7), Tempo(41.5, 61)],
        metres=[Metre(0.0, 4, 4), Metre(10.0, 3, 4)],
    )
    heard = played(write_midi(given))
    expected = sorted(zip(given.start_s, given.pitch.tolist(), given.channel.tolist(), strict=True))
    half_tick_s = 60 / 61 / 480 / 2
    assert len(heard) == len(expected)
    assert np.abs(np.array([time for time, *_ in heard]) - [time for time, *_ in expected]).max() < half_tick_s + 1e-5


def test_what_is_written_is_read_again():
    """Given notes on ticks, when written and read, then every column, tempo and metre is the same."""
    before = make_notes(
        [(0, 0.5, 60, 100, 0, 5, 0), (0.5, 1, 64, 1, 3, 40, 0), (0.5, 0.75, 38, 127, 9, 0, 1), (1, 3, 0, 64, 0, 6, 0)],
        tempos=[Tempo(0, 120), Tempo(1.0, 60)],
        metres=[Metre(0, 6, 8)],
    )
    after = read_midi(write_midi(before))
    for column in ("start_s", "end_s", "pitch", "velocity", "channel", "program", "is_drum"):
        np.testing.assert_allclose(getattr(after, column), getattr(before, column), atol=1e-9, err_msg=column)
    assert after.tempos == before.tempos
    assert after.metres == before.metres
    assert after.facts.notes == 4
    assert after.facts.tracks == 3
    assert write_midi(after) == write_midi(before)


def test_types_0_and_1_and_2_and_running_status_are_read():
    """Given the same two notes as each type, then types 0 and 1 sound together and type 2 one pattern after another."""
    one = bytes.fromhex("00903c40 60 3c00") + END  # the second message has no status byte of its own
    two = bytes.fromhex("00914040 60 4000") + END
    both = bytes.fromhex("00903c40 00914040 60903c00 00914000") + END
    for kind, tracks in ((0, (both,)), (1, (one, two))):
        read = read_midi(smf(kind, 96, *tracks))
        assert (read.start_s.tolist(), read.end_s.tolist(), read.format) == ([0, 0], [0.5, 0.5], f"midi {kind}")
    read = read_midi(smf(2, 96, one, two))
    assert (read.start_s.tolist(), read.end_s.tolist(), read.tracks) == ([0, 0.5], [0.5, 1.0], 2)


def test_smpte_time_does_not_follow_the_tempo():
    """Given 25 frames of 40 ticks a second, then 1000 ticks are one second, whatever tempo is said."""
    track = bytes.fromhex("00ff5103 0186a0 00903c40 8768803c00") + END
    assert read_midi(smf(0, (-25 << 8) | 40, track)).end_s.tolist() == pytest.approx([1.0])


def test_the_pedal_holds_notes_until_it_is_lifted_or_they_are_struck_again():
    """Given a key let go under the pedal, then it sounds to the lift; struck again, the first ends there."""
    track = bytes.fromhex("00b0407f 00903c40 30803c00 30904040 18804000 18903c40 10803c00 50b04000") + END
    read = read_midi(smf(0, 96, track))
    assert read.pitch.tolist() == [60, 64, 60]
    lift = (0x30 + 0x30 + 0x18 + 0x18 + 0x10 + 0x50) / 192
    assert read.end_s.tolist() == pytest.approx([(0x30 + 0x30 + 0x18 + 0x18) / 192, lift, lift])


def test_a_note_never_let_go_ends_with_its_track():
    """Given a note on without an off, then it lasts to the end of the track, marked or not."""
    assert read_midi(smf(0, 96, bytes.fromhex("00903c40 60ff2f00"))).end_s.tolist() == pytest.approx([0.5])
    assert len(read_midi(smf(0, 96, bytes.fromhex("00903c40")))) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF\x00\x00\x00\x00WAVE",
        smf(0, 0, END),
        smf(0, 96, bytes.fromhex("00ff5103000000") + END),
        write_midi(notes((0, 1, 60, 90)))[:-9],
    ],
    ids=["empty", "a wave file", "no division", "tempo 0", "broken off"],
)
def test_what_is_no_midi_file_is_refused(data: bytes):
    """Given bytes that are no whole MIDI file, then they are malformed and nothing else is raised."""
    with pytest.raises(Malformed):
        read_midi(data)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 2), st.integers(0, 65535))
def test_any_bytes_are_read_or_refused(track: bytes, kind: int, division: int):
    """Given whatever a track may hold, then notes or one of our errors come of it."""
    try:
        read = read_midi(smf(kind, division, track))
    except (Malformed, LimitExceeded):
        return
    assert (read.end_s >= read.start_s).all()
    assert np.isfinite(read.end_s).all()


def test_a_description_counts_what_sounds(blobs: FileBlobs):
    """Given a chord of three, a touching note and a drum, then polyphony, range, rate and programs are theirs."""
    event = imported_notes(
        blobs,
        (0, 1, 60, 90, 0, 24),
        (0, 1, 64, 90, 0, 24),
        (0, 1, 67, 90, 0, 24),
        (1, 2, 72, 90, 1, 40),
        (1.5, 1.6, 35, 90, 9, 0, 1),
    )
    found = describe_notes.handle(event, blobs)
    assert (found.notes, found.greatest_polyphony, found.programs) == (5, 3, (24, 40))
    assert (found.lowest_pitch, found.highest_pitch, found.tempo_bpm, found.metre) == (60, 72, 120, None)
    assert found.notes_per_s == pytest.approx(2.5, rel=1e-3)


def test_a_file_without_notes_is_described(blobs: FileBlobs):
    """Given a MIDI file that holds no note, then counts are 0 and what notes would tell is null."""
    found = describe_notes.handle(imported(blobs, write_midi(notes())), blobs)
    assert (found.notes, found.greatest_polyphony, found.notes_per_s, found.programs) == (0, 0, 0, ())
    assert (found.tempo_bpm, found.lowest_pitch, found.highest_pitch) == (None, None, None)


def test_the_tempo_and_metre_told_are_those_that_last_longest(blobs: FileBlobs):
    """Given a short introduction in another tempo and metre, then those of the piece are told."""
    piece = make_notes(
        [(0, 12, 60, 90, 0, 0, 0)],
        tempos=[Tempo(0, 60), Tempo(3.0, 140)],
        metres=[Metre(0, 3, 4), Metre(3.0, 4, 4)],
    )
    found = describe_notes.handle(imported(blobs, write_midi(piece)), blobs)
    assert found.tempo_bpm == pytest.approx(140, abs=0.01)
    assert found.metre == "4/4"
