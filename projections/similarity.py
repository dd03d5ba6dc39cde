"""The vectors: the newest embedding of every asset."""

from __future__ import annotations

from domain.views import At, VectorRows
from events.analyses import EmbeddingComputed
from events.envelope import Recorded

NAME = "similarity"
VERSION = 1


def apply(rows: VectorRows, events: list[Recorded]) -> None:
    """Fold a page of events into the vectors."""
    for event in events:
        if event.type == EmbeddingComputed.TYPE:
            space, packed = event.json["space"], event.json["vector"]
            at = At(event.position, event.time_us)
            rows.vector(event.subject, project=event.project, space=space, packed=packed, at=at)
