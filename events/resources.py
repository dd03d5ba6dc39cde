"""The life of resources: created, renamed, tagged, described, moved, archived, restored, linked."""

from __future__ import annotations

from typing import ClassVar

from domain.values import Metadata, Name, Tag, Uuid
from events.base import Event


class ProjectCreated(Event):
    """A project began."""

    TYPE: ClassVar[str] = "disco.project.created"
    SUBJECT: ClassVar[str] = "project_id"
    project_id: Uuid
    name: Name


class TrackCreated(Event):
    """A track was added to a project."""

    TYPE: ClassVar[str] = "disco.track.created"
    SUBJECT: ClassVar[str] = "track_id"
    track_id: Uuid
    project_id: Uuid
    name: Name


class ResourceRenamed(Event):
    """A resource has another name."""

    TYPE: ClassVar[str] = "disco.resource.renamed"
    resource_id: Uuid
    name: Name


class ResourceTagged(Event):
    """Tags were put on a resource or taken off it."""

    TYPE: ClassVar[str] = "disco.resource.tagged"
    resource_id: Uuid
    added: tuple[Tag, ...] = ()
    removed: tuple[Tag, ...] = ()


class ResourceDescribed(Event):
    """Free metadata of a resource changed: keys given here replace, null removes."""

    TYPE: ClassVar[str] = "disco.resource.described"
    resource_id: Uuid
    changes: Metadata


class ResourceMoved(Event):
    """An asset lies in another container of the same project."""

    TYPE: ClassVar[str] = "disco.resource.moved"
    resource_id: Uuid
    from_id: Uuid
    to_id: Uuid


class ResourceArchived(Event):
    """A resource is out of the way; its history stays."""

    TYPE: ClassVar[str] = "disco.resource.archived"
    resource_id: Uuid


class ResourceRestored(Event):
    """An archived resource is back."""

    TYPE: ClassVar[str] = "disco.resource.restored"
    resource_id: Uuid


class VersionLinked(Event):
    """A resource is a newer version of another."""

    TYPE: ClassVar[str] = "disco.resource.version_linked"
    resource_id: Uuid
    previous_id: Uuid
