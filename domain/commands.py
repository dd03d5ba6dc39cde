"""What people ask for: plain data, decided in `domain.decisions`."""

from __future__ import annotations

from typing import Any, ClassVar

from domain.values import AudioFacts, Blob, Integer, Metadata, Name, NoteFacts, Tag, Text, Uuid, Value


class Command(Value):
    """A wish to change something.

    FOUND_OUT names what is no part of the wish: whoever carries it out found it out on the way, and may find out
    something else when the same is wished again. It is told as pydantic's `exclude` wants it.
    """

    FOUND_OUT: ClassVar[dict[str, Any]] = {}  # Any: True, or the same of a value inside


class CreateProject(Command):
    """Begin a project."""

    name: Name


class CreateTrack(Command):
    """Add a track to a project."""

    project_id: Uuid
    name: Name


class OfResource(Command):
    """Base of what is wished of a resource of any kind.

    within: the asset that an analysis was found in, of which alone the log can tell whether there is such an analysis;
    None for all else, and for an analysis that was changed before.
    """

    FOUND_OUT: ClassVar[dict[str, Any]] = {"within": True}  # Any: as in `Command`
    resource_id: Uuid
    within: Uuid | None = None


class ChangeResource(OfResource):
    """Base of changes to a resource that exists.

    expected_version: the version the change was decided on, 0 for an analysis as it was found; None takes whatever is
    there.
    """

    expected_version: int | None = None


class RenameResource(ChangeResource):
    """Give it another name."""

    name: Name


class TagResource(ChangeResource):
    """Put tags on it and take tags off it."""

    add: tuple[Tag, ...] = ()
    remove: tuple[Tag, ...] = ()


class DescribeResource(ChangeResource):
    """Change its free metadata: keys replace, null removes."""

    changes: Metadata


class MoveResource(ChangeResource):
    """Put an asset into another container of its project."""

    to_id: Uuid


class ArchiveResource(ChangeResource):
    """Put it out of the way."""


class RestoreResource(ChangeResource):
    """Bring it back."""


class LinkVersion(ChangeResource):
    """Say that it is a newer version of another asset of its project."""

    previous_id: Uuid


class ImportFile(Command):
    """Base: make an asset of a checked file that lies in the blob store; `tags` are those embedded in it."""

    FOUND_OUT: ClassVar[dict[str, Any]] = {  # Any: as in `Command`
        **dict.fromkeys(("facts", "variant", "tags", "lyrics"), True),
        "content": dict.fromkeys(("size_bytes", "media_type"), True),
    }
    project_id: Uuid
    container_id: Uuid
    name: Name
    file_name: Text
    content: Blob
    tags: dict[Text, Text] = {}


class ImportAudio(ImportFile):
    """Make an asset of audio, with the lyrics that came with it."""

    facts: AudioFacts
    lyrics: Blob | None = None


class ImportNotes(ImportFile):
    """Make an asset of a MIDI file or score; variant is midi or score."""

    facts: NoteFacts
    variant: str


class GenerateAccompaniment(Command):
    """Write bass, chords and drums to an analysed asset."""

    asset_id: Uuid
    seed: Integer
    name: Name | None = None
    parameters: Metadata = {}


class KeepTranscription(Command):
    """Make an asset of the notes that were written down from a recording."""

    asset_id: Uuid
    name: Name | None = None


class RetryProcessing(Command):
    """Try a dead letter again."""

    resource_id: Uuid
    failure_id: Uuid


class Reprocess(Command):
    """Have what a project holds answered by the current versions of these processors; none: of all there are."""

    project_id: Uuid
    processors: tuple[Text, ...] = ()


class ExportLineage(OfResource):
    """Remember that the lineage of a resource was written as a document, which lies in the blob store."""

    FOUND_OUT: ClassVar[dict[str, Any]] = {  # Any: as in `Command`
        **OfResource.FOUND_OUT,
        "position": True,
        "content": True,
    }
    format: str
    position: int
    content: Blob
