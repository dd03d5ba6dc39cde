"""The measurements in SQLite: one row a point, read by project and name in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw

from domain.views import NOW, AsOf, At, Point
from infra.content import point_row
from infra.embedded.generation import Snapshot
from infra.embedded.rows import id_of, key_of

SCHEMA = """
CREATE TABLE {t}_points (
    name INTEGER NOT NULL, project BLOB NOT NULL, position INTEGER NOT NULL, time_us INTEGER NOT NULL,
    subject BLOB NOT NULL, value REAL NOT NULL, PRIMARY KEY (project, name, position)) WITHOUT ROWID;
CREATE TABLE {t}_names (name INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
"""
TABLES = ("points", "names")


class SqliteSeriesRows:
    """`SeriesRows` for one page."""

    def __init__(self, connection: apsw.Connection, table: str) -> None:
        self._connection = connection
        self._table = table
        self._names: dict[str, int] = {}
        self._rows: list[tuple[int, bytes, int, int, bytes, float]] = []

    def point(self, name: str, *, project: str, subject: str, value: float, at: At) -> None:
        """See `SeriesRows.point`."""
        self._rows.append((self._name(name), key_of(project), at.position, at.time_us, key_of(subject), value))

    def _name(self, text: str) -> int:
        if text not in self._names:
            table = f"{self._table}_names"
            self._connection.execute(f"INSERT OR IGNORE INTO {table} (text) VALUES (?)", (text,))
            self._names[text] = self._connection.execute(f"SELECT name FROM {table} WHERE text = ?", (text,)).get
        return self._names[text]

    def flush(self) -> None:
        """Write what was gathered."""
        self._connection.executemany(
            f"INSERT OR IGNORE INTO {self._table}_points VALUES (?, ?, ?, ?, ?, ?)", self._rows
        )
        self._rows.clear()


def content(connection: apsw.Connection, table: str) -> Iterator[tuple[str, str]]:
    """Every row as (key, content), in order of key."""
    query = f"""SELECT n.text || ' ' || hex(p.project) || '@' || p.position, p.time_us, hex(p.subject), p.value
                FROM {table}_points p JOIN {table}_names n ON n.name = p.name ORDER BY 1"""
    for row in connection.execute(query):
        yield point_row(*row)


class SqliteSeries:
    """`Series` over the live generation."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def names(self, project: str | None = None, as_of: AsOf = NOW) -> list[str]:
        """See `Series.names`."""
        conditions: list[tuple[str, Any]] = [("project = ?", key_of(project))] if project else []
        where, values = _where([*conditions, *_until(as_of)])
        with self._snapshot() as (connection, table):
            if project is None and as_of == NOW:
                query = f"SELECT text FROM {table}_names ORDER BY text"
            elif project is None:
                query = f"""SELECT text FROM {table}_names
                            WHERE name IN (SELECT name FROM {table}_points WHERE {where}) ORDER BY text"""
            else:
                query = f"""SELECT text FROM {table}_names n WHERE EXISTS
                            (SELECT 1 FROM {table}_points p WHERE p.name = n.name AND {where}) ORDER BY text"""
            return [text for (text,) in connection.execute(query, values)]

    def points(
        self,
        name: str,
        *,
        project: str | None = None,
        from_us: int = 0,
        to_us: int | None = None,
        bucket_us: int = 0,
        first: int = 1000,
        as_of: AsOf = NOW,
    ) -> list[Point]:
        """See `Series.points`."""
        conditions: list[tuple[str, Any]] = [("time_us >= ?", from_us), *_until(as_of)]
        if project:
            conditions.append(("project = ?", key_of(project)))
        if to_us is not None:
            conditions.append(("time_us < ?", to_us))
        with self._snapshot() as (connection, table):
            code = connection.execute(f"SELECT name FROM {table}_names WHERE text = ?", (name,)).get
            if code is None:
                return []
            where, values = _where([("name = ?", code), *conditions])
            if bucket_us:
                query = f"""SELECT time_us / ? * ?, count(*), avg(value), min(value), max(value), NULL
                            FROM {table}_points WHERE {where} GROUP BY 1 ORDER BY 1 LIMIT ?"""
                rows = connection.execute(query, (bucket_us, bucket_us, *values, first))
            else:
                query = f"""SELECT time_us, 1, value, value, value, subject
                            FROM {table}_points WHERE {where} ORDER BY time_us, position LIMIT ?"""
                rows = connection.execute(query, (*values, first))
            return [
                Point(time_us, count, mean, low, high, id_of(subject) if subject else None)
                for time_us, count, mean, low, high, subject in rows
            ]


def _until(as_of: AsOf) -> list[tuple[str, Any]]:  # Any: what SQLite holds
    if as_of.position is not None:
        return [("position <= ?", as_of.position)]
    return [("time_us <= ?", as_of.time_us)] if as_of.time_us is not None else []


def _where(conditions: list[tuple[str, Any]]) -> tuple[str, list[Any]]:  # Any: the same
    return " AND ".join(text for text, _ in conditions), [value for _, value in conditions]
