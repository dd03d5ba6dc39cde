"""What people ask for: plain data, decided in `domain.decisions`."""

from __future__ import annotations

from domain.values import AudioFacts, Blob, Integer, Metadata, Name, NoteFacts, Tag, Text, Uuid, Value


class Command(Value):
    """A wish to change something."""


class CreateProject(Command):
    """Begin a project."""

    name: Name


class CreateTrack(Command):
    """Add a track to a project."""

    project_id: Uuid
    name: Name


class ChangeResource(Command):
    """Base of changes to a resource that exists.

    expected_version: the version the change was decided on; None takes whatever is there.
    """

    resource_id: Uuid
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


class ImportAudio(Command):
    """Make an asset of checked audio that lies in the blob store."""

    project_id: Uuid
    container_id: Uuid
    name: Name
    file_name: Text
    content: Blob
    facts: AudioFacts
    tags: dict[Text, Text] = {}


class ImportNotes(Command):
    """Make an asset of a checked MIDI file or score that lies in the blob store; variant is midi or score."""

    project_id: Uuid
    container_id: Uuid
    name: Name
    file_name: Text
    content: Blob
    facts: NoteFacts
    variant: str
    tags: dict[Text, Text] = {}


class GenerateAccompaniment(Command):
    """Write bass, chords and drums to an analysed asset."""

    asset_id: Uuid
    seed: Integer
    name: Name | None = None
    parameters: Metadata = {}


class RetryProcessing(Command):
    """Try a dead letter again."""

    resource_id: Uuid
    failure_id: Uuid


class ExportLineage(Command):
    """Remember that the lineage of a resource was written as a document, which lies in the blob store."""

    resource_id: Uuid
    format: str
    position: int
    content: Blob
