"""Melody against voices of known pitch, vibrato and glides, and a tune over a band."""

from __future__ import annotations

import io

import numpy as np
import pytest
from audio_material import LOOP_NAMES, analyse, clicks, load_loop, noise
from melody_material import RATE_HZ, sung, times_s, voice, with_band

from processors.audio.signal import Signal
from processors.melody.analysis import melody_of, track_melody
from processors.melody.phrases import notes_of, vibrato_of


def heard(samples, rate_hz=RATE_HZ):
    """The melody of samples."""
    return Signal(np.asarray(samples, np.float32), rate_hz).once(melody_of)


def pitches(melody):
    """The MIDI pitch of each frame that sounds, shape (frames,)."""
    return 69 + 12 * np.log2(melody.hz[melody.voiced] / 440)


@pytest.mark.parametrize("pitch", [40, 55.3, 69, 84])
def test_a_steady_voice_has_its_pitch_within_a_twentieth_of_a_semitone(pitch):
    """Given one note, when heard, then it is one voice with one note of that pitch, for as long as it lasts."""
    melody = heard(voice(sung([pitch], 1.5)))
    assert melody.alone
    assert [note.pitch for note in melody.notes] == [pytest.approx(pitch, abs=0.05)]
    assert np.mean(np.abs(pitches(melody) - pitch) < 0.25) > 0.97
    assert melody.notes[0].start_s == pytest.approx(0.15, abs=0.05)
    assert melody.notes[0].end_s == pytest.approx(1.65, abs=0.08)
    assert melody.confidence > 0.8


def test_notes_with_rests_between_are_told_one_by_one():
    """Given seven notes, when heard, then there are seven, each in its place, and rests do not sound."""
    line = sung([60, 64, 67, 72, 71, 67, 62], 0.4)
    melody = heard(voice(line))
    assert np.allclose([note.pitch for note in melody.notes], [60, 64, 67, 72, 71, 67, 62], atol=0.1)
    assert np.allclose([note.start_s for note in melody.notes], 0.15 + 0.55 * np.arange(7), atol=0.04)
    assert {note.reached for note in melody.notes} == {"breath"}
    assert melody.voiced.mean() == pytest.approx(np.mean(~np.isnan(line)), abs=0.08)


@pytest.mark.parametrize(("rate_hz", "cents"), [(5.0, 30), (6.5, 50)])
def test_a_vibrato_has_its_rate_and_extent(rate_hz, cents):
    """Given a note that swings, when heard, then rate and extent are told, and a steady one has none."""
    at_s = times_s(2.0)
    swinging = 62 + cents / 100 * np.sin(2 * np.pi * rate_hz * at_s)
    melody = heard(voice(np.concatenate([sung([62], 1.0), swinging, sung([62], 0.5)])))
    told = [note.vibrato for note in melody.notes if note.end_s - note.start_s > 1.5]
    assert told[0].rate_hz == pytest.approx(rate_hz, abs=0.2)
    assert told[0].extent_cents == pytest.approx(cents, rel=0.3)
    assert all(note.vibrato is None for note in melody.notes if note.end_s < 1.2)


@pytest.mark.parametrize("length_s", [1.5, 25])
def test_vibrato_of_a_known_line_is_exact(length_s):
    """Given a line of pitch that swings by 40 cents 5.7 times a second while it drifts, then both are told."""
    at_s = np.arange(round(100 * length_s)) / 100
    found = vibrato_of(60 + 0.2 * at_s + 0.4 * np.sin(2 * np.pi * 5.7 * at_s))
    assert found is not None
    assert found.rate_hz == pytest.approx(5.7, abs=0.1)
    assert found.extent_cents == pytest.approx(40, rel=0.05)
    assert vibrato_of(60 + 0.2 * at_s) is None
    assert vibrato_of(60 + 0.05 * np.random.default_rng(1).standard_normal(150)) is None


def test_a_glide_is_told_from_a_leap():
    """Given three notes, the second reached by a glide of 0.15 s and the third at once, then they are told so."""
    glide = np.interp(times_s(0.15), [0, 0.15], [60, 65])
    line = np.concatenate([60 * np.ones(RATE_HZ // 2), glide, 65 * np.ones(RATE_HZ // 2), 58 * np.ones(RATE_HZ // 2)])
    notes = heard(voice(np.concatenate([np.full(4410, np.nan), line, np.full(4410, np.nan)]))).notes
    assert [round(note.pitch) for note in notes] == [60, 65, 58]
    assert [note.reached for note in notes[1:]] == ["glide", "leap"]


def test_a_note_struck_again_is_another_note():
    """Given a line of one pitch whose level dips in between, when cut, then there are two notes."""
    level_db = np.full(100, -20.0)
    level_db[48:53] = [-26, -34, -36, -34, -26]
    found = notes_of(np.full(100, 440.0), np.ones(100), level_db)
    assert [note.start_s for note in found] == pytest.approx([0, 0.5], abs=0.03)
    assert len(notes_of(np.full(100, 440.0), np.ones(100), np.full(100, -20.0))) == 1


def test_level_changes_nothing_and_transposition_moves_it():
    """Given a tune at a hundredth of its level, and a fifth higher, then the line is the same, and a fifth higher."""
    line = sung([60, 62, 64, 67], 0.4)
    plain, quiet, higher = (heard(samples) for samples in (voice(line), 0.01 * voice(line), voice(line + 7)))
    assert np.mean(plain.voiced == quiet.voiced) > 0.98
    both = plain.voiced & quiet.voiced
    assert np.abs(1200 * np.log2(plain.hz[both] / quiet.hz[both])).max() < 20
    steps = [b.pitch - a.pitch for a, b in zip(plain.notes, higher.notes, strict=True)]
    assert np.allclose(steps, 7, atol=0.1)


def test_a_tune_is_heard_over_a_band():
    """Given a flute over piano, bass and drums, when heard, then it is a mix, and the tune is most of its melody."""
    samples, tune, each_s = with_band()
    melody = heard(samples)
    assert not melody.alone
    at_s = (np.arange(len(tune)) + 0.5) * each_s
    pitch = 69 + 12 * np.log2(melody.hz[np.rint(at_s * 100).astype(int)] / 440)
    assert np.mean(np.abs(pitch - tune) < 0.5) >= 0.75


@pytest.mark.parametrize(
    "samples",
    [np.zeros((2, 88_200)), np.full((1, 1), 0.5), np.full((1, 88_200), 0.5), noise(6), clicks(120, 6)[0], noise(0.02)],
    ids=["silence", "one sample", "DC", "noise", "clicks", "20 ms"],
)
def test_what_has_no_pitch_has_no_melody(samples, blobs):
    """Given silence, noise, clicks or next to nothing, when heard, then next to nothing sounds, with no confidence."""
    found = analyse(track_melody, Signal(samples, RATE_HZ), blobs)
    assert found.notes <= 2
    assert found.voiced_share < 0.1
    assert found.confidence * found.voiced_share < 0.1


def test_a_long_sound_in_blocks_is_heard_as_one_that_is_whole(tmp_path):
    """Given 75 s, cut into blocks and kept on disk, when heard, then every frame is the same, borders of pieces too."""
    line = np.concatenate(
        [sung([55 + step % 17 for step in range(first, first + 8)], 0.5) for first in range(0, 120, 8)]
    )
    samples = voice(line)
    whole = Signal(samples, RATE_HZ).once(melody_of)
    cut = Signal(samples, RATE_HZ, folder=tmp_path, held_bytes=0, block_frames=30_011).once(melody_of)
    assert np.mean(np.isclose(whole.hz, cut.hz, rtol=1e-4)) > 0.999
    assert np.mean(whole.voiced == cut.voiced) > 0.999
    true = np.nan_to_num(line[(np.arange(len(whole.hz)) * RATE_HZ) // 100])
    sounding = (true > 0) & whole.voiced
    assert np.mean(np.abs(69 + 12 * np.log2(whole.hz[sounding] / 440) - true[sounding]) < 0.3) > 0.98


@pytest.mark.parametrize("name", LOOP_NAMES)
def test_loops_are_answered(name, blobs):
    """Given a recorded loop, when heard, then all that is told is in range and the blob can be read."""
    signal = load_loop(name)
    found = analyse(track_melody, signal, blobs)
    with np.load(io.BytesIO(blobs.contents[found.frames.sha256]), allow_pickle=False) as held:
        assert held["hz"].shape == held["voicing"].shape == (int(signal.duration_s * 100),)
        assert np.all((held["voicing"] >= 0) & (held["voicing"] <= 1))
        assert len(held["note_pitch"]) == found.notes
    assert found.lowest_pitch is None or 20 < found.lowest_pitch <= found.median_pitch <= found.highest_pitch < 110
