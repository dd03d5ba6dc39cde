"""Building the server profile's rows in PostgreSQL anew, against a COPY of the same rows made beforehand."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.catalogue import Catalogue
from benchmarks.figures import Bench, Measured
from benchmarks.servers import address, fresh_prefix
from events.envelope import Proposed, Recorded, encode
from infra.server.documents import catalogue_store
from infra.server.migrating import add_timescale
from infra.server.postgres import Postgres, identifier
from infra.server.series import COLUMNS, SeriesStore
from infra.server.store import View
from projections import catalogue, measurements

UNITS = 8_000
PAGE = 5_000
TIMES = 3
POINT_TYPES = ("uuid", "uuid", "int8", "int8", "float8", "int4")


def series(bench: Bench) -> Measured:
    """Points a second into a fresh generation, its indexes included."""
    with _corner() as postgres:
        view = View(SeriesStore(postgres.schema), measurements.apply)
        return _against_copy(bench, postgres, view, table="points", columns=COLUMNS, types=POINT_TYPES)


def documents(bench: Bench) -> Measured:
    """Documents a second into a fresh generation: folded, cut into words, written, indexed."""
    with _corner() as postgres:
        store = catalogue_store(postgres.schema)
        columns = ", ".join(("id", *store.shape.names, "document"))
        view = View(store, catalogue.apply)
        return _against_copy(bench, postgres, view, table="documents", columns=columns, types=())


@contextmanager
def _corner() -> Iterator[Postgres]:
    """A corner of the server for one figure."""
    postgres = Postgres(address("postgres"), prefix=fresh_prefix(), statement_s=0)
    try:
        add_timescale(postgres)
        yield postgres
    finally:
        postgres.close()


def _against_copy(
    bench: Bench,
    postgres: Postgres,
    view: View,
    *,
    table: str,
    columns: str,
    types: Sequence[str],
) -> Measured:
    """Rows a second of a rebuild, and of a COPY of what it made; both end with the readers' indexes.

    The copy gets ready rows from memory: nothing is decoded, folded or looked up for it.
    """
    proposed = bench.once("server events", lambda: list(proposed_events(bench.scaled(UNITS, least=40))))
    bench.say(f"{view.name} from {len(proposed):,} events")
    _rebuilt(postgres, view, recorded(proposed))
    rows = _held(postgres, view, table, columns, types)
    _dropped(postgres, view)
    taken: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * TIMES):
        rebuild = turn % 4 in (0, 3)
        events = recorded(proposed) if rebuild else []
        gc.collect()
        begun = time.perf_counter()
        if rebuild:
            _rebuilt(postgres, view, events)
        else:
            _copied(postgres, view, table, columns, types, rows)
        taken[rebuild].append(time.perf_counter() - begun)
        _dropped(postgres, view)
    rebuilt, copied = (len(rows) / median(taken[kind]) for kind in (True, False))
    return Measured(rebuilt, copied, f"{len(rows):,} rows of {len(proposed):,} events")


def _rebuilt(postgres: Postgres, view: View, events: Sequence[Recorded]) -> None:
    """What a rebuild does behind reading: pages folded, each in its transaction, then the indexes."""
    with postgres.transaction() as connection:
        view.store.create(connection, 1)
    for at in range(0, len(events), PAGE):
        with postgres.transaction() as connection:
            rows = view.store.rows(connection, 1, fresh=True)
            view.apply(rows, list(events[at : at + PAGE]))
            rows.flush()
    with postgres.transaction() as connection:
        view.store.finish(connection, 1)


def _copied(
    postgres: Postgres, view: View, table: str, columns: str, types: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """The bare COPY of ready rows, and the same indexes."""
    place = identifier(f"{postgres.schema}_{view.name}_1", table)
    with postgres.transaction() as connection:
        view.store.create(connection, 1)
    with postgres.transaction() as connection:
        form = " (FORMAT BINARY)" if types else ""
        with connection.cursor() as cursor, cursor.copy(f"COPY {place} ({columns}) FROM STDIN{form}") as copy:
            if types:
                copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    with postgres.transaction() as connection:
        view.store.finish(connection, 1)


def _held(
    postgres: Postgres, view: View, table: str, columns: str, types: Sequence[str]
) -> list[tuple[Any, ...]]:  # Any: typed by the schema
    """What a rebuild made, as its COPY wants it: in its types, or as text."""
    place = identifier(f"{postgres.schema}_{view.name}_1", table)
    wanted = columns if types else ", ".join(f"{name}::text" for name in columns.split(", "))
    with postgres.read() as connection:
        return connection.execute(f"SELECT {wanted} FROM {place}").fetchall()


def _dropped(postgres: Postgres, view: View) -> None:
    with postgres.transaction() as connection:
        view.store.drop(connection, 1)


def proposed_events(units: int) -> Iterator[Proposed]:
    """What happens in a catalogue of so many units."""
    for project in Catalogue(units).projects():
        yield from project.events


def recorded(events: Sequence[Proposed]) -> list[Recorded]:
    """The events as a log gives them, nothing of them decoded yet."""
    found = []
    for position, event in enumerate(events, 1):
        data = event.data
        head = (position, position, event.id, event.project, data.subject, data.TYPE, data.VERSION, event.time_us)
        found.append(
            Recorded(
                *head, event.source, event.actor, event.correlation, event.causation, event.duration_ms, encode(data)
            )
        )
    return found
