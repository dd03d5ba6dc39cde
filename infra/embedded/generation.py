"""Generations of views: each is built in tables of its own; one of them is live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import apsw

from domain.errors import Unavailable
from infra.embedded.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS views (
    name TEXT NOT NULL, generation INTEGER NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('live', 'building', 'retired')), PRIMARY KEY (name, generation));
CREATE UNIQUE INDEX IF NOT EXISTS live_views ON views (name) WHERE state = 'live';
"""
LIVE = "SELECT generation FROM views WHERE name = ? AND state = 'live'"

Snapshot = Callable[[], AbstractContextManager[tuple[apsw.Connection, str]]]
"""Opens a snapshot of a view's live generation: a connection, and the prefix of its tables."""


def table_of(name: str, generation: int) -> str:
    """The prefix of a generation's tables."""
    return f"{name}_{generation}"


def live(database: Database, name: str) -> Snapshot:
    """Snapshots of a view's live generation.

    Which one is live is read in the same snapshot as its rows, so a switch cannot come in between.
    """

    @contextmanager
    def snapshot() -> Iterator[tuple[apsw.Connection, str]]:
        with database.read() as connection:
            generation = connection.execute(LIVE, (name,)).get
            if generation is None:
                raise Unavailable(f"the view {name} has not been built yet; start the service or run: disco replay")
            yield connection, table_of(name, generation)

    return snapshot
