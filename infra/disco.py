"""The embedded profile put together: one process's view of the one file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from domain import ids
from domain.access import Actor, LocalAccess
from domain.commands import Command
from domain.errors import Malformed, Unavailable
from domain.handling import Done, execute
from domain.ids import EventId, ProjectId, ResourceId
from domain.ports import Progress
from domain.service import Failure, Imported, ImportReport
from domain.views import Difference, Filter, Kind
from events.envelope import Proposed
from infra.clock import SystemClock
from infra.embedded.blobs import FolderBlobs
from infra.embedded.checkpoints import Checkpoints
from infra.embedded.database import Database
from infra.embedded.lease import Lease
from infra.embedded.log import SqliteLog
from infra.embedded.views import SqliteViews
from infra.importing import Importer
from infra.memory import calm_collector
from infra.pool import WorkerPool
from infra.runner import Runner
from infra.settings import Settings
from infra.wiring import CONSUMERS, MODELS, PROCESSORS

POLL_S = 0.02

log_ = structlog.get_logger("disco")


class Disco:
    """`Service` over one folder; any number of processes may open the same one.

    run: whether this process may process and project (it does when it gets the runner's lease).
    """

    def __init__(self, settings: Settings, *, run: bool = True) -> None:
        try:
            settings.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"the data folder {settings.home} cannot be made: {error}; set DISCO_HOME") from error
        self.settings = settings
        self.clock = SystemClock()
        self.access = LocalAccess()
        self.blob_limit_bytes = settings.upload_limit_mib << 20
        self._database = Database(settings.database)
        self.log = SqliteLog(self._database)
        self.blobs = FolderBlobs(settings.blobs)
        self.blobs.sweep()
        self.views = SqliteViews(self._database, self.log)
        self._checkpoints = Checkpoints(self._database)
        self._pool = WorkerPool(settings.workers, memory_bytes=settings.worker_memory_mib << 20)
        self._listeners: list[Callable[[Progress], None]] = []
        self._listeners_lock = threading.Lock()
        open_blobs = partial(FolderBlobs, settings.blobs)
        self._importer = Importer(
            self._execute, self._resolve, self._pool, open_blobs, timeout_s=settings.task_timeout_s
        )
        self._register_models()
        self._runner = Runner(
            self.log,
            self.views,
            self._pool,
            self.clock,
            self._checkpoints,
            Lease(settings.database.with_suffix(".lease")),
            open_blobs=open_blobs,
            in_flight=settings.workers * 2,
            timeout_s=settings.task_timeout_s,
            report=self._report,
        )
        calm_collector()
        if run:
            self._runner.start()

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
        return execute(self.log, self.clock, command, actor=actor.name, job=job, command_id=command_id)

    def _execute(self, command: Command, actor: Actor, job: str) -> Done:
        return self.execute(command, actor=actor, job=job)

    def _resolve(self, project: str) -> ProjectId | None:
        """The project of this id or name; None where there is none and one may be made."""
        by_name = ids.project_id(project)
        if self.log.about(ResourceId(by_name)):
            return by_name
        found, _ = self.views.documents.page(Filter(kinds=(Kind.PROJECT,), name_contains=project), first=100)
        same = [document["id"] for _, document in found if document["name"] == project]
        if len(same) > 1:
            raise Malformed(f"there are {len(same)} projects named {project!r}; give the id of one", field="project")
        if same:
            return ProjectId(same[0])
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
        self, sha256: str, *, file_name: str, project_id: ProjectId, container_id: ResourceId | None, actor: Actor
    ) -> tuple[Imported, Done]:
        """See `Service.import_blob`."""
        return self._importer.upload(
            sha256, file_name=file_name, project=project_id, container=container_id, actor=actor
        )

    def import_upload(
        self, path: Path, *, file_name: str, project_id: ProjectId, container_id: ResourceId | None, actor: Actor
    ) -> tuple[Imported, Done]:
        """See `Service.import_upload`."""
        return self._importer.upload_file(
            path, file_name=file_name, project=project_id, container=container_id, actor=actor
        )

    def on_progress(self, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """See `Service.on_progress`."""
        with self._listeners_lock:
            self._listeners = [*self._listeners, listener]

        def stop() -> None:
            with self._listeners_lock:
                self._listeners = [other for other in self._listeners if other is not listener]

        return stop

    def _report(self, progress: Progress) -> None:
        for listener in self._listeners:
            try:
                listener(progress)
            except Exception as error:  # who listens must not stop the work that is told of
                log_.error("progress_listener_failed", error=repr(error))

    def pending(self, job: str | None = None) -> int:
        """See `Service.pending`."""
        if job is None:
            done = min(self._checkpoints.read(tuple(PROCESSORS)).values())
            return max(0, self.log.head() - int(done))
        document = self.views.jobs.get(job)
        due = sum(count * len(CONSUMERS.get(kind, ())) for kind, count in document["types"].items())
        answered = sum(int(count) for count in document["answered"].values())
        return max(0, int(due) + int(document["retried"]) - answered)

    def settle(self, timeout_s: float | None = None) -> bool:
        """See `Service.settle`."""
        deadline = time.monotonic() + timeout_s if timeout_s is not None else None
        while not self._settled():
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _settled(self) -> bool:
        head = self.log.head()
        return self.pending() == 0 and self.views.position() >= head == self.log.head()

    def rebuild(self, names: Sequence[str] = (), *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """See `Service.rebuild`."""
        self.views.rebuild(names, on_progress=on_progress)

    def differences(self) -> Iterator[Difference]:
        """See `Service.differences`. Damage to the log itself comes first."""
        for message in self.log.damage():
            yield Difference("events", "damaged", str(self.settings.database), message)
        yield from self.views.differences()

    def consumers(self, event_type: str) -> tuple[str, ...]:
        """See `Service.consumers`."""
        return CONSUMERS.get(event_type, ())

    def close(self) -> None:
        """See `Service.close`."""
        self._runner.ask_to_stop()
        self.log.close()  # lets go whoever waits for the next event, the runner's threads among them
        self._runner.stop()
        self._pool.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_disco(settings: Settings | None = None, *, run: bool = True) -> Disco:
    """Open the data folder that the settings name."""
    return Disco(settings or Settings(), run=run)
