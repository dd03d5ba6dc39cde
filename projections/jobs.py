"""The jobs: per correlation, which events it holds and which processors have answered them."""

from __future__ import annotations

from domain.views import DocumentRows
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
        if job["position"] >= event.position:
            continue
        rows.put(event.correlation, _after(job, event))


def _after(job: dict, event: Recorded) -> dict:  # type: ignore[type-arg]  # JSON
    processor = event.answering
    if event.type == ProcessingFailed.TYPE:
        job = {**job, "failed": job["failed"] + 1}
    elif event.type == RetryRequested.TYPE:
        job = {**job, "retried": job["retried"] + 1}
    if processor is not None:
        answered = {**job["answered"], processor: job["answered"].get(processor, 0) + 1}
        job = {**job, "answered": answered}
    types = {**job["types"], event.type: job["types"].get(event.type, 0) + 1}
    return {**job, "types": types, "position": event.position, "updated_us": event.time_us}
