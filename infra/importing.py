"""Imports: files and folders become projects, tracks and assets, each file on its own, several at a time."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from domain import ids
from domain.access import Actor
from domain.commands import Command, CreateProject, CreateTrack, ImportAudio, ImportNotes
from domain.errors import Conflict, DiscoError, Forbidden, Malformed, NotFound
from domain.handling import Done
from domain.ids import ProjectId, ResourceId
from domain.service import Failure, Imported, ImportReport
from domain.values import AudioFacts
from events.imports import AssetImportedAgain
from infra.pool import WorkerPool
from infra.tasks import OpenBlobs, Taken, look_at, take_in
from processors.lyrics.text import beside
from processors.media.sniff import SUFFIXES

INBOX = "Inbox"
AHEAD = 8

log_ = structlog.get_logger("import")

Execute = Callable[[Command, Actor, str | None, str | None], Done]
"""Carries out a command of an actor, of a job and under an id of its own where these are told."""
OnFile = Callable[[Imported | Failure, int, int], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an asset goes: a project, and the project itself or a track of it."""

    project: ProjectId
    container: ResourceId


@dataclass(frozen=True, slots=True)
class _File:
    """A file on its way in: `inside` is its path within the folder that was named, which is its name as a track."""

    path: Path
    inside: str
    project: str
    is_track: bool


class Importer:
    """Takes files in: checked in the workers, decided and recorded here."""

    def __init__(
        self,
        execute: Execute,
        resolve: Callable[[str], ProjectId | None],
        pool: WorkerPool,
        open_blobs: OpenBlobs,
        *,
        timeout_s: float,
    ) -> None:
        self._execute = execute
        self._resolve = resolve
        self._pool = pool
        self._open_blobs = open_blobs
        self._timeout_s = timeout_s

    def run(
        self, paths: Sequence[Path], *, actor: Actor, project: str | None, job: str | None, on_file: OnFile | None
    ) -> ImportReport:
        """See `Service.import_paths`."""
        report = ImportReport(job or str(uuid.uuid4()))
        files: list[_File | Failure] = [file for path in paths for file in _files(path, project)]
        for done, result in enumerate(self._results(files, actor, report.job), 1):
            if isinstance(result, Imported):
                report.imported.append(result)
            else:
                report.failed.append(result)
            if on_file is not None:
                on_file(result, done, len(files))
        return report

    def upload(
        self, sha256: str, name: str, place: Place, actor: Actor, command_id: str | None
    ) -> tuple[Imported, Done]:
        """See `Service.import_blob`."""
        taken = self._pool.submit(look_at, self._open_blobs, sha256, name, timeout_s=self._timeout_s).result()
        return self._record(name, taken, place, actor, command_id=command_id)

    def upload_file(
        self, path: Path, name: str, place: Place, actor: Actor, command_id: str | None
    ) -> tuple[Imported, Done]:
        """See `Service.import_upload`."""
        return self._record(name, self._taken(path, name).result(), place, actor, command_id=command_id)

    def _taken(self, path: Path, name: str, lyrics: Path | None = None) -> Future[Taken]:
        return self._pool.submit(take_in, self._open_blobs, path, name, lyrics, timeout_s=self._timeout_s)

    def _results(self, files: Sequence[_File | Failure], actor: Actor, job: str) -> Iterator[Imported | Failure]:
        """Outcomes in the order of the files, with a few of them under way."""
        under_way: deque[tuple[_File, Future[Taken]] | Failure] = deque()
        for file in files:
            if isinstance(file, Failure):
                under_way.append(file)
            else:
                under_way.append((file, self._taken(file.path, file.path.name, beside(file.path))))
            if len(under_way) > AHEAD:
                yield self._result(under_way.popleft(), actor, job)
        while under_way:
            yield self._result(under_way.popleft(), actor, job)

    def _result(self, item: tuple[_File, Future[Taken]] | Failure, actor: Actor, job: str) -> Imported | Failure:
        if isinstance(item, Failure):
            return item
        file, future = item
        try:
            taken = future.result()
            if taken.refused:
                log_.warning("lyrics_left", path=_shown(file.path), reason=taken.refused)
            project = self._project(file.project, actor, job)
            container = self._track(project, file, actor, job) if file.is_track else ResourceId(project)
            place = Place(project, container)
            return self._record(file.inside, taken, place, actor, job=job, path=str(file.path))[0]
        except DiscoError as error:
            return Failure(_shown(file.path), error.code, error.message)
        except ValidationError as error:
            why = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            return Failure(_shown(file.path), Malformed.code, f"{_shown(file.path)}: {why}; rename the file")
        except Exception as error:  # one file's trouble, whatever it is, is not the others'
            log_.error("import_failed", path=_shown(file.path), error=repr(error))
            return Failure(_shown(file.path), DiscoError.code, f"{_shown(file.path)}: {type(error).__name__}: {error}")

    def _project(self, name: str, actor: Actor, job: str) -> ProjectId:
        known = self._resolve(name)
        if known is not None:
            return known
        try:
            return ProjectId(self._execute(CreateProject(name=name), actor, job, None).resource_id)
        except Conflict:
            return ids.project_id(name)

    def _track(self, project: ProjectId, file: _File, actor: Actor, job: str) -> ResourceId:
        name = str(Path(file.inside).with_suffix(""))
        try:
            return self._execute(CreateTrack(project_id=project, name=name), actor, job, None).resource_id
        except Conflict:
            return ids.track_id(project, name)

    def _record(
        self,
        file_name: str,
        taken: Taken,
        place: Place,
        actor: Actor,
        *,
        job: str | None = None,
        command_id: str | None = None,
        path: str | None = None,
    ) -> tuple[Imported, Done]:
        done = self._execute(_command(file_name, taken, place), actor, job, command_id)
        new = bool(done.types) and AssetImportedAgain.TYPE not in done.types
        return Imported(path or file_name, done.resource_id, place.project, new), done


def _command(file_name: str, taken: Taken, place: Place) -> ImportAudio | ImportNotes:
    probed = taken.probed
    given: dict[str, Any] = {  # Any: fields of the command, checked by it
        "project_id": place.project,
        "container_id": place.container,
        "name": Path(file_name).stem or file_name,
        "file_name": file_name,
        "content": taken.content,
        "facts": probed.facts,
        "tags": probed.tags,
    }
    if isinstance(probed.facts, AudioFacts):
        return ImportAudio(**given, lyrics=taken.lyrics)
    return ImportNotes(**given, variant=probed.variant)


def _shown(path: Path) -> str:
    """A path as text that can be printed and stored: bytes that are no text are escaped."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _files(path: Path, project: str | None) -> Iterator[_File | Failure]:
    """The files that a path names: itself, or what lies in the folder under a suffix that can be imported."""
    if not path.exists():
        error = NotFound(f"there is no file or folder {path}", path=str(path))
        yield Failure(str(path), error.code, error.message)
    elif path.is_dir():
        yield from _folder(path.resolve(), project)
    elif not path.is_file():
        yield Failure(str(path), Malformed.code, f"{path} is neither a file nor a folder")
    else:
        yield _File(path, path.name, project or INBOX, is_track=False)


def _folder(root: Path, project: str | None) -> Iterator[_File | Failure]:
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or path.suffix.lower() not in SUFFIXES or path.is_dir():
            continue
        if not path.resolve().is_relative_to(root):
            yield Failure(
                str(path), Forbidden.code, f"{path} leads out of {root}; import what it points to by its own path"
            )
        else:
            yield _File(path, inside.as_posix(), project or root.name or INBOX, is_track=True)
