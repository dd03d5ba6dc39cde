"""All embedded views together: where they stand, waiting for them, building them anew, comparing them."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import apsw

from domain.errors import Unavailable
from domain.ids import ProjectId
from domain.ports import EventLog
from domain.tracing import Spans
from domain.views import Difference, ViewStatus
from infra.embedded import documents, graph, series, vectors
from infra.embedded.comparing import compare, digest
from infra.embedded.database import Database
from infra.embedded.folding import PAGE, Folding, Generation
from infra.embedded.generation import live
from infra.embedded.rows import fetch_one
from infra.embedded.view import VIEWS, View
from infra.tracing import OFF
from projections import catalogue, dead_letters, jobs, lineage_graph, measurements, similarity


class SqliteViews:
    """`Views` in the same file as the log."""

    def __init__(self, database: Database, log: EventLog, views: Sequence[View] = VIEWS, *, spans: Spans = OFF) -> None:
        self._database = database
        self._log = log
        self._folding = Folding(database, log, views, spans)
        self.graph = graph.SqliteGraph(live(database, lineage_graph.NAME))
        self.vectors = vectors.SqliteVectors(live(database, similarity.NAME))
        self.series = series.SqliteSeries(live(database, measurements.NAME))
        self.documents = documents.SqliteDocuments(live(database, catalogue.NAME), log)
        self.jobs = documents.SqliteRecords(live(database, jobs.NAME), "job")
        self.dead_letters = documents.SqliteRecords(live(database, dead_letters.NAME), "dead letter")

    def catch_up(
        self, *, on_progress: Callable[[int, int], None] | None = None, stop: threading.Event | None = None
    ) -> int:
        """See `Folding.catch_up`."""
        return self._folding.catch_up(on_progress=on_progress, stop=stop)

    def unfinished(self) -> bool:
        """See `Folding.unfinished`."""
        return self._folding.unfinished()

    def sweep(self) -> None:
        """See `Folding.sweep`."""
        self._folding.sweep()

    def rebuild(self, names: Sequence[str] = (), *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Build views anew beside the live ones and switch. Raises: Malformed, for an unknown name."""
        self._folding.begin(names)
        self._folding.catch_up(on_progress=on_progress)

    def status(self) -> list[ViewStatus]:
        """See `Views.status`."""
        with self._database.read() as connection:
            generations = self._folding.generations(connection)
        head = self._log.head()
        building = {item.view.name: item for item in generations if item.state == "building"}
        live_ones = sorted((item for item in generations if item.state == "live"), key=lambda item: item.view.name)
        return [self._status(item, head, building.get(item.view.name)) for item in live_ones]

    def _status(self, item: Generation, head: int, building: Generation | None) -> ViewStatus:
        failures = [self._folding.failure(each) for each in (item, building) if each is not None]
        failure = next((each for each in failures if each), None)
        state = "failing" if failure else "live" if building is None else "rebuilding"
        lag, reached = max(0, head - item.position), None if building is None else building.position
        return ViewStatus(item.view.name, item.version, item.position, lag, state, reached, failure)

    def position(self, name: str | None = None) -> int:
        """See `Views.position`."""
        with self._database.read() as connection:
            query = "SELECT coalesce(min(position), 0) FROM views WHERE state = 'live' AND (?1 IS NULL OR name = ?1)"
            return int(fetch_one(connection, query, (name,)))

    def wait(self, position: int, timeout_s: float = 5.0, *, project: ProjectId | None = None) -> None:
        """See `Views.wait`. Views that another process keeps are looked at every few milliseconds."""
        deadline = time.monotonic() + timeout_s
        while self.position() < position:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unavailable(f"the views are at {self.position()}, not yet at {position}; try again", retry_s=1)
            with self._folding.moved:
                self._folding.moved.wait(min(left, 0.01))

    def digests(self) -> dict[str, str]:
        """See `Views.digests`."""
        with self._database.read() as connection:
            generations = [item for item in self._folding.generations(connection) if item.state == "live"]
            return {item.view.name: digest(item.view.content(connection, item.table)) for item in generations}

    def differences(self) -> Iterator[Difference]:
        """See `Views.differences`. The fresh fold lies in a temporary file and goes as far as each view has come."""
        with tempfile.TemporaryDirectory(prefix="disco-verify-") as folder:
            fresh = Database(Path(folder) / "fold.sqlite")
            try:
                with self._database.read() as connection:
                    yield from self._compared(connection, fresh)
            finally:
                fresh.close()

    def _compared(self, connection: apsw.Connection, fresh: Database) -> Iterator[Difference]:
        for item in self._folding.generations(connection):
            if item.state == "live" and item.current:
                expected = self._fresh(fresh, item)
                yield from compare(item.view.name, item.view.content(connection, item.table), expected)

    def _fresh(self, fresh: Database, item: Generation) -> Iterator[tuple[str, str]]:
        position = 0
        with fresh.write(durable=False) as connection:
            connection.execute(item.view.schema.format(t=item.table))
            rows = item.view.rows(connection, item.table, {})
            while page := self._log.read(position, limit=PAGE, upto=item.position):
                item.view.apply(rows, page)
                rows.flush()
                position = page[-1].position
        return item.view.content(fresh.reader(), item.table)
