"""The embedded profile put together: one process's view of the one file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from domain.errors import Unavailable
from domain.service import Gauge
from domain.views import Difference
from infra.base import BaseDisco
from infra.embedded.blobs import FolderBlobs
from infra.embedded.checkpoints import Checkpoints
from infra.embedded.database import Database
from infra.embedded.lease import Lease
from infra.embedded.log import SqliteLog
from infra.embedded.progress import SocketProgress
from infra.embedded.views import SqliteViews
from infra.forecast import Forecast
from infra.memory import calm_collector
from infra.pool import WorkerPool
from infra.processing import Processing
from infra.runner import Runner
from infra.settings import Settings
from infra.tracing import spans_of
from infra.wiring import CONSUMERS, PROCESSORS
from projections import jobs


class Disco(BaseDisco):
    """`Service` over one folder; any number of processes may open the same one.

    run: whether this process may process and project (it does when it gets the runner's lease).
    """

    def __init__(self, settings: Settings, *, run: bool = True) -> None:
        try:
            settings.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"the data folder {settings.home} cannot be made: {error}; set DISCO_HOME") from error
        spans = spans_of(settings)
        self._database = Database(settings.database)
        self.log: SqliteLog = SqliteLog(self._database, spans)
        open_blobs = partial(FolderBlobs, settings.blobs)
        blobs = open_blobs()
        blobs.sweep()
        self.views: SqliteViews = SqliteViews(self._database, self.log, spans=spans)
        self._checkpoints = Checkpoints(self._database)
        super().__init__(
            settings,
            self.log,
            blobs,
            self.views,
            SocketProgress(settings.home / "progress"),
            open_blobs=open_blobs,
            pool=WorkerPool(settings.workers, memory_bytes=settings.worker_memory_mib << 20),
            spans=spans,
        )
        self._register_models()
        processing = Processing(
            self.log,
            self._pool,
            self.clock,
            open_blobs=open_blobs,
            in_flight=settings.workers * 2,
            timeout_s=settings.task_timeout_s,
            report=self.progress.tell,
            forecast=Forecast(self.pending, time.monotonic),
            spans=spans,
        )
        lease = Lease(settings.database.with_suffix(".lease"))
        self._runner = Runner(self.log, self.views, processing, self._checkpoints, lease)
        calm_collector()
        if run:
            self._runner.start()

    def pending(self, job: str | None = None) -> int:
        """See `Service.pending`."""
        done = int(min(self._checkpoints.read(tuple(PROCESSORS)).values()))
        if job is None:
            return max(0, self.log.head() - done)
        head = self.log.head()
        all_seen = self.views.position() >= head  # also the answers to what is done, which ask for more themselves
        document = self.views.jobs.get(job)
        return 0 if all_seen and done >= document["position"] else jobs.pending(document, CONSUMERS)

    def _settled(self) -> bool:
        head = self.log.head()
        return self.pending() == 0 and self.views.position() >= head == self.log.head()

    def attend(self) -> None:
        """See `BaseDisco.attend`. Whoever has the runner's lease does."""

    def gauges(self, *, outside: bool) -> Sequence[Gauge]:
        """See `Service.gauges`."""
        leads = Gauge("runner_leads", "1 where this process processes and projects.", self._runner.leads)
        return [*super().gauges(outside=outside), leads]

    def rebuild(self, names: Sequence[str] = (), *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """See `Service.rebuild`."""
        self.views.rebuild(names, on_progress=on_progress)

    def differences(self) -> Iterator[Difference]:
        """See `Service.differences`. Damage to the log itself comes first."""
        for message in self.log.damage():
            yield Difference("events", "damaged", str(self.settings.database), message)
        yield from self.views.differences()

    def catch_up(self, *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """See `BaseDisco.catch_up`."""
        self.views.catch_up(on_progress=on_progress)

    def close(self) -> None:
        """See `Service.close`."""
        self._runner.ask_to_stop()
        self.log.close()  # lets go whoever waits for the next event, the runner's threads among them
        self._runner.stop()
        self._pool.close()
        self.progress.close()
        self._database.close()
        self.spans.close()


def open_disco(settings: Settings | None = None, *, run: bool = True) -> Disco:
    """Open the data folder that the settings name."""
    return Disco(settings or Settings(), run=run)
