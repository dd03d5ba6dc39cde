"""Transcription against notes that were played by the product's own instrument."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import mir_eval
import numpy as np
import pytest
from audio_material import analyse, load_loop, noise
from melody_material import RATE_HZ

from processors.audio.signal import Signal
from processors.melody import lead
from processors.midi.notes import Note, make_notes, read_midi
from processors.synthesis.render import play
from processors.transcription import belief
from processors.transcription.posteriors import KEYS, posteriors_of
from processors.transcription.written import transcribe_notes, written

SCALE = [Note(0.3 * i, 0.3 * i + 0.28, 55 + step, 90) for i, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12, 14, 16))]
CHORDS = [
    Note(0.6 * i, 0.6 * i + 0.55, root + step, 90)
    for i, root in enumerate((48, 53, 55, 50, 52, 57))
    for step in (0, 7, 16)
]


def played(notes: list[Note]) -> Signal:
    """The sound of notes."""
    return Signal(play(make_notes(notes)), RATE_HZ)


def onset_f(notes: list[Note], signal: Signal) -> float:
    """mir_eval's F of onsets within 50 ms."""
    found = signal.once(written)
    known = make_notes(notes)
    sides = [
        (np.stack([side.start_s, side.end_s], axis=1), 440 * 2 ** ((side.pitch - 69) / 12)) for side in (known, found)
    ]
    return float(mir_eval.transcription.precision_recall_f1_overlap(*sides[0], *sides[1], offset_ratio=None)[2])


def test_a_scale_is_written_down():
    """Given a scale on the piano, when transcribed, then onsets and pitches are right by mir_eval."""
    assert onset_f(SCALE, played(SCALE)) >= 0.9


def test_chords_are_written_down():
    """Given chords of three notes, when transcribed, then most of their notes are there and few others."""
    assert onset_f(CHORDS, played(CHORDS)) >= 0.8


def test_transposition_moves_the_notes():
    """Given the scale and the same a fourth higher, when transcribed, then the pitches are a fourth apart."""
    higher = [note._replace(pitch=note.pitch + 5) for note in SCALE]
    low, high = (sorted(played(notes).once(written).pitch) for notes in (SCALE, higher))
    assert np.median(high) - np.median(low) == 5


def test_the_midi_file_and_the_table_hold_the_same_notes(blobs):
    """Given a transcription, when its MIDI file is read, then it holds the notes of the table."""
    found = analyse(transcribe_notes, played(CHORDS), blobs)
    notes = read_midi(blobs.contents[found.midi.sha256])
    with np.load(io.BytesIO(blobs.contents[found.table.sha256]), allow_pickle=False) as held:
        table = dict(held)
    assert len(notes) == len(table["pitch"]) == found.notes > 0
    assert sorted(notes.pitch) == sorted(table["pitch"])
    assert np.allclose(np.sort(notes.start_s), np.sort(table["start_s"]), atol=2e-3)
    assert np.all((table["confidence"] > 0) & (table["confidence"] <= 1))
    assert np.all((table["velocity"] >= 1) & (table["velocity"] <= 127))
    assert found.greatest_polyphony >= 3


@pytest.mark.parametrize(
    "samples",
    [np.zeros((2, 88_200)), np.full((1, 1), 0.5), np.full((1, 88_200), 0.5), noise(6), noise(0.02)],
    ids=["silence", "one sample", "DC", "noise", "20 ms"],
)
def test_what_has_no_note_is_written_down_as_nothing(samples, blobs):
    """Given silence, noise or next to nothing, when transcribed, then no note is invented and the file is empty."""
    found = analyse(transcribe_notes, Signal(samples, RATE_HZ), blobs)
    assert found.notes == 0
    assert found.confidence == 0
    assert found.lowest_pitch is None
    assert len(read_midi(blobs.contents[found.midi.sha256])) == 0


def test_blocks_change_nothing(tmp_path):
    """Given a sound in blocks on disk, when transcribed, then every posterior is that of the sound in one piece."""
    samples = play(
        make_notes(SCALE + [note._replace(start_s=note.start_s + 4, end_s=note.end_s + 4) for note in CHORDS])
    )
    whole = Signal(samples, RATE_HZ)
    cut = Signal(samples, RATE_HZ, folder=tmp_path, held_bytes=0, block_frames=10_007)
    one, other = whole.once(posteriors_of), cut.once(posteriors_of)
    assert one.sounding.shape[1] == KEYS
    assert np.abs(one.sounding.astype(int) - other.sounding).max() <= 2
    first, second = whole.once(written), cut.once(written)
    assert np.array_equal(first.pitch, second.pitch)
    assert np.allclose(first.start_s, second.start_s)


def test_a_sound_that_comes_later_is_written_down_later():
    """Given a second of silence before it, when transcribed, then onsets come a second later."""
    samples = play(make_notes(SCALE))
    late = np.concatenate([np.zeros((2, RATE_HZ), np.float32), samples], axis=1)
    here, there = (np.sort(Signal(one, RATE_HZ).once(written).start_s) for one in (samples, late))
    assert len(here) == pytest.approx(len(there), abs=1)
    assert np.median(there) - np.median(here) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("name", ["amen", "mika"])
def test_loops_are_answered(name, blobs):
    """Given a recorded loop, when transcribed, then notes lie within it and the event tells of them."""
    signal = load_loop(name)
    found = signal.once(written)
    assert np.all((found.start_s >= 0) & (found.start_s <= found.end_s) & (found.end_s <= signal.duration_s))
    assert analyse(transcribe_notes, signal, blobs).notes == len(found.pitch)


def test_the_models_are_those_that_their_cards_tell():
    """Given the models in the package, when hashed and counted, then their cards tell the same."""
    folder = Path(belief.__file__).parent
    digest = hashlib.sha256((folder / "basic_pitch" / "nmp.onnx").read_bytes()).hexdigest()
    assert digest in (folder / "basic_pitch" / "README.md").read_text(encoding="utf-8")
    for trees, features, card in (
        (belief.trees(), len(belief.FEATURES), folder / "belief.md"),
        (lead.trees(), lead.TOLD, Path(lead.__file__).with_name("lead.md")),
    ):
        told = " ".join(card.read_text(encoding="utf-8").split())
        assert f"{len(trees.feature)} trees" in told
        assert f"{features} numbers" in told
        assert trees.feature.max() < features
