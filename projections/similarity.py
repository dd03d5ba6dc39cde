"""The vectors: the embeddings of every asset, the newest and those it had before, and what is archived."""

from __future__ import annotations

from domain.views import At, VectorRows
from events.analyses import EmbeddingComputed
from events.envelope import Recorded
from events.resources import ResourceArchived, ResourceRestored

NAME = "similarity"
VERSION = 2
ARCHIVED = {ResourceArchived.TYPE: True, ResourceRestored.TYPE: False}


def apply(rows: VectorRows, events: list[Recorded]) -> None:
    """Fold a page of events into the vectors."""
    for event in events:
        if event.type == EmbeddingComputed.TYPE:
            space, packed = event.json["space"], event.json["vector"]
            at = At(event.position, event.time_us)
            rows.vector(event.subject, project=event.project, space=space, packed=packed, at=at)
        elif event.type in ARCHIVED:
            rows.archive(event.subject, ARCHIVED[event.type], At(event.position, event.time_us))
