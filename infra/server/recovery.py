"""PostgreSQL and Kafka compared, and the ledger made anew from Kafka alone: heads, ids, sequences, places."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from domain.errors import Conflict, Corrupted
from infra.event_rows import COLUMNS, Row, moved, recorded
from infra.server import ledger
from infra.server.brokers import brokers_of
from infra.server.ledger import Segment
from infra.server.migrating import migrate
from infra.server.postgres import Pg, Postgres, postgres_of
from infra.server.records import Partition, Record, row_of_record
from infra.server.replay import History
from infra.server.topics import events_topic
from infra.settings import Settings

SEGMENT = 5000
BEFORE = f"CREATE TEMPORARY TABLE before ON COMMIT DROP AS {ledger.WITH_OUTBOX} {{where}}"
LACKING = "NOT EXISTS (SELECT 1 FROM ledger l WHERE l.subject = b.subject AND l.id = b.id)"

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a ledger made anew holds: events that Kafka has, those that wait for it, findings that were given up."""

    events: int
    waiting: int
    given_up: int


def mismatches(postgres: Postgres, history: History) -> Iterator[Conflict | Corrupted]:
    """Where Kafka and the ledger contradict each other: what Kafka has lost first."""
    with postgres.read(snapshot=True) as connection:
        yield from _lost(connection, history)
    yield from unknown(postgres, history)


def _lost(connection: Pg, history: History) -> Iterator[Corrupted]:
    """Partitions that end before the last event that the ledger says they have, or have another one in its place."""
    lasts = ledger.ends(connection)
    behind = ledger.offsets_behind(connection, lasts)
    ends = history.ends() if behind else {}  # after the ledger was asked: a relay may be at work
    for partition, offset in behind.items():
        if ends.get(partition, 0) < offset:
            yield lost(f"partition {partition} of {history.topic} ends at {ends.get(partition, 0)}, and had {offset}")
    there = {partition: offset for partition, offset in behind.items() if ends.get(partition, 0) >= offset}
    starts = {partition: offset - 1 for partition, offset in there.items()}
    for partition, records in history.pages(starts, there) if there else ():
        for record in records:
            if not _is_at(connection, record, lasts[partition]):
                yield lost(f"partition {partition} of {history.topic} has another record at {record.offset}")


def lost(what: str) -> Corrupted:
    """Says that Kafka has lost events, and what to do."""
    return Corrupted(
        f"Kafka has lost events: {what}; restore the newest copy of its data, or, where there is none, stop what runs"
        " and run: disco rebuild-ledger --give-up-lost"
    )


def _is_at(connection: Pg, record: Record, position: int) -> bool:
    try:
        row, _ = row_of_record(record)
    except Corrupted:
        return False
    return row[0] == position and _is_known(connection, row)


def unknown(postgres: Postgres, history: History) -> Iterator[Conflict]:
    """Partitions that end with an event that the ledger lacks."""
    with postgres.read(snapshot=True) as connection:
        known = ledger.offsets_behind(connection, ledger.ends(connection))
    beyond = {partition: end for partition, end in history.ends().items() if end > known.get(partition, 0)}
    lasts = {partition: end - 1 for partition, end in beyond.items()}
    for _, records in history.pages(lasts, beyond) if beyond else ():
        for record in records:
            if not _knows(postgres, record):
                yield Conflict(
                    f"{postgres.where} knows less than Kafka, which ends partition {record.partition} of"
                    f" {history.topic} with an event that the ledger lacks: it was restored from an older backup;"
                    " stop what runs, then run: disco rebuild-ledger"
                )


def _knows(postgres: Postgres, record: Record) -> bool:
    try:
        row, _ = row_of_record(record)
    except Corrupted:  # a stranger's; readers leave it out
        return True
    with postgres.read() as connection:
        return _is_known(connection, row)


def _is_known(connection: Pg, row: Row) -> bool:
    query = "SELECT 1 FROM ledger WHERE position = %s AND id = %s AND checksum = %s"
    return connection.execute(query, (row[0], row[3], row[2])).fetchone() is not None


def rebuild_ledger(
    postgres: Postgres, history: History, *, give_up_lost: bool = False, on_progress: OnProgress | None = None
) -> Rebuilt:
    """Put what Kafka has in place of what the ledger says of it.

    Events that were acknowledged and wait in the outbox stay; those whose place Kafka has another event at come last.
    Writers wait meanwhile; all of it is one transaction.
    give_up_lost: where Kafka has lost events, have those brought there again that the ledger holds whole, and go on
    without the others: findings, which workers make again.
    Raises: Corrupted, naming a record that is damaged, or what Kafka has lost.
    """
    with postgres.transaction(statement_s=0) as connection:
        connection.execute("LOCK TABLE sequencer, outbox, published IN ACCESS EXCLUSIVE MODE")  # relays wait as well
        gone = next(_lost(connection, history), None)
        if gone is not None and not give_up_lost:
            raise gone
        ends, places = history.ends(), _Places()
        total = sum(ends.values())
        connection.execute(BEFORE.format(where="" if gone else "WHERE o.position IS NOT NULL"))
        connection.execute("TRUNCATE ledger, outbox, published, partitions, projects")
        read = 0
        for rows, records in _rows(history, ends, places):
            ledger.copy_ledger(connection, rows)
            read += records
            if on_progress is not None:
                on_progress(read, total)
        last = places.write(connection)
        connection.execute("DELETE FROM ledger WHERE position > %s", (last,))
        waiting = _keep_waiting(connection, last)
        given_up = _count_given_up(connection)
        connection.execute("INSERT INTO projects SELECT project, max(sequence) FROM ledger GROUP BY project")
        connection.execute(
            """INSERT INTO sequencer SELECT true, coalesce(max(position), 0) FROM ledger
               ON CONFLICT (one) DO UPDATE SET position = excluded.position"""
        )
        if given_up:
            _begin_anew(connection)
    return Rebuilt(last, waiting, given_up)


def rebuild(settings: Settings, *, give_up_lost: bool = False, on_progress: OnProgress | None = None) -> Rebuilt:
    """The same for an installation, which may have lost its database whole. Raises: also Malformed, Unavailable."""
    history = History(brokers_of(settings), events_topic(settings))
    with closing(postgres_of(settings)) as postgres:
        migrate(postgres)
        return rebuild_ledger(postgres, history, give_up_lost=give_up_lost, on_progress=on_progress)


class _Places:
    """Where every event lies."""

    def __init__(self) -> None:
        self._positions = array("q")
        self._partitions = array("H")
        self._offsets = array("q")

    def add(self, position: int, partition: int, offset: int) -> None:
        self._positions.append(position)
        self._partitions.append(partition)
        self._offsets.append(offset)

    def write(self, connection: Pg) -> int:
        """Say where they lie, and return the last position that has all before it.

        What lies beyond is in Kafka in part: a relay that was broken off has brought some of a batch there, in
        whichever order. Raises: Corrupted, where an event of it is not at hand to be brought there again.
        """
        positions = np.frombuffer(self._positions, np.int64)
        order = np.argsort(positions)
        missing = np.flatnonzero(positions[order] != np.arange(1, len(positions) + 1))
        last = int(missing[0]) if len(missing) else len(positions)
        if len(missing):
            _check_at_hand(connection, last + 1, int(positions[order[-1]]))
        order = order[:last]
        partitions, offsets = np.frombuffer(self._partitions, np.uint16), np.frombuffer(self._offsets, np.int64)
        for start in range(0, len(order), SEGMENT):
            here = order[start : start + SEGMENT]
            ledger.insert_published(
                connection,
                Segment(start + 1, start + len(here), array("H", partitions[here]), array("q", offsets[here])),
            )
        there = np.unique(partitions[order])
        ends = {int(each): int(positions[order][partitions[order] == each].max()) for each in there}
        ledger.set_ends(connection, ends)
        return last


def _rows(history: History, ends: dict[int, int], places: _Places) -> Iterator[tuple[list[Row], int]]:
    """The rows of each page, and how many records were read for them."""
    states = {partition: Partition() for partition in ends}
    for partition, records in history.pages(dict.fromkeys(ends, 0), ends):
        rows = []
        for record, row in states[partition].rows(records):
            rows.append(row)
            places.add(row[0], partition, record.offset)
        for _ in recorded(iter(rows)):  # each is checked against its checksum
            pass
        yield rows, len(records)


def _check_at_hand(connection: Pg, first: int, last: int) -> None:
    query = """SELECT min(p) FROM generate_series(%s::bigint, %s) p
               LEFT JOIN before b ON b.position = p AND b.data IS NOT NULL WHERE b.position IS NULL"""
    row = connection.execute(query, (first, last)).fetchone()
    if row is not None and row[0] is not None:
        raise Corrupted(
            f"the event at position {row[0]} is in no partition, though later ones are; while nothing else runs, put"
            " back a copy of Kafka's data in which all partitions are of one moment, and run this again"
        )


def _keep_waiting(connection: Pg, last: int) -> int:
    """Put back what was acknowledged and Kafka does not have, at its place, where that is not taken; how many."""
    query = (
        f"SELECT {COLUMNS} FROM before b WHERE b.data IS NOT NULL AND {LACKING} ORDER BY b.position <= %s, b.position"
    )
    missing: list[Row] = connection.execute(query, (last,)).fetchall()
    query = "SELECT project, max(sequence) FROM ledger GROUP BY project"
    heads: dict[bytes, int] = dict(connection.execute(query).fetchall())
    rows = []
    for position, row in enumerate(missing, last + 1):
        heads[row[4]] = heads.get(row[4], 0) + 1
        rows.append(moved(row, position, heads[row[4]]))
    ledger.copy_ledger(connection, rows)
    ledger.copy_outbox(connection, rows)
    return len(rows)


def _count_given_up(connection: Pg) -> int:
    row = connection.execute(f"SELECT count(*) FROM before b WHERE b.data IS NULL AND {LACKING}").fetchone()
    return int(row[0]) if row else 0


def _begin_anew(connection: Pg) -> None:
    """Have processors come to every event again, and views built anew: what came behind a lost event has moved."""
    connection.execute("TRUNCATE processed")
    connection.execute("UPDATE views SET version = 0 WHERE state = 'live'")
    connection.execute(
        "DELETE FROM checkpoints c USING views v WHERE v.name = c.name AND v.generation = c.generation"
        " AND v.state = 'building'"
    )
