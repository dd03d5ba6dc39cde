"""What a service does in every profile, over whatever holds its log, views and blobs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from domain import ids
from domain.access import Actor, LocalAccess
from domain.analyses import carry_out
from domain.commands import Command
from domain.errors import Malformed
from domain.handling import Done
from domain.ids import EventId, ProjectId, ResourceId
from domain.ports import Blobs, DirectTransfers, EventLog, Progress, ProgressFeed
from domain.service import Failure, Gauge, Imported, ImportReport, Server
from domain.tracing import Spans, doing
from domain.views import Difference, Filter, Kind, Views
from events.envelope import Proposed
from infra.clock import SystemClock
from infra.importing import Importer, Place
from infra.pool import WorkerPool
from infra.settings import Settings
from infra.tasks import OpenBlobs
from infra.wiring import CONSUMERS, MODELS, PROCESSORS, WARM

POLL_S = 0.02


class BaseDisco(ABC):
    """`Service`, but for what depends on the profile."""

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        blobs: Blobs,
        views: Views,
        progress: ProgressFeed,
        *,
        open_blobs: OpenBlobs,
        pool: WorkerPool,
        spans: Spans,
    ) -> None:
        self.settings = settings
        self.spans = spans
        self.clock = SystemClock()
        self.access = LocalAccess()
        self.blob_limit_bytes = settings.upload_limit_mib << 20
        self.log = log
        self.blobs = blobs
        self.direct: DirectTransfers | None = None
        self.views = views
        self.progress = progress
        self._pool = pool
        self._importer = Importer(
            self._execute, self._resolve, self._pool, open_blobs, timeout_s=settings.task_timeout_s
        )

    def _register_models(self) -> None:
        proposals = [
            Proposed(
                id=EventId(ids.derived("registered", model.model_version_id)),
                project=ids.LIBRARY,
                data=model,
                time_us=self.clock.now_us(),
                source="/models",
                actor="disco",
                correlation=ids.LIBRARY,
            )
            for model in MODELS
        ]
        known = self.log.places([proposal.id for proposal in proposals])
        if len(known) < len(proposals):
            self.log.append(proposals)

    def execute(self, command: Command, *, actor: Actor, job: str | None = None, command_id: str | None = None) -> Done:
        """See `Service.execute`."""
        by = actor.name
        with doing(self.spans, f"command {type(command).__name__}") as work:
            done = carry_out(self.log, self.views, self.clock, command, actor=by, job=job, command_id=command_id)
            if work is not None:
                work.belongs_to(done.job)
                work.attributes |= {"disco.written": done.written, "disco.resource": done.resource_id}
            return done

    def _execute(self, command: Command, actor: Actor, job: str | None, command_id: str | None) -> Done:
        return self.execute(command, actor=actor, job=job, command_id=command_id)

    def _resolve(self, project: str) -> ProjectId | None:
        """The project of this id or name; None where there is none and one may be made."""
        by_name = ids.project_id(project)
        if self.log.about(ResourceId(by_name)):
            return by_name
        same, _ = self.views.documents.page(Filter(kinds=(Kind.PROJECT,), name=project), first=2)
        if len(same) > 1:
            raise Malformed(f"there are several projects named {project!r}; give the id of one", field="project")
        if same:
            return ProjectId(same[0][1]["id"])
        try:
            id = ids.parse_id(project)
        except Malformed:
            return None
        return ProjectId(id) if self.log.about(id) else None

    def import_paths(
        self,
        paths: Sequence[Path],
        *,
        actor: Actor,
        project: str | None = None,
        job: str | None = None,
        on_file: Callable[[Imported | Failure, int, int], None] | None = None,
    ) -> ImportReport:
        """See `Service.import_paths`."""
        return self._importer.run(paths, actor=actor, project=project, job=job, on_file=on_file)

    def import_blob(
        self,
        sha256: str,
        *,
        file_name: str,
        project_id: ProjectId,
        container_id: ResourceId | None,
        actor: Actor,
        command_id: str | None = None,
    ) -> tuple[Imported, Done]:
        """See `Service.import_blob`."""
        place = Place(project_id, container_id or ResourceId(project_id))
        return self._importer.upload(sha256, Path(file_name).name, place, actor, command_id)

    def import_upload(
        self,
        path: Path,
        *,
        file_name: str,
        project_id: ProjectId,
        container_id: ResourceId | None,
        actor: Actor,
        command_id: str | None = None,
    ) -> tuple[Imported, Done]:
        """See `Service.import_upload`."""
        place = Place(project_id, container_id or ResourceId(project_id))
        return self._importer.upload_file(path, Path(file_name).name, place, actor, command_id)

    def on_progress(self, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """See `Service.on_progress`."""
        return self.progress.listen(listener)

    @abstractmethod
    def pending(self, job: str | None = None) -> int:
        """See `Service.pending`."""

    @abstractmethod
    def rebuild(self, names: Sequence[str] = (), *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """See `Service.rebuild`."""

    @abstractmethod
    def differences(self) -> Iterator[Difference]:
        """See `Service.differences`."""

    @abstractmethod
    def catch_up(self, *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Bring the views to the log's head, where nobody else does it. Raises: Unavailable."""

    def work(self, *, processors: Sequence[str] | None = None, views: Sequence[str] | None = None) -> list[str]:
        """Be a worker from now on, for these processors and views or all; the names of the groups it joins.

        Raises: Malformed, for an unknown name, or where the profile knows no workers.
        """
        raise Malformed("workers are of the server profile; in this one, disco serve does the work", field="profile")

    @abstractmethod
    def attend(self) -> None:
        """See that somebody answers events, so that it makes sense to wait for answers."""

    def warm(self) -> None:
        """Start the first workers in the background, so that the first import need not wait for what they import."""
        self._pool.warm(*WARM, count=self.settings.warm_workers)

    @abstractmethod
    def close(self) -> None:
        """See `Service.close`."""

    def settle(self, timeout_s: float | None = None) -> bool:
        """See `Service.settle`."""
        deadline = time.monotonic() + timeout_s if timeout_s is not None else None
        while not self._settled():
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    @abstractmethod
    def _settled(self) -> bool:
        """Whether nothing is left to process or project."""

    def consumers(self, event_type: str) -> tuple[str, ...]:
        """See `Service.consumers`."""
        return CONSUMERS.get(event_type, ())

    def processors(self) -> dict[str, str]:
        """See `Service.processors`."""
        return {name: processor.version for name, processor in PROCESSORS.items()}

    def servers(self) -> Sequence[Server]:
        """See `Service.servers`."""
        return ()

    def gauges(self, *, outside: bool) -> Sequence[Gauge]:
        """See `Service.gauges`."""
        busy, size = self._pool.busy(), self.settings.workers
        pool = [
            Gauge("pool_busy_processes", "Worker processes with a task at hand.", busy),
            Gauge("pool_size_processes", "Worker processes there may be.", size),
        ]
        if not outside:
            return pool
        letters = self.views.dead_letters.count()
        return [
            *pool,
            Gauge("log_head_position", "The last position of the log.", self.log.head()),
            Gauge("dead_letters", "Pieces of processing that were given up and not tried again since.", letters),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
