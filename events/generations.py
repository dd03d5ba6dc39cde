"""Generations: something new was asked for, and made."""

from __future__ import annotations

from typing import ClassVar

from domain.values import Chord, ChordLine, Integer, Metadata, Name, Uuid
from events.base import Event
from events.imports import AudioAdded, NotesAdded


class AccompanimentRequested(Event):
    """Somebody asked for an accompaniment; holds all that the generator needs, so that it reads no view.

    beats_s, chords and the key come from the analyses named in `analysis_ids`.
    """

    TYPE: ClassVar[str] = "disco.accompaniment.requested"
    SUBJECT: ClassVar[str] = "generation_id"
    generation_id: Uuid
    project_id: Uuid
    asset_id: Uuid
    container_id: Uuid
    name: Name
    model_version_id: Uuid
    seed: Integer
    parameters: Metadata
    analysis_ids: tuple[Uuid, ...]
    duration_s: float
    beats_s: tuple[float, ...]
    tonic: str | None
    mode: str | None
    line: ChordLine

    @property
    def chords(self) -> tuple[Chord, ...]:
        """The chords with their spans."""
        return self.line.chords


class MidiGenerated(NotesAdded):
    """A generator wrote a MIDI file."""

    TYPE: ClassVar[str] = "disco.midi.generated"
    KIND: ClassVar[str] = "midi"
    generation_id: Uuid
    source_ids: tuple[Uuid, ...]


class MidiTranscribed(NotesAdded):
    """Somebody made an asset of the notes that were written down from a recording.

    analysis_id: the finding in `source_id` that they come from.
    """

    TYPE: ClassVar[str] = "disco.midi.transcribed"
    KIND: ClassVar[str] = "midi"
    source_id: Uuid
    analysis_id: Uuid


class AudioRendered(AudioAdded):
    """Notes were played to audio by an instrument of ours."""

    TYPE: ClassVar[str] = "disco.audio.rendered"
    source_id: Uuid
    model_version_id: Uuid
    parameters: Metadata = {}
