"""All embedded views: folded from the log page by page, rebuilt beside the live ones, compared with a fresh fold."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import apsw

from domain.errors import Malformed, Unavailable
from domain.ports import EventLog
from domain.views import Difference, ViewStatus
from events.envelope import Recorded
from infra.embedded import documents, graph, series, vectors
from infra.embedded.database import Database
from infra.embedded.generation import SCHEMA, live, table_of
from infra.embedded.rows import fetch, fetch_one
from projections import catalogue, dead_letters, jobs, lineage_graph, measurements, similarity

PAGE = 2_000
TRANSACTION_PAGES = 5


class Rows(Protocol):
    """What a projection writes to, gathered until flushed."""

    def flush(self) -> None:
        """Write what was gathered."""


@dataclass(frozen=True, slots=True)
class View:
    """One view: how its tables are made, filled and read back.

    `rows` is given a connection, the prefix of the tables, and a cache that lives as long as no transaction fails.
    """

    name: str
    version: int
    schema: str
    tables: tuple[str, ...]
    rows: Callable[[apsw.Connection, str, dict[str, Any]], Any]  # Any: the rows this view's projection takes
    apply: Callable[[Any, list[Recorded]], None]  # Any: the same
    content: Callable[[apsw.Connection, str], Iterator[tuple[str, str]]]


def _record(module: Any) -> View:  # Any: a projection module
    return View(
        module.NAME,
        module.VERSION,
        documents.RECORDS,
        documents.RECORD_TABLES,
        lambda connection, table, cache: documents.record_rows(connection, table),
        module.apply,
        documents.content,
    )


VIEWS: tuple[View, ...] = (
    View(
        lineage_graph.NAME,
        lineage_graph.VERSION,
        graph.SCHEMA,
        graph.TABLES,
        graph.SqliteGraphRows,
        lineage_graph.apply,
        graph.content,
    ),
    View(
        similarity.NAME,
        similarity.VERSION,
        vectors.SCHEMA,
        vectors.TABLES,
        lambda connection, table, cache: vectors.SqliteVectorRows(connection, table),
        similarity.apply,
        vectors.content,
    ),
    View(
        measurements.NAME,
        measurements.VERSION,
        series.SCHEMA,
        series.TABLES,
        lambda connection, table, cache: series.SqliteSeriesRows(connection, table),
        measurements.apply,
        series.content,
    ),
    View(
        catalogue.NAME,
        catalogue.VERSION,
        documents.RESOURCES,
        documents.RESOURCE_TABLES,
        lambda connection, table, cache: documents.resource_rows(connection, table),
        catalogue.apply,
        documents.content,
    ),
    _record(jobs),
    _record(dead_letters),
)


@dataclass(slots=True)
class _Building:
    view: View
    generation: int
    position: int
    state: str

    @property
    def table(self) -> str:
        return table_of(self.view.name, self.generation)


class SqliteViews:
    """`Views` in the same file as the log."""

    def __init__(self, database: Database, log: EventLog, views: Sequence[View] = VIEWS) -> None:
        self._database = database
        self._log = log
        self._views = {view.name: view for view in views}
        self._caches: dict[str, dict[str, Any]] = {}
        self._moved = threading.Condition()
        with database.write() as connection:
            connection.execute(SCHEMA)
            for view in views:
                self._ensure(connection, view)
        self.graph = graph.SqliteGraph(live(database, lineage_graph.NAME))
        self.vectors = vectors.SqliteVectors(live(database, similarity.NAME))
        self.series = series.SqliteSeries(live(database, measurements.NAME))
        self.documents = documents.SqliteDocuments(live(database, catalogue.NAME))
        self.jobs = documents.SqliteRecords(live(database, jobs.NAME), "job")
        self.dead_letters = documents.SqliteRecords(live(database, dead_letters.NAME), "dead letter")

    def _ensure(self, connection: apsw.Connection, view: View) -> None:
        """Make the first generation of a view, or begin a rebuild beside it where its version is not this one."""
        rows = fetch(connection, "SELECT version, state FROM views WHERE name = ?", (view.name,))
        if any(version == view.version and state in ("live", "building") for version, state in rows):
            return
        has_live = any(state == "live" for _, state in rows)
        self._begin(connection, view, "building" if has_live else "live")

    def _begin(self, connection: apsw.Connection, view: View, state: str) -> None:
        newest = fetch_one(connection, "SELECT max(generation) FROM views WHERE name = ?", (view.name,))
        generation = (newest or 0) + 1
        connection.execute("UPDATE views SET state = 'retired' WHERE name = ? AND state = 'building'", (view.name,))
        connection.execute(view.schema.format(t=table_of(view.name, generation)))
        connection.execute("INSERT INTO views VALUES (?, ?, ?, 0, ?)", (view.name, generation, view.version, state))

    # Folding

    def catch_up(
        self, *, on_progress: Callable[[int, int], None] | None = None, stop: threading.Event | None = None
    ) -> int:
        """Fold what the log has and the views have not, generations being built included; return the position reached.

        Generations that have caught up while being built go live in the same transaction as their last page.
        """
        while True:
            head = self._log.head()
            position = self._pages(head)
            if on_progress:
                on_progress(position, head)
            if position >= head or (stop is not None and stop.is_set()):
                return position

    def _generations(self, connection: apsw.Connection) -> list[_Building]:
        rows = fetch(
            connection,
            "SELECT name, generation, position, state FROM views WHERE state IN ('live', 'building') ORDER BY position",
        )
        return [
            _Building(self._views[name], generation, position, state)
            for name, generation, position, state in rows
            if name in self._views
        ]

    def _pages(self, head: int) -> int:
        """Fold some pages into those generations that are furthest behind, in one transaction."""
        with self._database.read() as connection:
            generations = self._generations(connection)
        start = generations[0].position
        behind = [generation for generation in generations if generation.position == start]
        ahead = next((generation.position for generation in generations if generation.position > start), head)
        pages: list[list[Recorded]] = []
        position, upto = start, min(ahead, head)
        while position < upto and len(pages) < TRANSACTION_PAGES:
            pages.append(self._log.read(position, limit=PAGE, upto=upto))
            if not pages[-1]:
                break
            position = pages[-1][-1].position
        for page in pages:
            for event in page:
                event.json  # noqa: B018  # decoded before the write lock is taken
        self._fold(behind, pages, start, position, head)
        return position

    def _fold(self, behind: list[_Building], pages: list[list[Recorded]], start: int, position: int, head: int) -> None:
        try:
            with self._database.write(durable=False) as connection:
                current = {(item.view.name, item.generation): item for item in self._generations(connection)}
                for generation in behind:
                    now = current.get((generation.view.name, generation.generation))
                    if now is None or now.position != start:
                        continue  # another process was faster
                    self._apply(connection, generation, pages)
                    connection.execute(
                        "UPDATE views SET position = ? WHERE name = ? AND generation = ?",
                        (position, generation.view.name, generation.generation),
                    )
                    if generation.state == "building" and position >= head:
                        self._switch(connection, generation)
        except BaseException:
            self._caches.clear()
            raise
        self._drop_retired()
        with self._moved:
            self._moved.notify_all()

    def _apply(self, connection: apsw.Connection, generation: _Building, pages: Iterable[list[Recorded]]) -> None:
        cache = self._caches.setdefault(generation.table, {})
        rows = generation.view.rows(connection, generation.table, cache)
        for page in pages:
            generation.view.apply(rows, page)
            rows.flush()

    def _switch(self, connection: apsw.Connection, generation: _Building) -> None:
        name = generation.view.name
        connection.execute("UPDATE views SET state = 'retired' WHERE name = ? AND state = 'live'", (name,))
        connection.execute(
            "UPDATE views SET state = 'live' WHERE name = ? AND generation = ?", (name, generation.generation)
        )

    def _drop_retired(self) -> None:
        with self._database.read() as connection:
            retired = fetch(connection, "SELECT name, generation FROM views WHERE state = 'retired'")
        for name, generation in retired:
            view = self._views.get(name)
            with self._database.write(durable=False) as connection:
                for suffix in view.tables if view else ():
                    connection.execute(f"DROP TABLE IF EXISTS {table_of(name, generation)}_{suffix}")
                connection.execute("DELETE FROM views WHERE name = ? AND generation = ?", (name, generation))
            self._caches.pop(table_of(name, generation), None)

    def rebuild(self, names: Sequence[str] = (), *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Build views anew beside the live ones and switch. Raises: Malformed, for an unknown name."""
        for name in names:
            if name not in self._views:
                raise Malformed(f"there is no view {name!r}; there are {', '.join(self._views)}", field="view")
        with self._database.write() as connection:
            for view in self._views.values():
                if not names or view.name in names:
                    self._begin(connection, view, "building")
        self.catch_up(on_progress=on_progress)

    def building(self) -> bool:
        """Whether some view is being built beside its live generation."""
        with self._database.read() as connection:
            return fetch_one(connection, "SELECT 1 FROM views WHERE state = 'building' LIMIT 1") is not None

    # Standing

    def status(self) -> list[ViewStatus]:
        """See `Views.status`."""
        with self._database.read() as connection:
            generations = self._generations(connection)
        head = self._log.head()
        building = {item.view.name: item.position for item in generations if item.state == "building"}
        return [
            ViewStatus(
                item.view.name,
                item.view.version,
                item.position,
                max(0, head - item.position),
                "rebuilding" if item.view.name in building else "live",
                building.get(item.view.name),
            )
            for item in sorted(generations, key=lambda item: item.view.name)
            if item.state == "live"
        ]

    def position(self) -> int:
        """The position that every live view has come to."""
        with self._database.read() as connection:
            return int(connection.execute("SELECT coalesce(min(position), 0) FROM views WHERE state = 'live'").get)

    def wait(self, position: int, timeout_s: float = 5.0) -> None:
        """See `Views.wait`. Views that another process keeps are looked at every few milliseconds."""
        deadline = time.monotonic() + timeout_s
        while self.position() < position:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unavailable(f"the views are at {self.position()}, not yet at {position}; try again", retry_s=1)
            with self._moved:
                self._moved.wait(min(left, 0.01))

    # Comparing

    def digests(self) -> dict[str, str]:
        """See `Views.digests`."""
        with self._database.read() as connection:
            generations = [item for item in self._generations(connection) if item.state == "live"]
        return {item.view.name: digest(item.view.content(self._database.reader(), item.table)) for item in generations}

    def differences(self) -> Iterator[Difference]:
        """See `Views.differences`. The fresh fold lies in a temporary file and goes as far as each view has come."""
        with tempfile.TemporaryDirectory(prefix="disco-verify-") as folder:
            fresh = Database(Path(folder) / "fold.sqlite")
            try:
                with self._database.read() as connection:
                    generations = [item for item in self._generations(connection) if item.state == "live"]
                    for item in generations:
                        expected = self._fresh(fresh, item)
                        actual = item.view.content(connection, item.table)
                        yield from _compare(item.view.name, actual, expected)
            finally:
                fresh.close()

    def _fresh(self, fresh: Database, item: _Building) -> Iterator[tuple[str, str]]:
        position = 0
        with fresh.write(durable=False) as connection:
            connection.execute(item.view.schema.format(t=item.table))
            rows = item.view.rows(connection, item.table, {})
            while page := self._log.read(position, limit=PAGE, upto=item.position):
                item.view.apply(rows, page)
                rows.flush()
                position = page[-1].position
        return item.view.content(fresh.reader(), item.table)


def digest(content: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the rows in order of key."""
    total = hashlib.sha256()
    for key, value in content:
        total.update(f"{key}\x1f{value}\x1e".encode())
    return total.hexdigest()


def _compare(view: str, actual: Iterator[tuple[str, str]], expected: Iterator[tuple[str, str]]) -> Iterator[Difference]:
    left, right = next(actual, None), next(expected, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None  # noqa: S101  # one of the two is there
            yield Difference(view, "ghost", left[0], left[1])
            left = next(actual, None)
        elif left is None or right[0] < left[0]:
            yield Difference(view, "missing", right[0], right[1])
            right = next(expected, None)
        else:
            if left[1] != right[1]:
                yield Difference(view, "changed", left[0], f"is {left[1]}, should be {right[1]}")
            left, right = next(actual, None), next(expected, None)
