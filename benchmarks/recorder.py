"""The eventsourcing library's SQLite recorder, fed the same events: an originator is the resource an event is about."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from events.envelope import Proposed, encode

FULL = 2


@dataclass(frozen=True)
class Happened:
    """A domain event as the library keeps them: who, which version, and the rest."""

    originator_id: UUID
    originator_version: int
    payload: dict[str, Any]
    meta: dict[str, Any]


class Recorder:
    """Their recorder on a file, in WAL and with the same `synchronous` as ours."""

    def __init__(self, path: Path) -> None:
        self._datastore = SQLiteDatastore(str(path))
        self._recorder = SQLiteApplicationRecorder(self._datastore)
        self._recorder.create_table()
        self._mapper: Mapper[UUID] = Mapper(JSONTranscoder())
        self._versions: dict[str, int] = {}
        with self._datastore.transaction(commit=False) as cursor:
            cursor.execute("PRAGMA synchronous")
            assert cursor.fetchone()[0] == FULL, "their recorder would not be durable as ours is"
        assert sqlite3.threadsafety, "their recorder needs a thread-safe SQLite"

    def stored(self, batch: Sequence[Proposed]) -> list[StoredEvent]:
        """Ready rows: the payload in our encoding with the envelope's fields beside it."""
        return [
            StoredEvent(UUID(event.data.subject), self._next(event.data.subject), event.data.TYPE, _state(event))
            for event in batch
        ]

    def domain_events(self, batch: Sequence[Proposed]) -> list[Happened]:
        """Domain event objects."""
        return [
            Happened(
                UUID(event.data.subject),
                self._next(event.data.subject),
                event.data.model_dump(mode="json"),
                _meta(event),
            )
            for event in batch
        ]

    def insert(self, events: list[StoredEvent]) -> None:
        """One durable transaction."""
        self._recorder.insert_events(events)

    def map_and_insert(self, events: list[Happened]) -> None:
        """Encode and write."""
        self._recorder.insert_events([self._mapper.to_stored_event(event) for event in events])

    def close(self) -> None:
        """Close the file."""
        self._datastore.close()

    def _next(self, subject: str) -> int:
        self._versions[subject] = self._versions.get(subject, 0) + 1
        return self._versions[subject]


def _meta(event: Proposed) -> dict[str, Any]:
    return {
        "id": event.id,
        "time_us": event.time_us,
        "source": event.source,
        "actor": event.actor,
        "correlation": event.correlation,
        "causation": event.causation,
    }


def _state(event: Proposed) -> bytes:
    return b'{"meta":' + orjson.dumps(_meta(event)) + b',"data":' + encode(event.data) + b"}"
