"""The measurements in TimescaleDB: one row a point in a hypertable, copied in where a generation is built anew."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import structlog
from psycopg import Copy

from domain.ids import ResourceId
from domain.views import NOW, AsOf, At, Point
from infra import content
from infra.keys import key_of
from infra.server import timescale
from infra.server.asking import Clause, together, uuid_of
from infra.server.generations import Live, drop, make, pages, schema_of
from infra.server.postgres import Pg, identifier, set_local
from infra.server.timescale import Edition, Policies
from projections import measurements

TABLES = """
CREATE TABLE IF NOT EXISTS {s}.names (name integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS {s}.points (
    project uuid NOT NULL, subject uuid NOT NULL, position bigint NOT NULL, time_us bigint NOT NULL,
    value double precision NOT NULL, name integer NOT NULL)
"""
INDEXES = """
CREATE UNIQUE INDEX IF NOT EXISTS points_by_project ON {s}.points (project, name, time_us, position);
CREATE INDEX IF NOT EXISTS points_by_name ON {s}.points (name, time_us)
"""
COLUMNS = "project, subject, position, time_us, value, name"
PAGE = 5_000
TOGETHER = 1_000
MEMORY = "256MB"

# A row of a binary COPY: how many fields, then each with its length before it. Source: PostgreSQL, COPY, file formats.
_ROW = struct.Struct(">hi16si16siqiqidii")
_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"

log_ = structlog.get_logger("series")


class PgSeriesRows:
    """`SeriesRows` for one page.

    In a fresh generation points go on their way by the thousand, and the server takes them in while more are folded.
    """

    def __init__(self, connection: Pg, schema: str, *, fresh: bool) -> None:
        self._connection = connection
        self._schema = schema
        self._fresh = fresh
        self._codes: dict[str, int] = {}
        self._rows: list[tuple[str, str, str, int, int, float]] = []
        self._copying = ExitStack()
        self._copy: Copy | None = None

    def point(self, name: str, *, project: str, subject: str, value: float, at: At) -> None:
        """See `SeriesRows.point`."""
        rows = self._rows
        rows.append((name, project, subject, at.position, at.time_us, value))
        if self._fresh and len(rows) >= TOGETHER:
            self._send()

    def flush(self) -> None:
        """Write what was gathered."""
        if self._fresh:
            self._send()
            self._end_copy()
        elif self._rows:
            self._insert()
        self._rows.clear()

    def _send(self) -> None:
        self._learn({row[0] for row in self._rows})
        if self._copy is None:
            query = f"COPY {self._schema}.points ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
            self._copy = self._copying.enter_context(self._connection.cursor().copy(query))
            self._copy.write(_BEGIN)
        pack, codes = _ROW.pack, self._codes
        packed = [
            pack(6, 16, key_of(project), 16, key_of(subject), 8, position, 8, time_us, 8, value, 4, codes[name])
            for name, project, subject, position, time_us, value in self._rows
        ]
        self._copy.write(b"".join(packed))
        self._rows.clear()

    def _end_copy(self) -> None:
        if self._copy is not None:
            self._copy.write(_END)
            self._copying.close()
            self._copy = None

    def _learn(self, names: set[str]) -> None:
        """Have a number for each name; new ones in order, for two transactions may bring the same ones."""
        known = f"SELECT text, name FROM {self._schema}.names"
        if not self._codes:
            self._codes.update(self._connection.execute(known).fetchall())
        missing = sorted(names - self._codes.keys())
        if missing:
            self._end_copy()
            insert = f"""INSERT INTO {self._schema}.names (text) SELECT text FROM unnest(%s::text[]) text
                         ORDER BY text COLLATE "C" ON CONFLICT DO NOTHING"""
            self._connection.execute(insert, (missing,))
            self._codes.update(self._connection.execute(known).fetchall())

    def _insert(self) -> None:
        self._learn({row[0] for row in self._rows})
        rows = [(*row[1:], self._codes[row[0]]) for row in self._rows]
        query = f"""INSERT INTO {self._schema}.points ({COLUMNS})
                    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::float8[], %s::int[])
                    ON CONFLICT DO NOTHING"""
        self._connection.execute(query, [list(column) for column in zip(*rows, strict=True)])


@dataclass(frozen=True, slots=True)
class SeriesStore:
    """Where the measurements lie, a schema for each generation."""

    prefix: str
    policies: Policies = field(default_factory=Policies)
    name: str = measurements.NAME
    version: int = measurements.VERSION

    def create(self, connection: Pg, generation: int) -> None:
        """Make the tables of a generation; what is there stays."""
        found = timescale.edition(connection)
        if found is Edition.NONE:
            log_.warning("no_timescaledb", what="measurements lie in a plain table, and old ones are not set apart")
        make(connection, self._schema(generation), TABLES)
        for statement in timescale.to_create(found, identifier(self._schema(generation))):
            connection.execute(statement)

    def rows(self, connection: Pg, generation: int, *, fresh: bool) -> PgSeriesRows:
        """What the projection writes to, in the transaction of the page."""
        return PgSeriesRows(connection, identifier(self._schema(generation)), fresh=fresh)

    def finish(self, connection: Pg, generation: int) -> None:
        """Make the indexes that readers need, and `hours`; have the server look after what is old, where it can."""
        set_local(connection, "statement_timeout", 0)
        set_local(connection, "maintenance_work_mem", MEMORY)
        schema = identifier(self._schema(generation))
        connection.execute(INDEXES.format(s=schema))
        for statement in timescale.to_finish(timescale.edition(connection), schema, self.policies):
            connection.execute(statement)
        connection.execute(f"ANALYZE {schema}.points")

    def drop(self, connection: Pg, generation: int) -> None:
        """Take a generation away."""
        drop(connection, self._schema(generation))

    def expire(self, connection: Pg, generation: int) -> None:
        """Drop what is older than is to be kept, where the server does not do so by itself.

        Where there are chunks, whole ones: one that reaches into what is to be kept stays.
        """
        schema, found = identifier(self._schema(generation)), timescale.edition(connection)
        statement = timescale.to_expire(found, schema)
        if self.policies.drop_after_us is not None and statement:
            connection.execute(statement, (self.policies.drop_after_us,))

    def content(self, connection: Pg, generation: int) -> Iterator[content.Row]:
        """Every row as (key, content), in order of key."""
        schema = identifier(self._schema(generation))
        key = "n.text || ' ' || upper(replace(p.project::text, '-', '')) || '@' || p.position"
        query = f"""SELECT {key}, p.time_us, upper(replace(p.subject::text, '-', '')), p.value
                    FROM {schema}.points p JOIN {schema}.names n ON n.name = p.name ORDER BY ({key}) COLLATE "C" """
        for page in pages(connection, query, PAGE):
            for name_and_place, time_us, subject, value in page:
                yield content.point_row(name_and_place, time_us, subject, value)

    def _schema(self, generation: int) -> str:
        return schema_of(self.prefix, self.name, generation)


class PgSeries:
    """`Series` over the live generation."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._edition: Edition | None = None

    def names(self, project: str | None = None, as_of: AsOf = NOW) -> list[str]:
        """See `Series.names`."""
        where, values = together(("p.name = n.name", []), *_of(project), *_until(as_of))
        query = f"""SELECT text FROM {{s}}.names n WHERE EXISTS (SELECT 1 FROM {{s}}.points p WHERE {where})
                    ORDER BY text COLLATE "C" """
        return [text for (text,) in self._live.fetch(query, values)]

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
        if "\0" in name:
            return []
        code = "name = (SELECT name FROM {s}.names WHERE text = %s)"
        window: list[Clause] = [(code, [name]), ("time_us >= %s", [from_us])]
        if to_us is not None:
            window.append(("time_us < %s", [to_us]))
        where, values = together(*window, *_of(project), *_until(as_of))
        if not bucket_us:
            query = f"""SELECT time_us, 1, value, value, value, subject::text FROM {{s}}.points WHERE {where}
                        ORDER BY time_us, position LIMIT %s"""
            return [_point(row) for row in self._live.fetch(query, [*values, first])]
        start = timescale.bucket(self._found(), "%s::bigint", "time_us")
        query = f"""SELECT {start} AS start, count(*), avg(value), min(value), max(value), NULL
                    FROM {{s}}.points WHERE {where} GROUP BY start ORDER BY start LIMIT %s"""
        widths = [bucket_us] * start.count("%s")
        return [_point(row) for row in self._live.fetch(query, [*widths, *values, first])]

    def _found(self) -> Edition:
        if self._edition is None:
            self._edition = self._live.ask(lambda connection, _: timescale.edition(connection))
        return self._edition


def _of(project: str | None) -> list[Clause]:
    return [("project = %s", [uuid_of(project)])] if project else []


def _until(moment: AsOf) -> list[Clause]:
    """What was measured by this moment."""
    if moment.position is not None:
        return [("position <= %s", [moment.position])]
    return [] if moment.time_us is None else [("time_us <= %s", [moment.time_us])]


def _point(row: tuple[Any, ...]) -> Point:  # Any: typed by the schema
    time_us, count, mean, low, high, subject = row
    return Point(time_us, count, mean, low, high, None if subject is None else ResourceId(subject))
