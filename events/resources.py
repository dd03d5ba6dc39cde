"""The life of resources: created, renamed, tagged, described, moved, archived, restored, linked."""

from __future__ import annotations

from typing import ClassVar

from domain.values import Metadata, Name, Tag, Uuid, Value
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


class FoundIn(Value):
    """The asset that an analysis was found in, and the kind of finding."""

    asset_id: Uuid
    kind: str


class ResourceChanged(Event):
    """Base: something about a resource of any kind changed.

    found_in: told of an analysis alone. That it exists is in the past of its asset, so whoever reads only what is about
    the analysis itself learns here what it is.
    """

    resource_id: Uuid
    found_in: FoundIn | None = None


class ResourceRenamed(ResourceChanged):
    """A resource has another name."""

    TYPE: ClassVar[str] = "disco.resource.renamed"
    name: Name


class ResourceTagged(ResourceChanged):
    """Tags were put on a resource or taken off it."""

    TYPE: ClassVar[str] = "disco.resource.tagged"
    added: tuple[Tag, ...] = ()
    removed: tuple[Tag, ...] = ()


class ResourceDescribed(ResourceChanged):
    """Free metadata of a resource changed: keys given here replace, null removes."""

    TYPE: ClassVar[str] = "disco.resource.described"
    changes: Metadata


class ResourceMoved(Event):
    """An asset lies in another container of the same project."""

    TYPE: ClassVar[str] = "disco.resource.moved"
    resource_id: Uuid
    from_id: Uuid
    to_id: Uuid


class ResourceArchived(ResourceChanged):
    """A resource is out of the way; its history stays."""

    TYPE: ClassVar[str] = "disco.resource.archived"


class ResourceRestored(ResourceChanged):
    """An archived resource is back."""

    TYPE: ClassVar[str] = "disco.resource.restored"


class VersionLinked(Event):
    """A resource is a newer version of another."""

    TYPE: ClassVar[str] = "disco.resource.version_linked"
    resource_id: Uuid
    previous_id: Uuid
