"""Exports: something left the graph as a file."""

from __future__ import annotations

from typing import ClassVar

from domain.values import Blob, Name, Uuid
from events.base import Event
from events.resources import FoundIn


class LineageExported(Event):
    """The lineage of a resource was written as a document, as of one position.

    found_in: told where the resource is an analysis.
    """

    TYPE: ClassVar[str] = "disco.lineage.exported"
    SUBJECT: ClassVar[str] = "export_id"
    export_id: Uuid
    project_id: Uuid
    source_id: Uuid
    found_in: FoundIn | None = None
    name: Name
    format: str
    position: int
    content: Blob
