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
            data = event.data
            assert isinstance(data, EmbeddingComputed)  # noqa: S101  # its type says so
            at = At(event.position, event.time_us)
            rows.vector(data.asset_id, project=event.project, space=data.space, packed=data.vector, at=at)
