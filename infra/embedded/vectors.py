"""The embeddings in sqlite-vec: exact search by cosine, within a project or over all, now or as of a moment.

The index holds the newest embedding of each resource; those it took the place of lie in a table beside it, with the
positions and times that they held between, and are few. So are those that are archived, and when they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import apsw
import orjson

from domain.errors import LimitExceeded, NotFound
from domain.ids import ResourceId
from domain.views import NOW, AsOf, At, Hit
from infra import content as told
from infra.directions import DIMENSIONS, asked, indexed
from infra.embedded.generation import Snapshot
from infra.embedded.graph_rows import EVER
from infra.embedded.rows import fetch, fetch_one, id_of, key_of

MOST = 4096
CHUNK = 128  # every project takes whole chunks: small ones for many small projects

# vec0 finds the rows of a partition (a project) without looking at the others. A space is told by a number there: vec0
# looks longer texts up one by one, which would take twice as long as the search.
SCHEMA = f"""
CREATE TABLE {{t}}_spaces (space INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE {{t}}_of (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, project BLOB NOT NULL, space INTEGER NOT NULL,
    position INTEGER NOT NULL, time_us INTEGER NOT NULL);
CREATE TABLE {{t}}_past (
    id BLOB NOT NULL, project BLOB NOT NULL, space INTEGER NOT NULL, position INTEGER NOT NULL,
    time_us INTEGER NOT NULL, until INTEGER NOT NULL, until_us INTEGER NOT NULL, embedding BLOB NOT NULL,
    PRIMARY KEY (id, position)) WITHOUT ROWID;
CREATE TABLE {{t}}_archived (
    id BLOB NOT NULL, position INTEGER NOT NULL, time_us INTEGER NOT NULL, until INTEGER NOT NULL,
    until_us INTEGER NOT NULL, PRIMARY KEY (id, position)) WITHOUT ROWID;
CREATE VIRTUAL TABLE {{t}}_index USING vec0(
    key INTEGER PRIMARY KEY, project TEXT PARTITION KEY, space INTEGER,
    embedding FLOAT[{DIMENSIONS}] DISTANCE_METRIC=cosine, chunk_size={CHUNK});
"""
TABLES = ("index", "archived", "past", "of", "spaces")

Given = tuple[str, str, bytes, At]
"""Project, space, embedding, and since when."""


class SqliteVectorRows:
    """`VectorRows` for one page."""

    def __init__(self, connection: apsw.Connection, table: str) -> None:
        self._connection = connection
        self._table = table
        self._rows: dict[str, list[Given]] = {}
        self._spaces: dict[str, int] = {}
        self._insert = f"""INSERT INTO {table}_of (id, project, space, position, time_us) VALUES (?, ?, ?, ?, ?)
                           ON CONFLICT DO NOTHING RETURNING key"""

    def vector(self, id: str, *, project: str, space: str, packed: str, at: At) -> None:
        """See `VectorRows.vector`."""
        raw = indexed(packed)
        if raw is None:
            return
        given = self._rows.setdefault(id, [])
        if not given or given[-1][3].position < at.position:
            given.append((project, space, raw, at))

    def archive(self, id: str, archived: bool, at: At) -> None:
        """See `VectorRows.archive`."""
        table = f"{self._table}_archived"
        if archived:
            query = f"""INSERT INTO {table} SELECT ?1, ?2, ?3, {EVER}, {EVER}
                        WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE id = ?1 AND position <= ?2 AND until > ?2)"""
        else:
            query = f"UPDATE {table} SET until = ?2, until_us = ?3 WHERE id = ?1 AND until = {EVER} AND position < ?2"
        self._connection.execute(query, (key_of(id), *at))

    def _space(self, name: str) -> int:
        if name not in self._spaces:
            table = f"{self._table}_spaces"
            self._connection.execute(f"INSERT OR IGNORE INTO {table} (name) VALUES (?)", (name,))
            self._spaces[name] = fetch_one(self._connection, f"SELECT space FROM {table} WHERE name = ?", (name,))
        return self._spaces[name]

    def _place(self, id: bytes, given: list[Given]) -> tuple[int, str, int, bytes] | None:
        """The index's row of a resource's newest embedding, once those before it are kept; None for one it has."""
        project, space, raw, at = given[-1]
        number = self._space(space)
        values = (id, key_of(project), number, *at)
        key = fetch_one(self._connection, self._insert, values)
        if key is None:
            key, before = self._held(id)
            given = [before, *(one for one in given if one[3].position > before[3].position)]
            if len(given) == 1:
                return None
            self._connection.execute(f"DELETE FROM {self._table}_index WHERE key = ?", (key,))
            self._connection.execute(
                f"UPDATE {self._table}_of SET project = ?, space = ?, position = ?, time_us = ? WHERE key = ?",
                (*values[1:], key),
            )
        if len(given) > 1:
            self._keep(id, given)
        return key, project, number, raw

    def _held(self, id: bytes) -> tuple[int, Given]:
        query = f"""SELECT o.key, i.project, s.name, i.embedding, o.position, o.time_us FROM {self._table}_of o
                    JOIN {self._table}_index i ON i.key = o.key JOIN {self._table}_spaces s ON s.space = o.space
                    WHERE o.id = ?"""
        key, project, space, raw, *at = fetch(self._connection, query, (id,))[0]
        return key, (project, space, raw, At(*at))

    def _keep(self, id: bytes, given: list[Given]) -> None:
        """Keep all but the newest, each until the next."""
        rows = [
            (id, key_of(project), self._space(space), *at, *after[3], raw)
            for (project, space, raw, at), after in pairwise(given)
        ]
        self._connection.executemany(f"INSERT INTO {self._table}_past VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def flush(self) -> None:
        """Write what was gathered, the newest of each resource into the index."""
        rows = [row for id, given in self._rows.items() if (row := self._place(key_of(id), given)) is not None]
        insert = f"INSERT INTO {self._table}_index (key, project, space, embedding) VALUES (?, ?, ?, ?)"
        self._connection.executemany(insert, rows)
        self._rows.clear()


def content(connection: apsw.Connection, table: str) -> Iterator[tuple[str, str]]:
    """Every row as (key, content), in order of key."""
    query = f"SELECT hex(id) || '@' || position, time_us, until, until_us FROM {table}_archived ORDER BY 1"
    for key, *rest in connection.execute(query):
        yield told.archived_row(key, rest)
    query = f"""SELECT hex(o.id), hex(o.project), s.name, o.position, o.time_us, NULL, NULL, hex(i.embedding)
                FROM {table}_of o JOIN {table}_index i ON i.key = o.key JOIN {table}_spaces s ON s.space = o.space
                UNION ALL
                SELECT hex(p.id) || '@' || p.position, hex(p.project), s.name, p.position, p.time_us, p.until,
                       p.until_us, hex(p.embedding)
                FROM {table}_past p JOIN {table}_spaces s ON s.space = p.space ORDER BY 1"""
    for key, *rest in connection.execute(query):
        yield told.vector_row(key, rest)


class SqliteVectors:
    """`Vectors` over the live generation."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def similar(
        self, id: str, *, first: int = 10, project: str | None = None, archived: bool = False, as_of: AsOf = NOW
    ) -> list[Hit]:
        """See `Vectors.similar`."""
        with self._snapshot() as (connection, table):
            near = _Near(connection, table, archived, as_of)
            own = near.own(key_of(id))
            if own is None:
                raise NotFound(f"{id} has no embedding yet; wait for its analysis", id=id)
            hits = near.nearest(own[1], own[0], first + 1, project)
        return [hit for hit in hits if hit.id != id][:first]

    def nearest(
        self,
        vector: bytes,
        *,
        space: str,
        first: int = 10,
        project: str | None = None,
        archived: bool = False,
        as_of: AsOf = NOW,
    ) -> list[Hit]:
        """See `Vectors.nearest`."""
        with self._snapshot() as (connection, table):
            number = fetch_one(connection, f"SELECT space FROM {table}_spaces WHERE name = ?", (space,))
            if number is None:
                return []
            return _Near(connection, table, archived, as_of).nearest(asked(vector), number, first, project)


class _Near:
    """What is near as of a moment: in the index what is there since then or before, beside it what held then.

    What was archived then is left out unless wanted. The index cannot be asked to leave out a few: so many more are
    asked for; or, where that would be too many, those that are left.
    """

    def __init__(self, connection: apsw.Connection, table: str, archived: bool, as_of: AsOf) -> None:
        self._connection = connection
        self._table = table
        self._now = as_of == NOW
        self._moment = as_of.position if as_of.position is not None else as_of.time_us
        self._since, self._until = ("position", "until") if as_of.position is not None else ("time_us", "until_us")
        self._archived = self._archived_then() if not archived else set()

    def _archived_then(self) -> set[bytes]:
        held = "until = ?" if self._now else f"a.{self._since} <= ? AND {self._until} > ?"
        query = f"SELECT a.id FROM {self._table}_archived a JOIN {self._table}_of o ON o.id = a.id WHERE {held}"
        values = (EVER,) if self._now else (self._moment, self._moment)
        return {id for (id,) in fetch(self._connection, query, values)}

    def own(self, id: bytes) -> tuple[int, bytes] | None:
        """The space and embedding of a resource."""
        query = f"""SELECT o.space, i.embedding FROM {self._table}_of o JOIN {self._table}_index i ON i.key = o.key
                    WHERE o.id = ?"""
        if self._now:
            row = self._connection.execute(query, (id,)).fetchone()
        else:
            query += f""" AND o.{self._since} <= ? UNION ALL
                         SELECT space, embedding FROM {self._table}_past
                         WHERE id = ? AND {self._since} <= ? AND {self._until} > ? LIMIT 1"""
            moment = self._moment
            row = self._connection.execute(query, (id, moment, id, moment, moment)).fetchone()
        return (row[0], row[1]) if row else None

    def nearest(self, vector: bytes, space: int, first: int, project: str | None) -> list[Hit]:
        """The nearest of a space, the nearest first."""
        if first > MOST:
            raise LimitExceeded(f"at most {MOST} neighbours can be asked for, not {first}", limit=MOST)
        wide = first + len(self._archived)
        rows = self._indexed(vector, space, wide if wide <= MOST else first, project, sieved=wide > MOST)
        if not self._now:
            rows = sorted(rows + self._kept(vector, space, wide, project))
        left = [(distance, id) for distance, id in rows if id not in self._archived]
        return [Hit(ResourceId(id_of(id)), 1.0 - distance) for distance, id in left[:first]]

    def _indexed(
        self, vector: bytes, space: int, first: int, project: str | None, *, sieved: bool
    ) -> list[tuple[float, bytes]]:
        values = [vector, first, space, *([project] if project else [])]
        within = " AND project = ?" if project else ""
        among = []
        if not self._now:
            among.append(f"{self._since} <= ?")
            values.append(self._moment)
        if sieved:
            among.append("id NOT IN (SELECT unhex(value) FROM json_each(?))")
            values.append(orjson.dumps([id.hex() for id in self._archived]).decode())
        if among:
            within += f" AND key IN (SELECT key FROM {self._table}_of WHERE {' AND '.join(among)})"
        query = f"""WITH near AS (
                        SELECT key, distance FROM {self._table}_index
                        WHERE embedding MATCH ? AND k = ? AND space = ?{within})
                    SELECT near.distance, o.id FROM near JOIN {self._table}_of o ON o.key = near.key
                    ORDER BY near.distance, o.id"""
        return [(distance, id) for distance, id in self._connection.execute(query, values)]

    def _kept(self, vector: bytes, space: int, first: int, project: str | None) -> list[tuple[float, bytes]]:
        within = " AND project = ?" if project else ""
        query = f"""SELECT vec_distance_cosine(embedding, ?), id FROM {self._table}_past
                    WHERE space = ? AND {self._since} <= ? AND {self._until} > ?{within} ORDER BY 1, 2 LIMIT ?"""
        values = (vector, space, self._moment, self._moment, *([key_of(project)] if project else []), first)
        return [(distance, id) for distance, id in self._connection.execute(query, values)]
