"""The dead letters: what processors gave up on and nobody has tried again since."""

from __future__ import annotations

from domain.views import DocumentRows
from events.envelope import Recorded
from events.processing import ProcessingFailed, RetryRequested

NAME = "dead_letters"
VERSION = 1


def apply(rows: DocumentRows, events: list[Recorded]) -> None:
    """Fold a page of events into the dead letters: a failure adds one, asking for a retry takes it away."""
    for event in events:
        if event.type == ProcessingFailed.TYPE:
            letter = {
                "id": event.id,
                "project": event.project,
                "job": event.correlation,
                "position": event.position,
                "time_us": event.time_us,
                **event.data.model_dump(mode="json"),
            }
            rows.put(event.id, letter)
        elif event.type == RetryRequested.TYPE:
            assert isinstance(event.data, RetryRequested)  # noqa: S101  # its type says so
            rows.remove(event.data.failure_id)
