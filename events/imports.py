"""Imports: a file became an asset."""

from __future__ import annotations

from typing import ClassVar

from domain.values import AudioFacts, Blob, Name, NoteFacts, Uuid
from events.base import Event


class AssetAdded(Event):
    """Base: an asset exists from here on; its id is its content within its project."""

    SUBJECT: ClassVar[str] = "asset_id"
    KIND: ClassVar[str] = ""
    asset_id: Uuid
    project_id: Uuid
    container_id: Uuid
    name: Name
    content: Blob


class AudioAdded(AssetAdded):
    """Base: the asset is audio, so every audio analysis hears it."""

    KIND: ClassVar[str] = "audio"
    facts: AudioFacts


class NotesAdded(AssetAdded):
    """Base: the asset is notes, so it is described and rendered to audio."""

    facts: NoteFacts


class AudioImported(AudioAdded):
    """An audio file was imported; `tags` are those embedded in the file.

    lyrics: those embedded in the file or in a file beside it, as UTF-8, plain or LRC; null where there are none.
    """

    TYPE: ClassVar[str] = "disco.audio.imported"
    file_name: str
    tags: dict[str, str] = {}
    lyrics: Blob | None = None


class MidiImported(NotesAdded):
    """A standard MIDI file was imported."""

    TYPE: ClassVar[str] = "disco.midi.imported"
    KIND: ClassVar[str] = "midi"
    file_name: str


class ScoreImported(NotesAdded):
    """A MusicXML score was imported; `tags` are its title, composer and the like."""

    TYPE: ClassVar[str] = "disco.score.imported"
    KIND: ClassVar[str] = "score"
    file_name: str
    tags: dict[str, str] = {}


class AssetImportedAgain(Event):
    """Content that was there already came in again, from elsewhere or into another container."""

    TYPE: ClassVar[str] = "disco.asset.imported_again"
    SUBJECT: ClassVar[str] = "asset_id"
    asset_id: Uuid
    project_id: Uuid
    container_id: Uuid
    name: Name
    file_name: str
