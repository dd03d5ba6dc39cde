"""The event log in SQLite: appended in groups, one fsync for many writers, each event under a checksum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import apsw

from domain.errors import Conflict, Corrupted, DiscoError, Malformed
from domain.ids import EventId, ResourceId
from domain.ports import ALL, Appended, Selection
from domain.tracing import Spans
from events.envelope import Proposed, Recorded
from infra.embedded.database import Database, translated
from infra.embedded.event_table import SCHEMA, insert
from infra.embedded.rows import fetch, fetch_one
from infra.embedded.watch import Watch
from infra.event_rows import COLUMNS, Ready, Row, recorded
from infra.group_commit import Clash, GroupCommit, Next, Places, Request, check_expected, check_project
from infra.keys import key_of
from infra.tracing import OFF

REMEMBERED = 50_000


class SqliteLog:
    """`EventLog` in one SQLite file."""

    def __init__(self, database: Database, spans: Spans = OFF) -> None:
        self._database = database
        self._numbering = _Numbering()
        self._commits = GroupCommit(self._write_group, self._numbering.forget, spans)
        with database.write() as connection:
            connection.execute(SCHEMA)
        self._watch = Watch(database, self.head)

    # Writing

    def append(self, events: Sequence[Proposed], *, expected: Mapping[ResourceId, int] | None = None) -> Appended:
        """See `EventLog.append`."""
        try:
            return self._commits.append(events, expected)
        finally:
            self._watch.nudge()

    def _write_group(self, group: Sequence[Request], probe: bool) -> list[Appended | DiscoError]:
        """See `Write`."""
        answers: list[Appended | DiscoError] = []
        rows: list[Row] = []
        try:
            with self._database.write() as connection:
                numbering = self._numbering.begin(connection, group)
                for request in group:
                    known: Places | None = None
                    try:
                        if probe or request.expected:
                            insert(connection, rows)  # what it expects may have changed in this very group
                            rows.clear()
                            known = _known(connection, request.events)
                            check_expected(request, known, partial(_head, connection))
                        answers.append(numbering.place(request, known, rows))
                    except (Conflict, Malformed) as error:
                        answers.append(error)
                insert(connection, rows)
        except apsw.ConstraintError as error:
            raise Clash from error
        return answers

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


class _Numbering:
    """Gives positions and sequences; what it remembers holds as long as no other connection has written."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._next = Next(1, {})

    def begin(self, connection: apsw.Connection, group: Sequence[Request]) -> Next:
        """Within a transaction: the next places, after forgetting what others may have changed."""
        version = int(connection.pragma("data_version"))
        sequences = self._next.sequences
        if version != self._version or len(sequences) > REMEMBERED:
            sequences.clear()
            self._next.position = int(fetch_one(connection, "SELECT coalesce(max(position), 0) + 1 FROM events"))
            self._version = version
        for request in group:
            if request.project not in sequences:
                query = "SELECT sequence FROM events WHERE project = ? ORDER BY position DESC LIMIT 1"
                sequences[request.project] = int(fetch_one(connection, query, (key_of(request.project),)) or 0) + 1
        return self._next

    def forget(self) -> None:
        """The transaction came to nothing."""
        self._version = None


def _known(connection: apsw.Connection, events: Sequence[Ready]) -> Places:
    finding = "SELECT position, sequence, project FROM events WHERE id = ?1 AND subject = ?2"
    other = "SELECT position, sequence, project FROM events WHERE id = ?1 AND finding = 0"
    found: Places = {}
    for event in events:
        id, project, subject, *_, is_finding = event[1]
        rows = fetch(connection, finding, (id, subject)) if is_finding else fetch(connection, other, (id,))
        for position, sequence, elsewhere in rows:
            check_project(event[0], project, elsewhere)
            found[event[0]] = (position, sequence)
    return found


def _head(connection: apsw.Connection, subject: ResourceId) -> int:
    query = "SELECT coalesce(max(sequence), 0) FROM events WHERE subject = ?"
    return int(fetch_one(connection, query, (key_of(subject),)))


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
