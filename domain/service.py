"""The product as the API and the command line see it, whatever profile it runs in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from domain.access import Access, Actor
from domain.commands import Command
from domain.handling import Done
from domain.ids import ProjectId, ResourceId
from domain.ports import Blobs, Clock, DirectTransfers, EventLog, Progress
from domain.tracing import Spans
from domain.views import Difference, Views


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be imported, and why."""

    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Imported:
    """A file that is an asset now; `new` is False where the content was there before the command first came."""

    path: str
    asset_id: ResourceId
    project_id: ProjectId
    new: bool


@dataclass(slots=True)
class ImportReport:
    """What came of an import; one bad file spoils nothing else."""

    job: str
    imported: list[Imported] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that this process uses; `fault` says why it does not answer, and is None where it does.

    needed: without it this process can do nothing at all; without another, only what rests on that one fails.
    """

    name: str
    fault: str | None
    needed: bool


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number as it is at this moment, with its unit at the end of its name; labels are of few values, never ids."""

    name: str
    about: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Service(Protocol):
    """Everything a front end needs."""

    @property
    def log(self) -> EventLog:
        """The truth."""

    @property
    def blobs(self) -> Blobs:
        """Large data."""

    @property
    def direct(self) -> DirectTransfers | None:
        """Transfers past this process, where clients can reach the store of blobs themselves."""

    @property
    def views(self) -> Views:
        """What the truth says, made ready to be asked."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def spans(self) -> Spans:
        """Where work is told of, to be traced."""

    @property
    def access(self) -> Access:
        """Who may do what."""

    @property
    def blob_limit_bytes(self) -> int:
        """The largest upload."""

    def execute(self, command: Command, *, actor: Actor, job: str | None = None, command_id: str | None = None) -> Done:
        """Carry out a command. Raises: NotFound, Malformed, Conflict, Unavailable."""

    def import_paths(
        self,
        paths: Sequence[Path],
        *,
        actor: Actor,
        project: str | None = None,
        job: str | None = None,
        on_file: Callable[[Imported | Failure, int, int], None] | None = None,
    ) -> ImportReport:
        """Import files and folders: a folder becomes a project with a track a file, loose files go to `project`.

        project: a name or id, "Inbox" by default; on_file(result, done, total) is called after each file.
        Known content is recognised, so a stopped import resumes.
        """

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
        """Make an asset of an uploaded blob. Raises: Malformed, Unsupported, NotFound, Conflict."""

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
        """Make an asset of a local file that came as an upload; a bad one leaves no blob. Raises: as `import_blob`."""

    def on_progress(self, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """Hear of every step of processing, in whichever process, from any thread; returns a function that stops it."""

    def pending(self, job: str | None = None) -> int:
        """How many pieces of processing are still to come of what is in the log, of one job or of all."""

    def settle(self, timeout_s: float | None = None) -> bool:
        """Process and project until nothing is left to do; False if the time ran out.

        Where another process holds the runner's lease, waits for that one's work.
        """

    def rebuild(self, names: Sequence[str] = (), *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Build views anew from the log beside the old ones and switch; on_progress(position, head)."""

    def differences(self) -> Iterator[Difference]:
        """Compare every view with a fresh fold of the log."""

    def consumers(self, event_type: str) -> tuple[str, ...]:
        """The names of the processors that consume this type of event."""

    def processors(self) -> dict[str, str]:
        """The version of every processor there is, by its name."""

    def servers(self) -> Sequence[Server]:
        """Every server in use, asked now, in a few seconds at most; none where there is only a folder."""

    def gauges(self, *, outside: bool) -> Sequence[Gauge]:
        """How this process's parts stand; with `outside` also what has to be read, of the log. Raises: Unavailable."""

    def close(self) -> None:
        """Stop the runner, end the workers, close the files."""
