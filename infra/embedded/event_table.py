"""The table of events in SQLite."""

from __future__ import annotations

import apsw

from infra.event_rows import Row

# Ids are random: an index over all of them would touch a page of its own for nearly every event. Findings, which are
# most events and lie with their cause's subject, are therefore unique within their subject; the others by id alone.
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, checksum INTEGER NOT NULL, id BLOB NOT NULL,
    project BLOB NOT NULL, subject BLOB NOT NULL, causation BLOB, type TEXT NOT NULL, source TEXT NOT NULL,
    actor TEXT NOT NULL, correlation TEXT NOT NULL, version INTEGER NOT NULL, time_us INTEGER NOT NULL,
    duration_ms INTEGER, data BLOB NOT NULL, finding INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS events_by_subject ON events (subject, id);
CREATE INDEX IF NOT EXISTS events_by_project ON events (project);
CREATE UNIQUE INDEX IF NOT EXISTS events_by_id ON events (id) WHERE finding = 0;
"""
_MARKS = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT = f"INSERT INTO events VALUES {_MARKS}"
FEW = 128


def insert(connection: apsw.Connection, rows: list[Row]) -> None:
    """Insert rows; a few score in statements of many rows each.

    The driver lets other threads run at every statement: with a thread a row waiting for its commit, taking its turn
    again after each row would cost more than the rows.
    """
    if len(rows) > FEW:
        connection.executemany(INSERT, rows)
        return
    start = 0
    while start < len(rows):
        size = 1 << ((len(rows) - start).bit_length() - 1)
        values = [value for row in rows[start : start + size] for value in row]
        connection.execute(f"INSERT INTO events VALUES {', '.join([_MARKS] * size)}", values)
        start += size
