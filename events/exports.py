"""Exports: something left the graph as a file."""

from __future__ import annotations

from typing import ClassVar

from domain.values import Blob, Name, Uuid
from events.base import Event


class LineageExported(Event):
    """The lineage of a resource was written as a document, as of one position."""

    TYPE: ClassVar[str] = "disco.lineage.exported"
    SUBJECT: ClassVar[str] = "export_id"
    export_id: Uuid
    project_id: Uuid
    source_id: Uuid
    name: Name
    format: str
    position: int
    content: Blob
