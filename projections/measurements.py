"""The series: processing times, and what analyses measured, over a project's history."""

from __future__ import annotations

from functools import lru_cache

from domain.views import At, SeriesRows
from events.analyses import Analysis
from events.catalogue import EVENT_TYPES
from events.envelope import Recorded, processor_of

NAME = "measurements"
VERSION = 1
MEASURED: dict[str, dict[str, str]] = {
    name: kind.SERIES for name, kind in EVENT_TYPES.items() if issubclass(kind, Analysis) and kind.SERIES
}


@lru_cache(1024)
def _timed(source: str) -> str:
    """The series of how long events from this source took."""
    return f"processing_ms.{processor_of(source)}"


def apply(rows: SeriesRows, events: list[Recorded]) -> None:
    """Fold a page of events into the series."""
    for event in events:
        series = MEASURED.get(event.type)
        if series is None and event.duration_ms is None:
            continue
        at = At(event.position, event.time_us)
        if event.duration_ms is not None:
            rows.point(
                _timed(event.source),
                project=event.project,
                subject=event.subject,
                value=float(event.duration_ms),
                at=at,
            )
        for field, name in (series or {}).items():
            value = event.json[field]
            if value is not None:
                rows.point(name, project=event.project, subject=event.subject, value=value, at=at)
