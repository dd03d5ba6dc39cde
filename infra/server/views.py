"""All views of the server profile together: where they stand, waiting for them, building them anew, comparing them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from domain.errors import Unavailable
from domain.ids import ProjectId
from domain.ports import EventLog
from domain.views import Difference, Documents, Graph, Records, Series, Vectors, ViewStatus
from infra.server import ledger, registry, verifying
from infra.server.folding import Folding
from infra.server.postgres import Postgres
from infra.server.registry import Registry
from infra.server.relay import partition_of
from infra.server.store import View

POLL_S = 0.005
SLOWEST_POLL_S = 0.02


class ServerViews:
    """`Views` over the servers."""

    def __init__(
        self,
        postgres: Postgres,
        log: EventLog,
        folding: Folding,
        known: Registry,
        views: Sequence[View],
        *,
        graph: Graph,
        vectors: Vectors,
        series: Series,
        documents: Documents,
        jobs: Records,
        dead_letters: Records,
        partitions: int,
    ) -> None:
        self._postgres = postgres
        self._log = log
        self._folding = folding
        self._known = known
        self._views = views
        self._partitions = partitions
        self.graph = graph
        self.vectors = vectors
        self.series = series
        self.documents = documents
        self.jobs = jobs
        self.dead_letters = dead_letters

    def status(self) -> list[ViewStatus]:
        """See `Views.status`."""
        with self._postgres.read(snapshot=True) as connection:
            found = registry.generations(connection)
            head = ledger.head(connection)
            marks = registry.watermarks(connection)
            failures = registry.failures(connection)
        answer = []
        for live in (each for each in found if each.state == "live"):
            ahead = [each.number for each in found if each.name == live.name and each.state == "building"]
            building = next((marks[live.name, number] for number in ahead), None)
            position = marks[live.name, live.number]
            failure = next(
                (failures[live.name, at] for at in (live.number, *ahead) if (live.name, at) in failures), None
            )
            state = "failing" if failure else "live" if building is None else "rebuilding"
            lag = max(0, head - position)
            answer.append(ViewStatus(live.name, live.version, position, lag, state, building, failure))
        return answer

    def position(self, name: str | None = None) -> int:
        """See `Views.position`."""
        with self._postgres.read() as connection:
            return registry.position(connection, name)

    def wait(self, position: int, timeout_s: float = 5.0, *, project: ProjectId | None = None) -> None:
        """See `Views.wait`."""
        deadline, pause = time.monotonic() + timeout_s, POLL_S
        partition = None if project is None else partition_of(project, self._partitions)
        while (reached := self.position() if partition is None else self._reached(partition)) < position:
            if time.monotonic() > deadline:
                raise Unavailable(f"the views are at {reached}, not yet at {position}; try again", retry_s=1)
            time.sleep(pause)
            pause = min(pause * 1.5, SLOWEST_POLL_S)
        self._known.look_again()  # what was live a moment ago may be a generation that went no further

    def _reached(self, partition: int) -> int:
        """How far the live generation has come that is furthest behind in a partition."""
        query = """SELECT coalesce(min(coalesce(c.position, 0)), 0) FROM views v
                   LEFT JOIN checkpoints c
                   ON c.name = v.name AND c.generation = v.generation AND c.partition = %s WHERE v.state = 'live'"""
        with self._postgres.read() as connection:
            row = connection.execute(query, (partition,)).fetchone()
        return int(row[0]) if row else 0

    def rebuild(self, names: Sequence[str] = (), *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Build views anew beside the live ones and switch. Raises: Malformed, for an unknown name."""
        wanted = self._folding.begin(names)
        for at, name in enumerate(wanted):
            while not self._folding.build(name, on_progress=_part(on_progress, at, len(wanted))):
                time.sleep(SLOWEST_POLL_S)  # a worker is at it
        self._known.look_again()

    def digests(self) -> dict[str, str]:
        """See `Views.digests`."""
        return verifying.digests(self._postgres, self._views)

    def differences(self) -> Iterator[Difference]:
        """See `Views.differences`."""
        return verifying.differences(self._postgres, self._views, self._log, self._partitions)


def _part(on_progress: Callable[[int, int], None] | None, at: int, parts: int) -> Callable[[int, int], None] | None:
    """Progress of one of several equal parts as progress of the whole."""
    if on_progress is None:
        return None
    return lambda done, total: on_progress(at * total + done, parts * total)
