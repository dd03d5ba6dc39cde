"""The event log in SQLite: appended in groups, one fsync for many writers, each event under a checksum."""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import apsw
from pydantic_core import PydanticSerializationError

from domain.errors import Conflict, Corrupted, Malformed
from domain.ids import EventId, ProjectId, ResourceId
from domain.ports import ALL, Appended, Selection
from events.envelope import Proposed, Recorded, encode
from infra.embedded.database import Database, translated
from infra.embedded.rows import fetch, fetch_one, id_of, key_of
from infra.embedded.watch import Watch

# Ids are random: an index over all of them would touch a page of its own for nearly every event. Findings, which are
# most events and lie with their cause's subject, are therefore unique within their subject; the others by id alone.
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, id BLOB NOT NULL, project BLOB NOT NULL,
    subject BLOB NOT NULL, type TEXT NOT NULL, version INTEGER NOT NULL, time_us INTEGER NOT NULL,
    source TEXT NOT NULL, actor TEXT NOT NULL, correlation TEXT NOT NULL, causation BLOB,
    duration_ms INTEGER, data BLOB NOT NULL, checksum INTEGER NOT NULL, finding INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS events_by_subject ON events (subject, id);
CREATE INDEX IF NOT EXISTS events_by_project ON events (project);
CREATE UNIQUE INDEX IF NOT EXISTS events_by_id ON events (id) WHERE finding = 0;
"""
INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
COLUMNS = (
    "position, sequence, id, project, subject, type, version, time_us, source, actor, correlation, causation,"
    " duration_ms, data, checksum"
)
GROUP_EVENTS = 20_000
_NUMBERS = struct.Struct("<5q").pack
Row = tuple[int, int, bytes, bytes, bytes, str, int, int, str, str, str, bytes | None, int | None, bytes, int, int]


@dataclass(eq=False, slots=True)
class _Request:
    events: Sequence[Proposed]
    payloads: list[bytes]
    expected: Mapping[ResourceId, int]
    turn: threading.Event = field(default_factory=threading.Event)
    answer: Appended | None = None
    error: BaseException | None = None


class SqliteLog:
    """`EventLog` in one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: deque[_Request] = deque()
        self._queue_lock = threading.Lock()
        with database.write() as connection:
            connection.execute(SCHEMA)
        self._watch = Watch(database, self.head)

    # Writing

    def append(self, events: Sequence[Proposed], *, expected: Mapping[ResourceId, int] | None = None) -> Appended:
        """See `EventLog.append`. Whoever stands first in the queue commits for those behind, then wakes the next."""
        if not events:
            raise Malformed("an append needs at least one event", field="events")
        if any(event.project != events[0].project for event in events):
            raise Malformed("the events of one append belong to one project", field="project")
        request = _Request(events, [_checked(event) for event in events], expected or {})
        with self._queue_lock:
            self._queue.append(request)
            leads = self._queue[0] is request
        if not leads:
            request.turn.wait()
        if request.answer is None and request.error is None:
            self._lead()
        if request.error is not None:
            raise request.error
        assert request.answer is not None  # noqa: S101  # a group's leader answers every request in it
        return request.answer

    def _lead(self) -> None:
        with self._queue_lock:
            group = self._group()
        self._commit(group)
        with self._queue_lock:
            for _ in group:
                self._queue.popleft()
            following = self._queue[0] if self._queue else None
        for request in (*group, following):
            if request is not None:
                request.turn.set()
        self._watch.nudge()

    def _group(self) -> list[_Request]:
        group: list[_Request] = []
        size = 0
        for request in self._queue:
            size += len(request.events)
            if group and size > GROUP_EVENTS:
                break
            group.append(request)
        return group

    def _commit(self, group: list[_Request]) -> None:
        try:
            self._write_group(group, probe=False)
        except apsw.ConstraintError:
            self._retry(group)
        except BaseException as error:  # told to every caller in the group, none of whose events was written
            for request in group:
                request.error = error

    def _retry(self, group: list[_Request]) -> None:
        try:
            self._write_group(group, probe=True)
        except apsw.ConstraintError as error:
            if len(group) > 1:
                for request in group:
                    self._retry([request])
                return
            group[0].error = Malformed("an event's id is in use for an event about something else", field="id")
            group[0].error.__cause__ = error
        except BaseException as error:  # as in _commit
            for request in group:
                request.error = error

    def _write_group(self, group: list[_Request], *, probe: bool) -> None:
        """Write a group in one transaction; with `probe`, events that are there already are answered, not written."""
        answers: list[tuple[_Request, Appended | BaseException]] = []
        with self._database.write() as connection:
            numbering = _Numbering(connection)
            for request in group:
                try:
                    answers.append((request, self._write(connection, request, numbering, probe=probe)))
                except (Conflict, Malformed) as error:
                    answers.append((request, error))
        for request, answer in answers:
            if isinstance(answer, Appended):
                request.answer = answer
            else:
                request.error = answer

    def _write(self, connection: apsw.Connection, request: _Request, numbering: _Numbering, *, probe: bool) -> Appended:
        known = _known(connection, request.events) if probe or request.expected else {}
        if len(known) < len({event.id for event in request.events}):
            _check_expected(connection, request.expected)
        position, sequence = numbering.next(request.events[0].project)
        places: dict[EventId, tuple[int, int]] = known
        rows: list[Row] = []
        for event, payload in zip(request.events, request.payloads, strict=True):
            if event.id not in places:
                rows.append(_row(position, sequence, event, payload))
                places[event.id] = (position, sequence)
                position += 1
                sequence += 1
        connection.executemany(INSERT, rows)
        numbering.taken(request.events[0].project, position, sequence)
        found = [places[event.id] for event in request.events]
        return Appended(
            request.events[0].project, tuple(place[0] for place in found), tuple(place[1] for place in found), len(rows)
        )

    # Reading

    def read(
        self, after: int, *, limit: int = 1000, upto: int | None = None, selection: Selection = ALL
    ) -> list[Recorded]:
        """See `EventLog.read`."""
        where, values = _where(selection)
        if upto is not None:
            where += " AND position <= ?"
            values.append(upto)
        table = f"events INDEXED BY {index}" if (index := _index(selection)) else "events NOT INDEXED"
        query = f"SELECT {COLUMNS} FROM {table} WHERE position > ?{where} ORDER BY position LIMIT ?"
        with translated(self._database.path):
            rows = self._database.reader().execute(query, [after, *values, limit])
            events = list(_decoded(rows))
        if selection == ALL:
            _check_contiguous(after, events)
        return events

    def about(self, subject: ResourceId, *, after: int = 0) -> list[Recorded]:
        """See `EventLog.about`."""
        query = f"SELECT {COLUMNS} FROM events WHERE subject = ? AND position > ? ORDER BY position"
        with translated(self._database.path):
            return list(_decoded(self._database.reader().execute(query, (key_of(subject), after))))

    def at(self, positions: Sequence[int]) -> dict[int, Recorded]:
        """See `EventLog.at`."""
        query = f"SELECT {COLUMNS} FROM events WHERE position = ?"
        reader = self._database.reader()
        with translated(self._database.path):
            rows = (row for position in positions for row in reader.execute(query, (position,)))
            return {event.position: event for event in _decoded(rows)}

    def places(self, ids: Iterable[EventId], *, subject: ResourceId | None = None) -> dict[EventId, int]:
        """See `EventLog.places`."""
        if subject is None:
            query, about = "SELECT position FROM events WHERE id = ? AND finding = 0", []
        else:
            query, about = "SELECT position FROM events WHERE subject = ? AND id = ?", [key_of(subject)]
        with translated(self._database.path):
            reader = self._database.reader()
            found = ((id, fetch_one(reader, query, (*about, key_of(id)))) for id in ids)
            return {id: position for id, position in found if position is not None}

    def head(self) -> int:
        """See `EventLog.head`."""
        with translated(self._database.path):
            return int(self._database.reader().execute("SELECT coalesce(max(position), 0) FROM events").get)

    def wait(self, after: int, timeout_s: float) -> int:
        """See `EventLog.wait`."""
        return self._watch.wait(after, timeout_s)

    def on_append(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `EventLog.on_append`."""
        return self._watch.listen(listener)

    def close(self) -> None:
        """Stop watching the file."""
        self._watch.close()


class _Numbering:
    """Gives positions and sequences within one transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._position = int(connection.execute("SELECT coalesce(max(position), 0) + 1 FROM events").get)
        self._sequences: dict[ProjectId, int] = {}

    def next(self, project: ProjectId) -> tuple[int, int]:
        if project not in self._sequences:
            query = "SELECT sequence FROM events WHERE project = ? ORDER BY position DESC LIMIT 1"
            self._sequences[project] = int(self._connection.execute(query, (key_of(project),)).get or 0) + 1
        return self._position, self._sequences[project]

    def taken(self, project: ProjectId, position: int, sequence: int) -> None:
        self._position, self._sequences[project] = position, sequence


def _known(connection: apsw.Connection, events: Sequence[Proposed]) -> dict[EventId, tuple[int, int]]:
    """Where those events lie that are there already. Raises: Malformed, for an id in use for something else."""
    finding = "SELECT position, sequence, project, subject FROM events WHERE id = ?1 AND subject = ?2"
    other = "SELECT position, sequence, project, subject FROM events WHERE id = ?1 AND finding = 0"
    found: dict[EventId, tuple[int, int]] = {}
    for event in events:
        id, about = key_of(event.id), (key_of(event.project), key_of(event.data.subject))
        rows = fetch(connection, finding, (id, about[1])) if event.data.FINDING else fetch(connection, other, (id,))
        for position, sequence, *known_about in rows:
            if tuple(known_about) != about:
                raise Malformed(f"the id {event.id} is in use for an event about something else", field="id")
            found[event.id] = (position, sequence)
    return found


def _check_expected(connection: apsw.Connection, expected: Mapping[ResourceId, int]) -> None:
    for subject, version in expected.items():
        query = "SELECT coalesce(max(sequence), 0) FROM events WHERE subject = ?"
        current = int(connection.execute(query, (key_of(subject),)).get)
        if current != version:
            raise Conflict(
                f"{subject} is at {current}, the decision was made at {version}; decide anew",
                current=current,
                id=subject,
            )


def _checked(event: Proposed) -> bytes:
    """The payload as it is stored, after a look at the envelope: what one writer gets wrong must not fail its group."""
    try:
        payload = encode(event.data)
        f"{event.source}{event.actor}{event.correlation}".encode()
    except (UnicodeEncodeError, PydanticSerializationError) as error:
        raise Malformed(f"{event.data.TYPE} holds text that is not valid Unicode: {error}", id=event.id) from error
    for id in (event.id, event.project, event.data.subject, event.causation):
        if id is not None:
            key_of(id)
    if not 0 <= event.time_us < 1 << 62:
        raise Malformed(f"{event.data.TYPE} has the time {event.time_us} µs, which is no time since 1970", id=event.id)
    return payload


def checksum_of(
    position: int,
    sequence: int,
    id: bytes,
    project: bytes,
    subject: bytes,
    type: str,
    version: int,
    time_us: int,
    source: str,
    actor: str,
    correlation: str,
    causation: bytes | None,
    duration_ms: int | None,
    data: bytes,
) -> int:
    """CRC-32 over every column of an event's row."""
    numbers = _NUMBERS(position, sequence, version, time_us, -1 if duration_ms is None else duration_ms)
    texts = f"{type}\0{source}\0{actor}\0{correlation}".encode()
    return crc32(data, crc32(b"".join((numbers, id, project, subject, causation or b"", texts))))


def _row(position: int, sequence: int, event: Proposed, payload: bytes) -> Row:
    data = event.data
    fields = (
        position,
        sequence,
        key_of(event.id),
        key_of(event.project),
        key_of(data.subject),
        data.TYPE,
        data.VERSION,
        event.time_us,
        event.source,
        event.actor,
        event.correlation,
        key_of(event.causation) if event.causation else None,
        event.duration_ms,
        payload,
    )
    return (*fields, checksum_of(*fields), int(data.FINDING))


def _decoded(rows: Iterator[tuple[Any, ...]]) -> Iterator[Recorded]:  # Any: typed by the schema
    position: object = "an unknown position"
    while True:
        try:
            row = next(rows, None)
            if row is None:
                return
            position = f"position {row[0]}"
            if checksum_of(*row[:-1]) != row[-1]:
                raise ValueError("its checksum differs")
            event = _recorded(*row[:-1])
        except (ValueError, TypeError, OverflowError, struct.error) as error:
            raise Corrupted(
                f"the event at {position} is damaged ({error}); restore a backup of the file", position=str(position)
            ) from error
        yield event


def _recorded(
    position: int,
    sequence: int,
    id: bytes,
    project: bytes,
    subject: bytes,
    type: str,
    version: int,
    time_us: int,
    source: str,
    actor: str,
    correlation: str,
    causation: bytes | None,
    duration_ms: int | None,
    raw: bytes,
) -> Recorded:
    return Recorded(
        position,
        sequence,
        EventId(id_of(id)),
        ProjectId(id_of(project)),
        id_of(subject),
        type,
        version,
        time_us,
        source,
        actor,
        correlation,
        EventId(id_of(causation)) if causation else None,
        duration_ms,
        raw,
    )


def _check_contiguous(after: int, events: list[Recorded]) -> None:
    for expected, event in enumerate(events, after + 1):
        if event.position != expected:
            raise Corrupted(
                f"the event at position {expected} is missing; restore a backup of the file", position=expected
            )


def _where(selection: Selection) -> tuple[str, list[object]]:
    where, values = "", list[object]()
    if selection.types:
        where += f" AND type IN ({', '.join('?' * len(selection.types))})"
        values += selection.types
    for column, id in (("subject", selection.subject), ("project", selection.project)):
        if id:
            where += f" AND {column} = ?"
            values.append(key_of(id))
    if selection.correlation:
        where += " AND correlation = ?"
        values.append(selection.correlation)
    return where, values


def _index(selection: Selection) -> str | None:
    if selection.subject:
        return "events_by_subject"
    return "events_by_project" if selection.project else None
