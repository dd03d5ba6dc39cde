"""The measurements in SQLite: one row a point, read by project and name in order of time."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from domain.views import At, Point
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
    for key, *rest in connection.execute(query):
        yield f"point {key}", repr(rest)


class SqliteSeries:
    """`Series` over the live generation."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def names(self, project: str | None = None) -> list[str]:
        """See `Series.names`."""
        with self._snapshot() as (connection, table):
            if project is None:
                query, values = f"SELECT text FROM {table}_names ORDER BY text", ()
            else:
                query = f"""SELECT text FROM {table}_names n WHERE EXISTS
                            (SELECT 1 FROM {table}_points p WHERE p.project = ? AND p.name = n.name)
                            ORDER BY text"""
                values = (key_of(project),)  # type: ignore[assignment]  # one value, or none
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
    ) -> list[Point]:
        """See `Series.points`."""
        within = " AND project = ?" if project else ""
        before = " AND time_us < ?" if to_us is not None else ""
        bounds = (*([key_of(project)] if project else []), from_us, *([to_us] if to_us is not None else []), first)
        with self._snapshot() as (connection, table):
            code = connection.execute(f"SELECT name FROM {table}_names WHERE text = ?", (name,)).get
            if code is None:
                return []
            where = f"FROM {table}_points WHERE name = ?{within} AND time_us >= ?{before}"
            if bucket_us:
                query = f"""SELECT time_us / ? * ?, count(*), avg(value), min(value), max(value), NULL {where}
                            GROUP BY 1 ORDER BY 1 LIMIT ?"""
                rows = connection.execute(query, (bucket_us, bucket_us, code, *bounds))
            else:
                query = f"SELECT time_us, 1, value, value, value, subject {where} ORDER BY time_us, position LIMIT ?"
                rows = connection.execute(query, (code, *bounds))
            return [
                Point(time_us, count, mean, low, high, id_of(subject) if subject else None)
                for time_us, count, mean, low, high, subject in rows
            ]
