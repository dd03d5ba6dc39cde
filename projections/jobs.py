"""The jobs: per correlation, which events it holds and which processors have answered them."""

from __future__ import annotations

from domain.views import Document, DocumentRows
from events.envelope import Recorded
from events.processing import ProcessingFailed, RetryRequested

NAME = "jobs"
VERSION = 1


def apply(rows: DocumentRows, events: list[Recorded]) -> None:
    """Fold a page of events into the jobs.

    A job's document counts its events by type, and the pairs (event, processor) that were answered, failed or retried;
    how many answers are still due follows from the processors there are, which is not the log's to know.
    """
    for event in events:
        job = rows.get(event.correlation)
        if job is None:
            job = {
                "id": event.correlation,
                "project": event.project,
                "actor": event.actor,
                "started_us": event.time_us,
                "position": 0,
                "types": {},
                "answered": {},
                "failed": 0,
                "retried": 0,
            }
        if job["position"] < event.position:
            _count(job, event)
            rows.put(event.correlation, job)


def _count(job: Document, event: Recorded) -> None:
    """Add an event to its job, in place: a job may hold a million."""
    _add(job["types"], event.type)
    if event.answering is not None:
        _add(job["answered"], event.answering)
    if event.type == ProcessingFailed.TYPE:
        job["failed"] += 1
    elif event.type == RetryRequested.TYPE:
        job["retried"] += 1
    job["position"] = event.position
    job["updated_us"] = event.time_us


def _add(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
