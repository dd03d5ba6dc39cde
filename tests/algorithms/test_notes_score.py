"""Scores, held to music21's own MIDI rendering of the same piece and to small scores written by hand."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from notes_material import FileBlobs, imported

from benchmarks.pieces import MEDIA_TYPE, corpus_paths
from domain.errors import Malformed, Unsupported
from processors.midi.describe import describe_notes
from processors.midi.notes import read_midi, read_score

CHORALE = corpus_paths()[0]


def note(step: str, duration: int, extra: str = "", octave: int = 4) -> str:
    """One note of so many quarters, a grace note at 0."""
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    grace = "<grace/>" if duration == 0 else ""
    length = f"<duration>{duration}</duration>" if duration else ""
    return f"<note>{grace}{pitch}{length}{extra}<type>quarter</type></note>"


def score(*measures: str, part: str = "<part-name>Flute</part-name>", first: str = "") -> str:
    """A score of one part in 4/4."""
    numbered = "".join(
        f"<measure number='{number}'>"
        + (
            "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
            + first
        )
        * (number == 1)
        + f"{measure}</measure>"
        for number, measure in enumerate(measures, start=1)
    )
    return (
        "<?xml version='1.0'?><score-partwise version='4.0'>"
        f"<part-list><score-part id='P1'>{part}</score-part></part-list>"
        f"<part id='P1'>{numbered}</part></score-partwise>"
    )


@pytest.fixture
def read(tmp_path: Path):
    """A function that reads a score from text or bytes."""

    def read_text(text: str | bytes):
        path = tmp_path / "score"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_score(path, MEDIA_TYPE)

    return read_text


def test_a_chorale_has_the_notes_that_music21_itself_plays(tmp_path: Path):
    """Given a Bach chorale, then starts, ends and pitches are those of music21's own MIDI file of it."""
    from music21 import converter

    path = tmp_path / "chorale.mid"
    converter.parse(CHORALE, forceSource=True).write("midi", fp=path)
    theirs, ours = read_midi(path), read_score(CHORALE, MEDIA_TYPE)
    assert ours.tracks == 4

    def sounding(notes):
        return sorted(
            zip(notes.start_s.round(3).tolist(), notes.pitch.tolist(), notes.end_s.round(3).tolist(), strict=True)
        )

    np.testing.assert_allclose(sounding(ours), sounding(theirs), atol=0.002)


def test_ties_are_one_note_and_graces_come_before_the_beat(read):
    """Given a note tied over a bar line and a grace note, then the tie is one note and the grace is early and short."""
    start, stop = "<tie type='start'/>", "<tie type='stop'/>"
    found = read(
        score(
            note("C", 3) + note("D", 1, start),
            note("D", 2, stop) + note("E", 0) + note("F", 2),
        )
    )
    assert found.pitch.tolist() == [60, 62, 64, 65]
    assert found.start_s.tolist() == pytest.approx([0, 1.5, 3 - 0.0625, 3])
    assert found.end_s.tolist() == pytest.approx([1.5, 3, 3, 4])


def test_repeats_are_played(read):
    """Given a bar with a repeat sign at its end, then it sounds twice."""
    sign = "<barline location='right'><repeat direction='backward'/></barline>"
    found = read(score(note("C", 4) + sign, note("G", 4)))
    assert found.pitch.tolist() == [60, 60, 67]
    assert found.start_s.tolist() == pytest.approx([0, 2, 4])


def test_tempo_marks_and_dynamics_are_followed(read):
    """Given 60 a minute and a piano after forte, then quarters last a second and the second is softer."""
    mark = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>60</per-minute></metronome>"
        "</direction-type></direction><direction><direction-type><dynamics><f/></dynamics></direction-type></direction>"
    )
    soft = "<direction><direction-type><dynamics><p/></dynamics></direction-type></direction>"
    found = read(score(note("C", 2) + soft + note("D", 2), first=mark))
    assert found.start_s.tolist() == pytest.approx([0, 2])
    assert found.tempos[0].bpm == 60
    assert found.velocity[0] > found.velocity[1]


def test_a_transposing_instrument_sounds_where_it_sounds(read):
    """Given a written C for a clarinet in B flat, then B flat sounds, on General MIDI's clarinet."""
    part = (
        "<part-name>Clarinet</part-name><score-instrument id='I1'><instrument-name>Clarinet</instrument-name>"
        "</score-instrument><midi-instrument id='I1'><midi-program>72</midi-program></midi-instrument>"
    )
    transpose = "<attributes><transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose></attributes>"
    found = read(score(note("C", 4), part=part, first=transpose))
    assert (found.pitch.tolist(), found.program.tolist()) == ([58], [71])


def test_a_compressed_score_is_read_without_an_ending_to_its_name(tmp_path: Path):
    """Given an .mxl as the store holds it, by its sha256, then it is described by its media type."""
    blobs = FileBlobs(tmp_path)
    found = describe_notes.handle(imported(blobs, CHORALE.read_bytes(), score=True), blobs)
    assert found.metre == "4/4"
    assert found.greatest_polyphony == 4


BOMB = "<?xml version='1.0'?><!DOCTYPE s [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><score-partwise>&b;</score-partwise>"


def empty_archive() -> bytes:
    """A zip without a score."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    ["", "<html/>", "<score-partwise>", BOMB, empty_archive(), CHORALE.read_bytes()[:-60], CHORALE.read_bytes()[:400]],
    ids=["empty", "a page", "broken off", "entities", "an archive of something else", "half an archive", "a beginning"],
)
def test_what_is_no_score_is_refused(read, data: str | bytes):
    """Given a file that is no whole score, then it is malformed and nothing else is raised."""
    with pytest.raises(Malformed):
        read(data)


def test_an_empty_score_has_no_notes(read):
    """Given a score of rests, then there are no notes and no error."""
    found = read(score("<note><rest/><duration>4</duration></note>"))
    assert (len(found), found.tracks, found.duration_s) == (0, 0, 0)


def test_other_media_types_are_unsupported(tmp_path: Path):
    """Given a media type that is no score's, then that is said."""
    with pytest.raises(Unsupported):
        read_score(tmp_path / "any", "application/pdf")
