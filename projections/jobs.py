"""The jobs: per correlation, which events it holds and which processors have answered them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.views import Document, DocumentRows
from events.envelope import Recorded
from events.processing import (
    ProcessingFailed,
    RepeatRequested,
    ReprocessingPlanned,
    ReprocessingRequested,
    RetryRequested,
)

NAME = "jobs"
VERSION = 2


def apply(rows: DocumentRows, events: list[Recorded]) -> None:
    """Fold a page of events into the jobs.

    A job's document counts its events by type, and the pairs (event, processor) that were answered, failed, retried or
    repeated; how many answers are still due follows from the processors there are, which is not the log's to know.
    A job may span projects, and events of two projects come in any order: `reached` says how far each is counted.
    """
    rows.expect({event.correlation for event in events})
    for event in events:
        job = rows.get(event.correlation)
        if job is None:
            job = {
                "id": event.correlation,
                "project": event.project,
                "actor": event.actor,
                "started": event.position,
                "started_us": event.time_us,
                "position": 0,
                "reached": {},
                "types": {},
                "answered": {},
                "failed": 0,
                "retried": 0,
                "repeated": 0,
            }
        if job["reached"].get(event.project, 0) < event.position:
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
    elif event.type == RepeatRequested.TYPE:
        job["repeated"] += len(event.json["processors"])
    job["reached"][event.project] = event.position
    if event.position > job["position"]:
        job["position"] = event.position
        job["updated_us"] = event.time_us
    if event.position < job["started"]:
        job |= {"started": event.position, "started_us": event.time_us, "project": event.project, "actor": event.actor}


def _add(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


def pending(job: Document, consumers: Mapping[str, Sequence[str]]) -> int:
    """How many answers a job is still to have: its events' by their consumers, those asked for again, less the given.

    consumers: event type -> the processors there are that answer it. A request to reprocess counts as one until it is
    found out what it comes to.
    """
    types: dict[str, int] = job["types"]
    due = sum(count * len(consumers.get(kind, ())) for kind, count in types.items())
    unplanned = types.get(ReprocessingRequested.TYPE, 0) - types.get(ReprocessingPlanned.TYPE, 0)
    again = int(job["retried"]) + int(job["repeated"])
    return max(0, due + again + unplanned - sum(map(int, job["answered"].values())))
