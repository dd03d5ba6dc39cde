"""Folding: the log's pages go into every generation of every view, each with its checkpoint in the same transaction."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import apsw
import structlog

from domain.errors import Corrupted, Malformed, NewerVersion, Unavailable
from domain.ports import EventLog
from domain.tracing import Spans
from events.envelope import Recorded
from infra.embedded.database import Database
from infra.embedded.generation import SCHEMA, table_of
from infra.embedded.rows import fetch, fetch_one
from infra.embedded.view import View
from infra.tracing import OFF, tell_folded

PAGE = 2_000
TRANSACTION_PAGES = 5
RETRY_S = 10.0
COLLECT_AFTER = 200_000

log_ = structlog.get_logger("views")


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of a view; `version` is that of the code that filled it."""

    view: View
    number: int
    version: int
    position: int
    state: str

    @property
    def table(self) -> str:
        """The prefix of its tables."""
        return table_of(self.view.name, self.number)

    @property
    def current(self) -> bool:
        """Whether this release may fold into it; one of another version is served as it is until replaced."""
        return self.version == self.view.version


class Folding:
    """Keeps the generations of all views and moves them forward.

    A view that cannot take an event stands still and says so; the others go on. It is tried again now and then.
    """

    def __init__(self, database: Database, log: EventLog, views: Sequence[View], spans: Spans = OFF) -> None:
        self._spans = spans
        self._database = database
        self._log = log
        self._views = {view.name: view for view in views}
        self._caches: dict[str, dict[str, Any]] = {}  # Any: each view's own
        self._failed: dict[str, tuple[str, float]] = {}
        self._turn = threading.Lock()
        self.moved = threading.Condition()
        with database.write() as connection:
            connection.execute(SCHEMA)
            for view in views:
                self._ensure(connection, view)

    def _ensure(self, connection: apsw.Connection, view: View) -> None:
        """Make the first generation of a view, or begin a rebuild beside one that an older version of it made.

        What a newer release has made, or builds, is left to that release: else the two would replace each other's.
        """
        query = "SELECT max(version) FROM views WHERE name = ? AND state != 'retired'"
        newest = fetch_one(connection, query, (view.name,))
        if newest is None or newest < view.version:
            self._begin(connection, view, "building" if newest or self._log.head() else "live")
        elif newest > view.version:
            log_.warning("left_to_newer_release", view=view.name, version=newest, ours=view.version)

    def _begin(self, connection: apsw.Connection, view: View, state: str) -> None:
        newest = fetch_one(connection, "SELECT max(generation) FROM views WHERE name = ?", (view.name,))
        number = (newest or 0) + 1
        connection.execute("UPDATE views SET state = 'retired' WHERE name = ? AND state = 'building'", (view.name,))
        made = view.schema + (view.indexes if state == "live" else "")
        connection.execute(made.format(t=table_of(view.name, number)))
        connection.execute("INSERT INTO views VALUES (?, ?, ?, 0, ?)", (view.name, number, view.version, state))

    def begin(self, names: Sequence[str] = ()) -> None:
        """Begin new generations beside the live ones. Raises: Malformed, for an unknown name."""
        for name in names:
            if name not in self._views:
                raise Malformed(f"there is no view {name!r}; there are {', '.join(self._views)}", field="view")
        with self._database.write() as connection:
            for view in self._views.values():
                if not names or view.name in names:
                    self._begin(connection, view, "building")

    def generations(self, connection: apsw.Connection) -> list[Generation]:
        """All that are live or being built, the furthest behind first."""
        rows = fetch(
            connection,
            "SELECT name, generation, version, position, state FROM views WHERE state != 'retired' ORDER BY position",
        )
        return [Generation(self._views[name], *rest) for name, *rest in rows if name in self._views]

    def failure(self, generation: Generation) -> str | None:
        """Why it stands still, if it does."""
        found = self._failed.get(generation.table)
        if found is None and generation.state == "live" and generation.version > generation.view.version:
            made = f"is of version {generation.version}, which a newer release made, and this one's is"
            return f"{made} {generation.view.version}: it leaves the view alone; upgrade it"
        return found[0] if found else None

    def catch_up(
        self, *, on_progress: Callable[[int, int], None] | None = None, stop: threading.Event | None = None
    ) -> int:
        """Fold what the log has and the views have not; return the position reached.

        A generation that has caught up while being built goes live in the same transaction as its last page.
        """
        while True:
            with self._turn, _few_collections():
                head = self._log.head()
                position = self._step(head)
            if on_progress:
                on_progress(position, head)
            if position >= head or (stop is not None and stop.is_set()):
                return position

    def _step(self, head: int) -> int:
        """Fold some pages into the generations furthest behind, in one transaction; return where the last one is."""
        with self._database.read() as connection:
            generations = [item for item in self.generations(connection) if item.current and self._due(item)]
        if not generations:
            return head
        # What people read comes first: a long rebuild must not keep the live views from the newest events.
        lagging = [item for item in generations if item.state == "live" and item.position < head]
        start = (lagging or generations)[0].position
        behind = [item for item in generations if item.position == start]
        ahead = next((item.position for item in generations if item.position > start), head)
        position = start
        try:
            pages = self._read(start, min(ahead, head))
            position = pages[-1][-1].position if pages else start
            self._fold(behind, pages, start, position, head)
        except (Corrupted, NewerVersion, Malformed) as error:
            self._stand_still(behind, error.message)
        return min([position, *(item.position for item in generations if item not in behind)])

    def _due(self, generation: Generation) -> bool:
        failed = self._failed.get(generation.table)
        return failed is None or time.monotonic() > failed[1]

    def _stand_still(self, generations: Sequence[Generation], why: str) -> None:
        for generation in generations:
            self._failed[generation.table] = (why, time.monotonic() + RETRY_S)
            log_.error("view_stands_still", view=generation.view.name, position=generation.position, why=why)

    def _read(self, start: int, upto: int) -> list[list[Recorded]]:
        """The next pages, up to the first event that cannot be read; what that one raises, if it is the next."""
        pages: list[list[Recorded]] = []
        size = PAGE
        while start < upto and len(pages) < TRANSACTION_PAGES:
            try:
                page = self._log.read(start, limit=size, upto=upto)
                for event in page:
                    event.look()  # decoded before the write lock is taken
            except (Corrupted, NewerVersion, Malformed):
                if pages:
                    return pages
                if size == 1:
                    raise
                size = max(1, size // 8)
                continue
            if not page:
                break
            pages.append(page)
            start = page[-1].position
        return pages

    def _fold(
        self, behind: list[Generation], pages: list[list[Recorded]], start: int, position: int, head: int
    ) -> None:
        """Fold pages into generations together; if that fails, into each on its own, so that one holds up no other."""
        began_us = self._spans.now_us()
        try:
            caches = self._folded(behind, pages, start, position, head)
        except (Unavailable, Corrupted):
            raise
        except Exception as error:
            if len(behind) > 1:
                for generation in behind:
                    self._fold([generation], pages, start, position, head)
                return
            why = f"cannot take the events {start + 1} to {position}: {type(error).__name__}: {error}"
            self._stand_still(behind, why)
            return
        self._caches |= caches
        for table in caches:
            self._failed.pop(table, None)
        for generation in behind if self._spans.on else ():
            if generation.table in caches and generation.state == "live":
                tell_folded(self._spans, generation.view.name, chain.from_iterable(pages), began_us)
        with self.moved:
            self.moved.notify_all()

    def _folded(
        self, behind: list[Generation], pages: list[list[Recorded]], start: int, position: int, head: int
    ) -> dict[str, dict[str, Any]]:  # Any: each view's own
        """Fold in one transaction; return the caches that hold now that it is committed."""
        caches: dict[str, dict[str, Any]] = {}
        with self._database.write(durable=False) as connection:
            found = {item.table: item for item in self.generations(connection)}
            live = {item.view.name: item.position for item in found.values() if item.state == "live"}
            for generation in behind:
                now = found.get(generation.table)
                cache = self._caches.pop(generation.table, {})
                if now is None or now.position != start:
                    continue  # another process was faster
                caches[generation.table] = cache
                rows = generation.view.rows(connection, generation.table, cache)
                for page in pages:
                    generation.view.apply(rows, page)
                    rows.flush()
                query = "UPDATE views SET position = ? WHERE name = ? AND generation = ?"
                connection.execute(query, (position, generation.view.name, generation.number))
                if generation.state == "building" and position >= max(head, live.get(generation.view.name, 0)):
                    _switch(connection, generation)
        return caches

    def sweep(self) -> None:
        """Drop the tables of generations that were replaced, each in a short transaction of its own."""
        with self._database.read() as connection:
            retired = fetch(connection, "SELECT name, generation FROM views WHERE state = 'retired'")
        for name, number in retired:
            table = table_of(name, number)
            for suffix in self._views[name].tables if name in self._views else ():
                with self._database.write(durable=False) as connection:
                    connection.execute(f"DROP TABLE IF EXISTS {table}_{suffix}")
            with self._database.write(durable=False) as connection:
                connection.execute("DELETE FROM views WHERE name = ? AND generation = ?", (name, number))
            self._caches.pop(table, None)
            self._failed.pop(table, None)

    def unfinished(self) -> bool:
        """Whether some view is being built beside its live generation, or stands still and waits to be tried again."""
        with self._database.read() as connection:
            building = fetch_one(connection, "SELECT 1 FROM views WHERE state = 'building' LIMIT 1")
        return building is not None or bool(self._failed)


@contextmanager
def _few_collections() -> Iterator[None]:
    """A page is many objects without a cycle; looking for cycles at the usual pace takes a fifth of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _switch(connection: apsw.Connection, generation: Generation) -> None:
    name = generation.view.name
    connection.execute(generation.view.indexes.format(t=generation.table))
    connection.execute("UPDATE views SET state = 'retired' WHERE name = ? AND state = 'live'", (name,))
    connection.execute("UPDATE views SET state = 'live' WHERE name = ? AND generation = ?", (name, generation.number))
