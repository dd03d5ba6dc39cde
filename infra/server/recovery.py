"""The ledger made anew from Kafka alone: heads, ids, sequences, and where each event lies."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

import numpy as np

from domain.errors import Corrupted
from infra.event_rows import COLUMNS, Row, recorded
from infra.server import ledger
from infra.server.ledger import Segment
from infra.server.postgres import Pg, Postgres
from infra.server.records import Partition
from infra.server.replay import History

SEGMENT = 5000

OnProgress = Callable[[int, int], None]


def rebuild_ledger(postgres: Postgres, history: History, *, on_progress: OnProgress | None = None) -> int:
    """Put what Kafka has in place of what the ledger says of it; return how many events that is.

    Events that were acknowledged and wait in the outbox stay. Writers wait meanwhile; all of it is one transaction.
    Raises: Corrupted, naming a record that is damaged, or an event that no partition has though later ones are there.
    """
    ends = history.ends()
    total = sum(ends.values())
    with postgres.transaction(statement_s=0) as connection:
        connection.execute("SELECT 1 FROM sequencer FOR UPDATE")
        places = _Places()
        connection.execute(
            """CREATE TEMPORARY TABLE waiting ON COMMIT DROP AS
               SELECT l.*, o.data AS waiting FROM outbox o JOIN ledger l USING (position)"""
        )
        connection.execute("TRUNCATE ledger, outbox, published, partitions, projects")
        read = 0
        for rows, records in _rows(history, ends, places):
            ledger.copy_ledger(connection, rows)
            read += records
            if on_progress is not None:
                on_progress(read, total)
        last = places.write(connection)
        _keep_waiting(connection, last)
        connection.execute("INSERT INTO projects SELECT project, max(sequence) FROM ledger GROUP BY project")
        connection.execute("UPDATE sequencer SET position = (SELECT coalesce(max(position), 0) FROM ledger)")
    return last


class _Places:
    """Where every event lies."""

    def __init__(self) -> None:
        self._positions = array("q")
        self._partitions = array("H")
        self._offsets = array("q")
        self._ends: dict[int, int] = {}

    def add(self, position: int, partition: int, offset: int) -> None:
        self._positions.append(position)
        self._partitions.append(partition)
        self._offsets.append(offset)
        self._ends[partition] = position

    def write(self, connection: Pg) -> int:
        """Say where they lie, and return the last position. Raises: Corrupted, where one is missing."""
        positions = np.frombuffer(self._positions, np.int64)
        order = np.argsort(positions)
        missing = np.flatnonzero(positions[order] != np.arange(1, len(positions) + 1))
        if len(missing):
            position = int(missing[0]) + 1
            raise Corrupted(f"the event at position {position} is in no partition, though later ones are")
        partitions, offsets = np.frombuffer(self._partitions, np.uint16), np.frombuffer(self._offsets, np.int64)
        for start in range(0, len(order), SEGMENT):
            here = order[start : start + SEGMENT]
            ledger.insert_published(
                connection,
                Segment(start + 1, start + len(here), array("H", partitions[here]), array("q", offsets[here])),
            )
        ledger.set_ends(connection, self._ends)
        return len(positions)


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


def _keep_waiting(connection: Pg, last: int) -> None:
    """Put back what was acknowledged and Kafka does not have."""
    connection.execute(f"INSERT INTO ledger SELECT {COLUMNS} FROM waiting WHERE position > %s", (last,))
    connection.execute("INSERT INTO outbox SELECT position, waiting FROM waiting WHERE position > %s", (last,))
