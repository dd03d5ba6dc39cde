"""Notes between crafts: the value, its readers and its writer, under one name."""

from __future__ import annotations

from domain.ports import Blobs
from events.imports import NotesAdded
from processors.midi.scores import read_score
from processors.midi.smf import read_midi, write_midi
from processors.midi.values import DRUM_CHANNEL, Metre, Note, Notes, Tempo, make_notes

__all__ = (
    "DRUM_CHANNEL",
    "Metre",
    "Note",
    "Notes",
    "Tempo",
    "load_notes",
    "make_notes",
    "read_midi",
    "read_score",
    "write_midi",
)


def load_notes(event: NotesAdded, blobs: Blobs) -> Notes:
    """Read the notes of an asset. Raises: as `read_midi` and `read_score`; NotFound, if its blob is not here."""
    path = blobs.path(event.content.sha256)
    return read_score(path, event.content.media_type) if event.KIND == "score" else read_midi(path)
