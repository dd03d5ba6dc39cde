"""The dead letters: what processors gave up on and nobody has tried again since."""

from __future__ import annotations

from domain.views import DocumentRows
from events.envelope import Recorded
from events.processing import ProcessingFailed, RetryRequested

NAME = "dead_letters"
VERSION = 2


def apply(rows: DocumentRows, events: list[Recorded]) -> None:
    """Fold a page of events into the dead letters: a failure adds one, asking for a retry takes it away."""
    about = [event for event in events if event.type in (ProcessingFailed.TYPE, RetryRequested.TYPE)]
    rows.expect([_letter(event) for event in about])
    for event in about:
        if event.type == RetryRequested.TYPE:
            rows.remove(_letter(event))
            continue
        letter = {
            "id": event.id,
            "project": event.project,
            "job": event.correlation,
            "position": event.position,
            "time_us": event.time_us,
            **event.data.model_dump(mode="json"),
        }
        rows.put(event.id, letter)


def _letter(event: Recorded) -> str:
    """The id of the dead letter that the event is about: a failure is its own."""
    return event.data.failure_id if isinstance(event.data, RetryRequested) else event.id
