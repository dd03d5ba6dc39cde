"""The measurements in TimescaleDB: one row a point in a hypertable, copied in where a generation is built anew."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

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
MEMORY = "256MB"

# A row of a binary COPY: how many fields, then each with its length before it. Source: PostgreSQL, COPY, file formats.
_ROW = struct.Struct(">hi16si16siqiqidii")
_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"

log_ = structlog.get_logger("series")


class PgSeriesRows:
    """`SeriesRows` for one page."""

    def __init__(self, connection: Pg, schema: str, *, fresh: bool) -> None:
        self._connection = connection
        self._schema = schema
        self._fresh = fresh
        self._rows: dict[str, list[tuple[str, str, int, int, float]]] = {}

    def point(self, name: str, *, project: str, subject: str, value: float, at: At) -> None:
        """See `SeriesRows.point`."""
        self._rows.setdefault(name, []).append((project, subject, at.position, at.time_us, value))

    def flush(self) -> None:
        """Write what was gathered."""
        if not self._rows:
            return
        codes = self._codes(sorted(self._rows))
        if self._fresh:
            self._copy(codes)
        else:
            self._insert(codes)
        self._rows.clear()

    def _codes(self, names: Sequence[str]) -> dict[str, int]:
        """The numbers of the names; new ones in order, for two transactions may bring the same ones."""
        query = f"SELECT text, name FROM {self._schema}.names WHERE text = ANY(%s)"
        found: dict[str, int] = dict(self._connection.execute(query, (names,)).fetchall())
        missing = [name for name in names if name not in found]
        if missing:
            insert = f"""INSERT INTO {self._schema}.names (text) SELECT text FROM unnest(%s::text[]) text
                         ORDER BY text COLLATE "C" ON CONFLICT DO NOTHING"""
            self._connection.execute(insert, (missing,))
            found.update(self._connection.execute(query, (missing,)).fetchall())
        return found

    def _copy(self, codes: dict[str, int]) -> None:
        pack = _ROW.pack
        packed = [
            pack(6, 16, key_of(project), 16, key_of(subject), 8, position, 8, time_us, 8, value, 4, codes[name])
            for name, rows in self._rows.items()
            for project, subject, position, time_us, value in rows
        ]
        copy_in(self._connection, self._schema, b"".join(packed))

    def _insert(self, codes: dict[str, int]) -> None:
        rows = [(*row, codes[name]) for name, rows in self._rows.items() for row in rows]
        query = f"""INSERT INTO {self._schema}.points ({COLUMNS})
                    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::float8[], %s::int[])
                    ON CONFLICT DO NOTHING"""
        self._connection.execute(query, [list(column) for column in zip(*rows, strict=True)])


def copy_in(connection: Pg, schema: str, packed: bytes) -> None:
    """Copy rows, packed as `_ROW`, into a generation's points."""
    query = f"COPY {schema}.points ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        copy.write(_BEGIN + packed + _END)


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

    def expire(self, connection: Pg, generation: int, before_us: int) -> None:
        """Drop what is older, by the chunk where there are chunks: one that reaches past the moment stays."""
        schema = identifier(self._schema(generation))
        if timescale.edition(connection) is Edition.NONE:
            connection.execute(f"DELETE FROM {schema}.points WHERE time_us < %s", (before_us,))
        else:
            connection.execute(f"SELECT drop_chunks('{schema}.points', older_than => %s::bigint)", (before_us,))

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
