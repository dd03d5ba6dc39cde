"""Ids of resources: UUID text, derived from content wherever doing twice must be doing once."""

from __future__ import annotations

import re
import uuid
from typing import NewType

from domain.errors import Malformed

ResourceId = NewType("ResourceId", str)
ProjectId = NewType("ProjectId", str)
EventId = NewType("EventId", str)
Sha256 = NewType("Sha256", str)

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:disco-musica")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


def derived(*parts: object) -> str:
    """UUIDv5 of the parts: the same parts give the same id, on every machine and for ever."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts)))


def project_id(name: str) -> ProjectId:
    """The id of the project that was created under this name."""
    return ProjectId(derived("project", name))


def asset_id(project: ProjectId, sha256: str) -> ResourceId:
    """The id of an asset: its content within its project."""
    return ResourceId(derived("asset", project, sha256))


def track_id(project: ProjectId, name: str) -> ResourceId:
    """The id of the track that was created under this name in its project."""
    return ResourceId(derived("track", project, name))


def model_version_id(name: str, version: str) -> ResourceId:
    """The id of one version of a model."""
    return ResourceId(derived("model", name, version))


def output_id(cause: str, processor: str, version: str, index: int) -> EventId:
    """The id of a processor's output: the same cause, processor and version give the same event."""
    return EventId(derived("output", cause, processor, version, index))


def is_id(text: str) -> bool:
    """Whether `text` is UUID text as ours is."""
    return _UUID.match(text) is not None


def parse_id(text: str) -> ResourceId:
    """Return `text` as an id.

    Raises: Malformed, if it is not UUID text.
    """
    lowered = text.strip().lower()
    if not _UUID.match(lowered):
        raise Malformed(f"{text!r} is not an id; ids look like {NAMESPACE}", field="id")
    return ResourceId(lowered)


LIBRARY = project_id("\x00library")
"""The project that holds what belongs to no user's project: the versions of built-in models."""
