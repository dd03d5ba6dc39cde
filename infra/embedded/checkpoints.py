"""How far each processor has come; what lies behind is done, what lies ahead may be done again, to the same effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra.embedded.database import Database
from infra.embedded.rows import fetch

SCHEMA = "CREATE TABLE IF NOT EXISTS processed (processor TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"


class Checkpoints:
    """Positions by processor; one that was never here begins at 0, so a new analysis comes to everything there is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.write() as connection:
            connection.execute(SCHEMA)

    def read(self, processors: Sequence[str]) -> dict[str, int]:
        """The position of each of these processors."""
        with self._database.read() as connection:
            found: dict[str, int] = dict(fetch(connection, "SELECT processor, position FROM processed"))
        return {name: found.get(name, 0) for name in processors}

    def write(self, positions: Mapping[str, int]) -> None:
        """Move processors forward; not durable by itself, since doing again is harmless."""
        query = """INSERT INTO processed VALUES (?, ?)
                   ON CONFLICT (processor) DO UPDATE SET position = max(position, excluded.position)"""
        with self._database.write(durable=False) as connection:
            connection.executemany(query, list(positions.items()))
