"""The server profile put together: one process's part in an installation on servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from domain.service import Gauge, Server
from domain.views import Difference
from infra.base import BaseDisco
from infra.memory import calm_collector
from infra.pool import WorkerPool
from infra.server.direct import S3Transfers
from infra.server.health import Health
from infra.server.installation import Installation
from infra.server.recovery import mismatches
from infra.server.worker import Worker
from infra.settings import Settings
from infra.tracing import spans_of

RELAYED_S = 30.0
POSTGRESQL, KAFKA = "postgresql", "kafka"


class ServerDisco(BaseDisco):
    """`Service` over the servers that the settings name.

    run: whether this process may relay what is written to Kafka; it does when it is elected.
    """

    def __init__(self, settings: Settings, *, run: bool = True) -> None:
        spans = spans_of(settings)
        self.installation = Installation(settings, spans)
        super().__init__(
            settings,
            self.installation.log,
            self.installation.blobs,
            self.installation.views,
            self.installation.progress,
            open_blobs=self.installation.open_blobs,
            pool=WorkerPool(settings.workers, memory_bytes=settings.worker_memory_mib << 20),
            spans=spans,
        )
        self.direct = S3Transfers(self.installation.blobs)
        self._register_models()
        self._worker: Worker | None = None
        self._health = Health(self.installation.servers())
        calm_collector()
        if run:
            self.installation.relay.start()

    def work(self, *, processors: Sequence[str] | None = None, views: Sequence[str] | None = None) -> list[str]:
        """See `BaseDisco.work`."""
        self._worker = Worker(self.installation, self._pool, processors=processors, views=views)
        self._worker.start()
        return list(self._worker.hosts)

    def attend(self) -> None:
        """See `BaseDisco.attend`. Where no worker runs, this process is one until it is closed."""
        if self._worker is None and not self.installation.worked():
            self.work()

    def warm(self) -> None:
        """See `BaseDisco.warm`. Every server is asked first: to import its client and to connect takes seconds."""
        self._health.look()
        super().warm()

    def pending(self, job: str | None = None) -> int:
        """See `Service.pending`."""
        pending = self.installation.pending
        return pending.all() if job is None else pending.of(job)

    def _settled(self) -> bool:
        head = self.log.head()
        return self.pending() == 0 and self.installation.views.position() >= head == self.log.head()

    def servers(self) -> Sequence[Server]:
        """See `Service.servers`. A worker can do nothing without Kafka, where the others only write on."""
        needed = {POSTGRESQL} if self._worker is None else {POSTGRESQL, KAFKA}
        return [Server(name, fault, name in needed) for name, fault in self._health.look().items()]

    def gauges(self, *, outside: bool) -> Sequence[Gauge]:
        """See `Service.gauges`."""
        leads = Gauge("relay_leads", "1 where this process brings the outbox to Kafka.", self.installation.relay.leads)
        found = [*super().gauges(outside=outside), *self._group_gauges(), leads]
        if outside:
            waiting = self.installation.outbox()
            found.append(Gauge("outbox_events", "Events that Kafka does not have yet.", waiting))
        return found

    def _group_gauges(self) -> Iterator[Gauge]:
        for group, host in (self._worker.hosts if self._worker else {}).items():
            lags, label = host.lag().values(), {"group": group}
            behind, stalled = sum(lag.records for lag in lags), max((lag.stalled_s for lag in lags), default=0.0)
            yield Gauge("group_partitions", "Partitions of the log that this worker follows.", len(lags), label)
            yield Gauge("group_lag_records", "Records in them that are still to be taken.", behind, label)
            yield Gauge("group_stalled_seconds", "For how long one of them has got nowhere.", stalled, label)

    def rebuild(self, names: Sequence[str] = (), *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """See `Service.rebuild`."""
        self.installation.views.rebuild(names, on_progress=on_progress)

    def catch_up(self, *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """See `BaseDisco.catch_up`."""
        self.installation.relayed(RELAYED_S)
        self.installation.folding.catch_up(on_progress=on_progress)

    def differences(self) -> Iterator[Difference]:
        """See `Service.differences`. A log that is damaged itself is told alone: no view can be compared with it."""
        damage = list(mismatches(self.installation.postgres, self.installation.history))
        for mismatch in damage:
            yield Difference("events", "damaged", self.installation.postgres.where, mismatch.message)
        if not damage:
            yield from self.views.differences()

    def close(self) -> None:
        """See `Service.close`."""
        if self._worker is not None:
            self._worker.stop()
        self._pool.close()
        self._health.close()
        self.installation.close()
        self.spans.close()
