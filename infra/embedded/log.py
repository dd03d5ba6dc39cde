"""The event log in SQLite: appended in groups, one fsync for many writers, each event under a checksum."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import apsw

from domain.errors import Conflict, Corrupted, DiscoError, Malformed, Unavailable
from domain.ids import EventId, ProjectId, ResourceId
from domain.ports import ALL, Appended, Selection
from events.envelope import Proposed, Recorded
from infra.embedded.database import Database, translated
from infra.embedded.event_rows import COLUMNS, SCHEMA, Ready, Row, insert, ready, recorded, row_of
from infra.embedded.rows import fetch, fetch_one, key_of
from infra.embedded.watch import Watch

GROUP_EVENTS = 20_000
REMEMBERED = 50_000
GATHER_S = 0.0005


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False, slots=True)
class _Request:
    project: ProjectId
    events: list[Ready]
    expected: Mapping[ResourceId, int]
    turn: threading.Lock = field(default_factory=_taken)
    answer: Appended | None = None
    error: BaseException | None = None
    abandoned: bool = False


class SqliteLog:
    """`EventLog` in one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: deque[_Request] = deque()
        self._queue_lock = threading.Lock()
        self._numbering = _Numbering()
        self._last_group = 1
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
        request = _Request(events[0].project, [ready(event) for event in events], expected or {})
        with self._queue_lock:
            self._queue.append(request)
            leads = self._queue[0] is request
        if not leads:
            self._follow(request)
        if request.answer is None and request.error is None:
            self._lead()
        if request.error is not None:
            raise request.error
        assert request.answer is not None  # noqa: S101  # a group's leader answers every request in it
        return request.answer

    def _follow(self, request: _Request) -> None:
        """Wait until a leader has committed the request, or its turn to lead has come."""
        try:
            request.turn.acquire()
        except BaseException:  # interrupted: whoever stands behind must not wait for a thread that is gone
            with self._queue_lock:
                request.abandoned = True
                leads = bool(self._queue) and self._queue[0] is request
            if leads:
                self._lead()
            raise

    def _lead(self) -> None:
        self._let_gather()
        with self._queue_lock:
            group = self._group()
        self._last_group = len(group)
        self._commit(group)
        with self._queue_lock:
            for _ in group:
                self._queue.popleft()
            while self._queue and self._queue[0].abandoned:
                self._queue.popleft()
            following = self._queue[0] if self._queue else None
        for request in (*group, following):
            if request is not None:
                request.turn.release()
        self._watch.nudge()

    def _let_gather(self) -> None:
        """Give the writers that the last commit has woken a moment to come back: a lone writer never waits."""
        end = time.perf_counter() + GATHER_S
        while len(self._queue) < self._last_group and time.perf_counter() < end:
            time.sleep(GATHER_S / 10)

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
            self._numbering.forget()
            self._retry(group)
        except BaseException as error:  # told to every caller in the group, none of whose events was written
            self._numbering.forget()
            for request in group:
                request.error = _told(error, own=request is group[0])

    def _retry(self, group: list[_Request]) -> None:
        try:
            self._write_group(group, probe=True)
        except apsw.ConstraintError as error:
            self._numbering.forget()
            if len(group) > 1:
                for request in group:
                    self._retry([request])
                return
            group[0].error = Malformed("an event's id is in use for an event about something else", field="id")
            group[0].error.__cause__ = error
        except BaseException as error:  # as in _commit
            self._numbering.forget()
            for request in group:
                request.error = _told(error, own=request is group[0])

    def _write_group(self, group: list[_Request], *, probe: bool) -> None:
        """Write a group in one transaction; with `probe`, events that are there already are answered, not written."""
        answers: list[Appended | DiscoError] = []
        rows: list[Row] = []
        numbering = self._numbering
        with self._database.write() as connection:
            numbering.begin(connection)
            for request in group:
                known: _Places | None = None
                try:
                    if probe or request.expected:
                        insert(connection, rows)  # what it expects may have changed in this very group
                        rows.clear()
                        known = _known(connection, request.events)
                        _check_expected(connection, request, known)
                    answers.append(_place(connection, request, known, numbering, rows))
                except (Conflict, Malformed) as error:
                    answers.append(error)
            insert(connection, rows)
        for request, answer in zip(group, answers, strict=True):
            if isinstance(answer, Appended):
                request.answer = answer
            else:
                request.error = answer

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
            events = list(recorded(rows))
        if selection == ALL:
            _check_contiguous(after, events)
        return events

    def about(self, subject: ResourceId, *, after: int = 0) -> list[Recorded]:
        """See `EventLog.about`."""
        query = f"SELECT {COLUMNS} FROM events WHERE subject = ? AND position > ? ORDER BY position"
        with translated(self._database.path):
            return list(recorded(self._database.reader().execute(query, (key_of(subject), after))))

    def at(self, positions: Sequence[int]) -> dict[int, Recorded]:
        """See `EventLog.at`."""
        query = f"SELECT {COLUMNS} FROM events WHERE position = ?"
        reader = self._database.reader()
        with translated(self._database.path):
            rows = (row for position in positions for row in reader.execute(query, (position,)))
            return {event.position: event for event in recorded(rows)}

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

    def damage(self) -> Iterator[str]:
        """What is wrong with the table and its indexes, by SQLite's own check: reads by subject or id rely on those."""
        with translated(self._database.path):
            for (message,) in fetch(self._database.reader(), "PRAGMA integrity_check(events)"):
                if message != "ok":
                    yield str(message)

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


def _told(error: BaseException, *, own: bool) -> BaseException:
    """The error as a writer hears of it: that its leader was interrupted is not its own interruption."""
    return error if own or isinstance(error, Exception) else Unavailable("the write was interrupted; try again")


class _Numbering:
    """Gives positions and sequences; what it remembers holds as long as no other connection has written."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._position = 0
        self._sequences: dict[ProjectId, int] = {}

    def begin(self, connection: apsw.Connection) -> None:
        """Within a transaction: forget what others may have changed."""
        version = int(connection.pragma("data_version"))
        if version != self._version or len(self._sequences) > REMEMBERED:
            self._sequences.clear()
            self._position = int(fetch_one(connection, "SELECT coalesce(max(position), 0) + 1 FROM events"))
            self._version = version

    def forget(self) -> None:
        """The transaction came to nothing."""
        self._version = None

    def next(self, connection: apsw.Connection, project: ProjectId) -> tuple[int, int]:
        """The next position in the log and sequence in the project."""
        if project not in self._sequences:
            query = "SELECT sequence FROM events WHERE project = ? ORDER BY position DESC LIMIT 1"
            self._sequences[project] = int(fetch_one(connection, query, (key_of(project),)) or 0) + 1
        return self._position, self._sequences[project]

    def taken(self, project: ProjectId, position: int, sequence: int) -> None:
        """These are the next ones from now on."""
        self._position, self._sequences[project] = position, sequence


_Places = dict[EventId, tuple[int, int]]
"""Id -> position and sequence."""


def _place(
    connection: apsw.Connection, request: _Request, known: _Places | None, numbering: _Numbering, rows: list[Row]
) -> Appended:
    """Give the events that are not known their places, and add their rows; None: taken to be all new, and different."""
    position, sequence = numbering.next(connection, request.project)
    events = request.events
    if known is None:
        count = len(events)
        rows += [row_of(position + at, sequence + at, event) for at, event in enumerate(events)]
        numbering.taken(request.project, position + count, sequence + count)
        positions, sequences = range(position, position + count), range(sequence, sequence + count)
        return Appended(request.project, tuple(positions), tuple(sequences), count)
    first = position
    for event in events:
        if event[0] not in known:
            rows.append(row_of(position, sequence, event))
            known[event[0]] = (position, sequence)
            position += 1
            sequence += 1
    numbering.taken(request.project, position, sequence)
    places = [known[event[0]] for event in events]
    return Appended(request.project, tuple(p for p, _ in places), tuple(s for _, s in places), position - first)


def _known(connection: apsw.Connection, events: Sequence[Ready]) -> _Places:
    finding = "SELECT position, sequence, project FROM events WHERE id = ?1 AND subject = ?2"
    other = "SELECT position, sequence, project FROM events WHERE id = ?1 AND finding = 0"
    found: _Places = {}
    for event in events:
        id, project, subject, *_, is_finding = event[1]
        rows = fetch(connection, finding, (id, subject)) if is_finding else fetch(connection, other, (id,))
        for position, sequence, elsewhere in rows:
            if elsewhere != project:
                raise Malformed(f"the id {event[0]} is in use for an event of another project", id=event[0])
            found[event[0]] = (position, sequence)
    return found


def _check_expected(connection: apsw.Connection, request: _Request, known: _Places) -> None:
    """Raise Conflict where the request's grounds have changed; one whose events are all known rests on nothing."""
    if all(event[0] in known for event in request.events):
        return
    for subject, version in request.expected.items():
        query = "SELECT coalesce(max(sequence), 0) FROM events WHERE subject = ?"
        current = int(fetch_one(connection, query, (key_of(subject),)))
        if current != version:
            message = f"{subject} is at {current}, the decision was made at {version}; decide anew"
            raise Conflict(message, current=current, id=subject)


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
