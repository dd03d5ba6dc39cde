"""Events and blobs that the tests of notes share."""

from __future__ import annotations

import hashlib
from pathlib import Path

from domain import ids
from domain.values import Blob, Chord, ChordLine, Metadata, NoteFacts
from events.generations import AccompanimentRequested
from events.imports import MidiImported, NotesAdded, ScoreImported
from processors.midi.notes import Notes, make_notes, write_midi

PROJECT = ids.project_id("tests")


class FileBlobs:
    """Blobs as files of a folder, named by their sha256 without an ending, as in the store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes, media_type: str) -> Blob:
        """Store bytes."""
        sha256 = hashlib.sha256(data).hexdigest()
        (self.folder / sha256).write_bytes(data)
        return Blob(sha256=sha256, size_bytes=len(data), media_type=media_type)

    def path(self, sha256: str) -> Path:
        """The file with the content."""
        return self.folder / sha256


def imported(blobs: FileBlobs, data: bytes, *, score: bool = False) -> NotesAdded:
    """The event of an import of this file."""
    content = blobs.put(data, "application/vnd.recordare.musicxml" if score else "audio/midi")
    given = {
        "asset_id": ids.asset_id(PROJECT, content.sha256),
        "project_id": PROJECT,
        "container_id": PROJECT,
        "name": "a tune",
        "content": content,
        "facts": NoteFacts(format="midi 1", notes=0, tracks=0, duration_s=0.0),
        "file_name": "tune",
    }
    return ScoreImported(**given) if score else MidiImported(**given)


def imported_notes(blobs: FileBlobs, *rows: tuple[float, ...]) -> NotesAdded:
    """The event of an import of these notes as MIDI; rows as of `Note`."""
    return imported(blobs, write_midi(notes(*rows)))


def notes(*rows: tuple[float, ...]) -> Notes:
    """Notes of rows (start_s, end_s, pitch, velocity, channel, program, is_drum), the last three 0 if left out."""
    return make_notes([(*row, *(0,) * (7 - len(row))) for row in rows])


def request(
    beats_s: tuple[float, ...] = (),
    duration_s: float = 0.0,
    *,
    chords: tuple[tuple[float, float, str], ...] = (),
    key: tuple[str | None, str | None] = ("A", "minor"),
    seed: int = 1,
    parameters: Metadata | None = None,
) -> AccompanimentRequested:
    """A request for an accompaniment."""
    return AccompanimentRequested(
        generation_id=ids.derived("generation", seed),
        project_id=PROJECT,
        asset_id=ids.derived("asset"),
        container_id=PROJECT,
        name="with a band",
        model_version_id=ids.model_version_id("accompaniment", "1"),
        seed=seed,
        parameters=parameters or {},
        analysis_ids=(),
        duration_s=duration_s,
        beats_s=tuple(float(beat) for beat in beats_s),
        tonic=key[0],
        mode=key[1],
        line=ChordLine.of(Chord(start_s=start, end_s=end, label=label) for start, end, label in chords),
    )
