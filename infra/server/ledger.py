"""The sequencer's tables in PostgreSQL: what each event is and where, and the outbox of those that Kafka has not yet.

A ledger row holds an event whole, but for the payload of findings, which are most events and most bytes: that waits in
the outbox until it lies in Kafka, and is read from there. Everything here can be made anew from Kafka alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.ids import EventId, ProjectId, ResourceId
from domain.ports import Selection
from infra.event_rows import COLUMNS, Ready, Row
from infra.group_commit import Next, Places, Request, check_project
from infra.keys import id_of, key_of
from infra.server.postgres import Pg

FEW = 64
LEDGER = "COPY ledger FROM STDIN (FORMAT BINARY)"
OUTBOX = "COPY outbox FROM STDIN (FORMAT BINARY)"
LEDGER_TYPES = (
    *("int8", "int8", "int8", "bytea", "bytea", "bytea", "bytea", "text", "text", "text", "text"),
    *("int4", "int8", "int8", "bytea", "int2"),
)
OUTBOX_TYPES = ("int8", "bytea")
DATA, FINDING = 14, 15
_MARKS = f"({', '.join(['%s'] * 16)})"
SELECT = f"SELECT {', '.join('l.' + name.strip() for name in COLUMNS.split(','))}".replace(
    "l.data", "coalesce(l.data, o.data) AS data"
)
WITH_OUTBOX = f"{SELECT} FROM ledger l LEFT JOIN outbox o ON o.position = l.position"


def lock(connection: Pg, group: Sequence[Request]) -> tuple[Next, int]:
    """Take the sequencer until the transaction ends; return the next places, and the last position Kafka has."""
    keys = [key_of(project) for project in {request.project for request in group}]
    with connection.pipeline():
        head = connection.execute("SELECT position FROM sequencer FOR UPDATE")
        projects = connection.execute("SELECT id, sequence FROM projects WHERE id = ANY(%s)", (keys,))
        published = connection.execute("SELECT coalesce(max(last), 0) FROM published")
    sequences = {ProjectId(id_of(key)): 1 for key in keys}
    sequences.update({ProjectId(id_of(key)): sequence + 1 for key, sequence in projects.fetchall()})
    return Next(_one(head) + 1, sequences), _one(published)


def _one(cursor: Any) -> int:  # Any: a cursor of any rows
    (value,) = cursor.fetchone()
    return int(value)


@dataclass(slots=True)
class Known:
    """What the ledger has of a group's ids and of the subjects it rests on, kept up as the group is placed."""

    places: Places
    projects: dict[EventId, bytes]
    heads: dict[ResourceId, int]

    def check(self, request: Request) -> None:
        """Raise Malformed for an id that is in use in another project."""
        for event in request.events:
            if event[0] in self.projects:
                check_project(event[0], event[1][1], self.projects[event[0]])

    def head(self, subject: ResourceId) -> int:
        """The sequence of the last event about a subject, 0 where there is none."""
        return self.heads.get(subject, 0)

    def add(self, rows: Iterable[Row]) -> None:
        """These rows are to be written before what comes next."""
        for row in rows:
            id = EventId(id_of(row[3]))
            self.places[id] = (row[0], row[1])
            self.projects[id] = row[4]
            self.heads[id_of(row[5])] = row[1]


def known(connection: Pg, events: Sequence[Ready], subjects: Sequence[ResourceId]) -> Known:
    """Which of these events are there, and where these subjects stand."""
    findings = [event[1] for event in events if event[1][-1]]
    others = [event[1][0] for event in events if not event[1][-1]]
    with connection.pipeline():
        by_id = connection.execute(
            "SELECT id, position, sequence, project FROM ledger WHERE id = ANY(%s) AND finding = 0", (others,)
        )
        by_subject = connection.execute(
            """SELECT l.id, l.position, l.sequence, l.project
               FROM unnest(%s::bytea[], %s::bytea[]) f (subject, id)
               JOIN ledger l ON l.subject = f.subject AND l.id = f.id""",
            ([body[2] for body in findings], [body[0] for body in findings]),
        )
        heads = connection.execute(
            "SELECT s, (SELECT max(sequence) FROM ledger WHERE subject = s) FROM unnest(%s::bytea[]) s",
            ([key_of(subject) for subject in subjects],),
        )
    found = Known({}, {}, {id_of(subject): sequence or 0 for subject, sequence in heads.fetchall()})
    for key, position, sequence, project in (*by_id.fetchall(), *by_subject.fetchall()):
        id = EventId(id_of(key))
        found.places[id] = (position, sequence)
        found.projects[id] = project
    return found


def write(connection: Pg, rows: Sequence[Row], next: Next, channel: str) -> None:
    """Write rows into ledger and outbox, and where the sequencer stands; the transaction is still to be committed."""
    if len(rows) > FEW:
        copy_ledger(connection, rows)
        copy_outbox(connection, rows)
    with connection.pipeline():
        if 0 < len(rows) <= FEW:
            _insert(connection, rows)
        connection.execute("UPDATE sequencer SET position = %s", (next.position - 1,))
        sequences = [(key_of(project), sequence - 1) for project, sequence in next.sequences.items()]
        connection.cursor().executemany(
            """INSERT INTO projects VALUES (%s, %s)
               ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence""",
            sequences,
        )
        connection.execute("SELECT pg_notify(%s, %s)", (channel, str(next.position - 1)))


def copy_ledger(connection: Pg, rows: Sequence[Row]) -> None:
    """Write rows into the ledger alone."""
    with connection.cursor() as cursor, cursor.copy(LEDGER) as copy:
        copy.set_types(LEDGER_TYPES)
        for row in rows:
            copy.write_row(_in_ledger(row))


def copy_outbox(connection: Pg, rows: Sequence[Row]) -> None:
    """Write rows into the outbox alone."""
    with connection.cursor() as cursor, cursor.copy(OUTBOX) as copy:
        copy.set_types(OUTBOX_TYPES)
        for row in rows:
            copy.write_row(_in_outbox(row))


def _insert(connection: Pg, rows: Sequence[Row]) -> None:
    marks = ", ".join([_MARKS] * len(rows))
    connection.execute(f"INSERT INTO ledger VALUES {marks}", [value for row in rows for value in _in_ledger(row)])
    marks = ", ".join(["(%s, %s)"] * len(rows))
    connection.execute(f"INSERT INTO outbox VALUES {marks}", [value for row in rows for value in _in_outbox(row)])


def _in_ledger(row: Row) -> tuple[Any, ...]:
    return (*row[:DATA], None, 1) if row[FINDING] else (*row[:DATA], row[DATA], 0)


def _in_outbox(row: Row) -> tuple[int, bytes | None]:
    return row[0], row[14] if row[15] else None


def page(connection: Pg, after: int, limit: int, upto: int | None, selection: Selection) -> list[tuple[Any, ...]]:
    """Rows behind a position, in order; the data of a finding that Kafka has is None."""
    where, values = " WHERE l.position > %s", [after]
    if upto is not None:
        where += " AND l.position <= %s"
        values.append(upto)
    more, given = _where(selection)
    page = f"SELECT * FROM ledger l{where}{more} ORDER BY l.position LIMIT %s"
    query = f"{SELECT} FROM ({page}) l LEFT JOIN outbox o ON o.position = l.position ORDER BY l.position"
    return connection.execute(query, [*values, *given, limit]).fetchall()


def _where(selection: Selection) -> tuple[str, list[Any]]:
    where, values = "", list[Any]()
    if selection.types:
        where += " AND l.type = ANY(%s)"
        values.append(list(selection.types))
    for column, id in (("subject", selection.subject), ("project", selection.project)):
        if id:
            where += f" AND l.{column} = %s"
            values.append(key_of(id))
    if selection.correlation:
        where += " AND l.correlation = %s"
        values.append(selection.correlation)
    return where, values


def about(connection: Pg, subject: ResourceId, after: int) -> list[tuple[Any, ...]]:
    """Rows about a subject, in order, as `page` gives them."""
    query = f"{WITH_OUTBOX} WHERE l.subject = %s AND l.position > %s ORDER BY l.position"
    return connection.execute(query, (key_of(subject), after)).fetchall()


def at(connection: Pg, positions: Sequence[int]) -> list[tuple[Any, ...]]:
    """Rows at these positions, as `page` gives them."""
    return connection.execute(f"{WITH_OUTBOX} WHERE l.position = ANY(%s)", (list(positions),)).fetchall()


def places(connection: Pg, ids: Iterable[EventId], subject: ResourceId | None) -> dict[EventId, int]:
    """Positions of the ids that are there; see `EventLog.places`."""
    keys = [key_of(id) for id in ids]
    if subject is None:
        found = connection.execute("SELECT id, position FROM ledger WHERE id = ANY(%s) AND finding = 0", (keys,))
    else:
        query = "SELECT id, position FROM ledger WHERE subject = %s AND id = ANY(%s)"
        found = connection.execute(query, (key_of(subject), keys))
    return {EventId(id_of(id)): position for id, position in found}


def head(connection: Pg) -> int:
    """The position of the last event."""
    return _one(connection.execute("SELECT position FROM sequencer"))


def published(connection: Pg) -> int:
    """The position of the last event that Kafka has."""
    return _one(connection.execute("SELECT coalesce(max(last), 0) FROM published"))


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a batch of events lies in Kafka, by position from `first` on."""

    first: int
    last: int
    partitions: array[int]
    offsets: array[int]

    def place(self, position: int) -> tuple[int, int]:
        """Partition and offset of an event."""
        return self.partitions[position - self.first], self.offsets[position - self.first]


def segment(connection: Pg, position: int) -> Segment | None:
    """The batch that brought an event to Kafka, None where it is still to come."""
    query = "SELECT first, last, partitions, offsets FROM published WHERE last >= %s ORDER BY last LIMIT 1"
    row = connection.execute(query, (position,)).fetchone()
    if row is None or row[0] > position:
        return None
    return Segment(row[0], row[1], array("H", row[2]), array("q", row[3]))


def offsets_behind(connection: Pg, positions: Mapping[int, int]) -> dict[int, int]:
    """Partition -> the offset behind the event at this position of it; those at 0 are left out."""
    found = {}
    for partition, position in positions.items():
        lies = segment(connection, position) if position else None
        if lies is not None:
            found[partition] = lies.place(position)[1] + 1
    return found


def unpublished(connection: Pg, after: int, limit: int) -> list[Row]:
    """Rows that wait for Kafka, in order: the first of them, and those up to `limit` positions on."""
    # within bounds in both tables: of a page of one alone, the server may look for its rows through all of the other
    query = f"""{SELECT} FROM ledger l JOIN outbox o ON o.position = l.position
                WHERE l.position > %s AND l.position <= %s AND o.position > %s AND o.position <= %s
                ORDER BY l.position"""
    with connection.cursor(binary=True) as cursor:  # payloads as they are, not in digits
        rows = cursor.execute(query, 2 * (after, after + limit)).fetchall()
        if rows:
            return rows
        query_first = "SELECT min(position) FROM outbox WHERE position > %s"
        (first,) = cursor.execute(query_first, (after,)).fetchone() or (None,)
        return [] if first is None else cursor.execute(query, 2 * (first - 1, first - 1 + limit)).fetchall()


def ends(connection: Pg) -> dict[int, int]:
    """The position of the last published event of each partition that has one."""
    return dict(connection.execute("SELECT partition, last FROM partitions"))


def record_published(connection: Pg, found: Segment, ends: Mapping[int, int]) -> bool:
    """Say that a batch lies in Kafka, and clear it from the outbox; False where another relay has said so before.

    ends: the position that each partition of the batch ends with now.
    """
    if published(connection) != found.first - 1:
        return False
    insert_published(connection, found)
    set_ends(connection, ends)
    connection.execute("DELETE FROM outbox WHERE position BETWEEN %s AND %s", (found.first, found.last))
    return True


def insert_published(connection: Pg, found: Segment) -> None:
    """Note where a batch lies."""
    connection.execute(
        "INSERT INTO published VALUES (%s, %s, %s, %s)",
        (found.first, found.last, found.partitions.tobytes(), found.offsets.tobytes()),
    )


def set_ends(connection: Pg, ends: Mapping[int, int]) -> None:
    """Note the position that each of these partitions ends with."""
    connection.cursor().executemany(
        "INSERT INTO partitions VALUES (%s, %s) ON CONFLICT (partition) DO UPDATE SET last = excluded.last",
        list(ends.items()),
    )
