"""PostgreSQL and Kafka compared, and the ledger made anew from Kafka alone: heads, ids, sequences, places."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing

import numpy as np

from domain.errors import Conflict, Corrupted
from infra.event_rows import Row, moved, recorded
from infra.server import ledger
from infra.server.ledger import Segment
from infra.server.migrating import migrate
from infra.server.postgres import Pg, Postgres, postgres_of
from infra.server.records import Partition, Record, row_of_record
from infra.server.replay import History
from infra.server.topics import events_topic
from infra.settings import Settings

SEGMENT = 5000
OUTBOX = 1 << 40

OnProgress = Callable[[int, int], None]


def mismatches(postgres: Postgres, history: History) -> Iterator[Conflict | Corrupted]:
    """Where Kafka ends with an event that the ledger does not know, or before one that the ledger says it has."""
    ends = history.ends()
    with postgres.read(snapshot=True) as connection:
        known = ledger.offsets_behind(connection, ledger.ends(connection))
    for partition, offset in known.items():
        if ends.get(partition, 0) < offset:
            yield Corrupted(
                f"Kafka has lost events: partition {partition} of {history.topic} ends at offset"
                f" {ends.get(partition, 0)}, and had {offset} records; restore its data"
            )
    beyond = {partition: end for partition, end in ends.items() if end > known.get(partition, 0)}
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
        query = "SELECT 1 FROM ledger WHERE position = %s AND id = %s AND checksum = %s"
        return connection.execute(query, (row[0], row[3], row[2])).fetchone() is not None


def rebuild_ledger(postgres: Postgres, history: History, *, on_progress: OnProgress | None = None) -> int:
    """Put what Kafka has in place of what the ledger says of it; return how many events that is.

    Events that were acknowledged and wait in the outbox stay; those whose place Kafka has another event at come last.
    Writers wait meanwhile; all of it is one transaction.
    Raises: Corrupted, naming a record that is damaged, or an event that no partition has though later ones are there.
    """
    with postgres.transaction(statement_s=0) as connection:
        connection.execute("LOCK TABLE sequencer, outbox, published IN ACCESS EXCLUSIVE MODE")  # relays wait as well
        ends, places = history.ends(), _Places()
        total = sum(ends.values())
        waiting = ledger.unpublished(connection, 0, OUTBOX)
        connection.execute("TRUNCATE ledger, outbox, published, partitions, projects")
        read = 0
        for rows, records in _rows(history, ends, places):
            ledger.copy_ledger(connection, rows)
            read += records
            if on_progress is not None:
                on_progress(read, total)
        last = places.write(connection, {row[0] for row in waiting})
        connection.execute("DELETE FROM ledger WHERE position > %s", (last,))
        _keep_waiting(connection, waiting, last)
        connection.execute("INSERT INTO projects SELECT project, max(sequence) FROM ledger GROUP BY project")
        connection.execute(
            """INSERT INTO sequencer SELECT true, coalesce(max(position), 0) FROM ledger
               ON CONFLICT (one) DO UPDATE SET position = excluded.position"""
        )
    return last


def rebuild(settings: Settings, *, on_progress: OnProgress | None = None) -> int:
    """The same for an installation, which may have lost its database whole. Raises: also Malformed, Unavailable."""
    history = History(settings.address("kafka"), events_topic(settings))
    with closing(postgres_of(settings)) as postgres:
        migrate(postgres)
        return rebuild_ledger(postgres, history, on_progress=on_progress)


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

    def write(self, connection: Pg, waiting: Container[int]) -> int:
        """Say where they lie, and return the last position that has all before it.

        waiting: positions whose events are in the outbox; a relay that was broken off has brought some of a batch to
        Kafka, in whichever order. Raises: Corrupted, where an event is missing that is not there either.
        """
        positions = np.frombuffer(self._positions, np.int64)
        order = np.argsort(positions)
        missing = np.flatnonzero(positions[order] != np.arange(1, len(positions) + 1))
        last = int(missing[0]) if len(missing) else len(positions)
        if any(int(position) not in waiting for position in (last + 1, *positions[order[last:]]) if len(missing)):
            raise Corrupted(f"the event at position {last + 1} is in no partition, though later ones are")
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


def _keep_waiting(connection: Pg, waiting: Sequence[Row], last: int) -> None:
    """Put back what was acknowledged and Kafka does not have: at its place, where that is not taken."""
    query = """SELECT w.at FROM unnest(%s::bytea[], %s::bytea[]) WITH ORDINALITY w (subject, id, at)
               WHERE NOT EXISTS (SELECT 1 FROM ledger l WHERE l.subject = w.subject AND l.id = w.id)"""
    ids = [row[5] for row in waiting], [row[3] for row in waiting]
    missing = [waiting[at - 1] for (at,) in connection.execute(query, ids)]
    query = "SELECT project, max(sequence) FROM ledger GROUP BY project"
    heads: dict[bytes, int] = dict(connection.execute(query).fetchall())
    rows = []
    for position, row in enumerate(sorted(missing, key=lambda row: (row[0] <= last, row[0])), last + 1):
        heads[row[4]] = heads.get(row[4], 0) + 1
        rows.append(moved(row, position, heads[row[4]]))
    ledger.copy_ledger(connection, rows)
    ledger.copy_outbox(connection, rows)
