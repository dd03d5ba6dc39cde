"""The embeddings in sqlite-vec: exact search by cosine, within a project or over all."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from domain.errors import LimitExceeded, NotFound
from domain.ids import ResourceId
from domain.values import unpack_bytes
from domain.views import At, Hit
from infra.embedded.generation import Snapshot
from infra.embedded.rows import fetch, fetch_one, id_of, key_of

DIMENSIONS = 128
MOST = 4096
CHUNK = 128  # every project takes whole chunks: small ones for many small projects

# vec0 finds the rows of a partition (a project) without looking at the others. A space is told by a number there: vec0
# looks longer texts up one by one, which would take twice as long as the search.
SCHEMA = f"""
CREATE TABLE {{t}}_spaces (space INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE {{t}}_of (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, project BLOB NOT NULL, space INTEGER NOT NULL,
    position INTEGER NOT NULL);
CREATE VIRTUAL TABLE {{t}}_index USING vec0(
    key INTEGER PRIMARY KEY, project TEXT PARTITION KEY, space INTEGER,
    embedding FLOAT[{DIMENSIONS}] DISTANCE_METRIC=cosine, chunk_size={CHUNK});
"""
TABLES = ("index", "of", "spaces")


class SqliteVectorRows:
    """`VectorRows` for one page."""

    def __init__(self, connection: apsw.Connection, table: str) -> None:
        self._connection = connection
        self._table = table
        self._rows: dict[str, tuple[str, str, bytes, int]] = {}
        self._spaces: dict[str, int] = {}
        self._insert = f"""INSERT INTO {table}_of (id, project, space, position) VALUES (?, ?, ?, ?)
                           ON CONFLICT DO NOTHING RETURNING key"""

    def vector(self, id: str, *, project: str, space: str, packed: str, at: At) -> None:
        """See `VectorRows.vector`. A vector of another length is of a space that this index does not hold."""
        raw = unpack_bytes(packed)
        if len(raw) == 4 * DIMENSIONS:
            self._rows[id] = (project, space, raw, at.position)

    def _space(self, name: str) -> int:
        if name not in self._spaces:
            table = f"{self._table}_spaces"
            self._connection.execute(f"INSERT OR IGNORE INTO {table} (name) VALUES (?)", (name,))
            self._spaces[name] = fetch_one(self._connection, f"SELECT space FROM {table} WHERE name = ?", (name,))
        return self._spaces[name]

    def _place(
        self, id: bytes, project: str, space: str, raw: bytes, position: int
    ) -> tuple[int, str, int, bytes] | None:
        """The index's row of a vector, once what it replaces is gone; None for one older than what is there."""
        connection, number = self._connection, self._space(space)
        values = (id, key_of(project), number, position)
        key = fetch_one(connection, self._insert, values)
        if key is None:
            key, newest = fetch(connection, f"SELECT key, position FROM {self._table}_of WHERE id = ?", (id,))[0]
            if newest >= position:
                return None
            connection.execute(f"DELETE FROM {self._table}_index WHERE key = ?", (key,))
            connection.execute(
                f"UPDATE {self._table}_of SET project = ?, space = ?, position = ? WHERE key = ?", (*values[1:], key)
            )
        return key, project, number, raw

    def flush(self) -> None:
        """Write what was gathered, the newest of each resource."""
        rows = [row for id, given in self._rows.items() if (row := self._place(key_of(id), *given)) is not None]
        insert = f"INSERT INTO {self._table}_index (key, project, space, embedding) VALUES (?, ?, ?, ?)"
        self._connection.executemany(insert, rows)
        self._rows.clear()


def content(connection: apsw.Connection, table: str) -> Iterator[tuple[str, str]]:
    """Every row as (key, content), in order of key."""
    query = f"""SELECT hex(o.id), hex(o.project), s.name, o.position, hex(i.embedding) FROM {table}_of o
                JOIN {table}_index i ON i.key = o.key JOIN {table}_spaces s ON s.space = o.space ORDER BY o.id"""
    for key, *rest in connection.execute(query):
        yield f"vector {key}", repr(rest)


class SqliteVectors:
    """`Vectors` over the live generation."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def similar(self, id: str, *, first: int = 10, project: str | None = None) -> list[Hit]:
        """See `Vectors.similar`."""
        with self._snapshot() as (connection, table):
            query = f"""SELECT o.space, i.embedding FROM {table}_of o JOIN {table}_index i ON i.key = o.key
                        WHERE o.id = ?"""
            row = connection.execute(query, (key_of(id),)).fetchone()
            if row is None:
                raise NotFound(f"{id} has no embedding yet; wait for its analysis", id=id)
            hits = self._nearest(connection, table, row[1], row[0], first + 1, project)
        return [hit for hit in hits if hit.id != id][:first]

    def nearest(self, vector: bytes, *, space: str, first: int = 10, project: str | None = None) -> list[Hit]:
        """See `Vectors.nearest`."""
        with self._snapshot() as (connection, table):
            number = fetch_one(connection, f"SELECT space FROM {table}_spaces WHERE name = ?", (space,))
            return [] if number is None else self._nearest(connection, table, vector, number, first, project)

    def _nearest(
        self, connection: apsw.Connection, table: str, vector: bytes, space: int, first: int, project: str | None
    ) -> list[Hit]:
        if first > MOST:
            raise LimitExceeded(f"at most {MOST} neighbours can be asked for, not {first}", limit=MOST)
        within = " AND project = ?" if project else ""
        query = f"""WITH near AS (
                        SELECT key, distance FROM {table}_index
                        WHERE embedding MATCH ? AND k = ? AND space = ?{within})
                    SELECT o.id, near.distance FROM near JOIN {table}_of o ON o.key = near.key
                    ORDER BY near.distance, o.id"""
        values = (vector, first, space, *([project] if project else []))
        return [Hit(ResourceId(id_of(id)), 1.0 - distance) for id, distance in connection.execute(query, values)]
