"""The whole log out of a data folder, and into one: a backup, a move, a way from one profile to another."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from api.access import requires
from api.cli import archive
from api.cli.progress import Tell, bar
from api.cli.shell import Shell
from api.cli.verbs import verb
from domain.access import Permission
from domain.errors import Corrupted, Malformed

if TYPE_CHECKING:
    from domain.ports import Blobs, EventLog
    from events.envelope import Proposed
    from infra.settings import Settings

PAGE = 500
PART_BYTES = 8 << 20
BATCH = 1000
CHUNK_BYTES = 1 << 20


@verb("Operate", example="disco export backup.tar.gz")
@requires(Permission.OPERATE)
def export(
    shell: Shell,
    file: Annotated[Path, typer.Argument(help="A .tar or .tar.gz; any other name makes a folder.")],
) -> None:
    """Write the whole log as CloudEvents, with all blobs, to one archive."""
    with shell.service(fresh=False) as service, archive.writing(file) as writer, bar(shell, "Exporting") as progress:
        head = service.log.head()
        names = sorted(service.blobs.names())
        told = {"format": archive.FORMAT, "events": head, "blobs": len(names)}
        archive.add_bytes(writer, archive.MANIFEST, json.dumps(told, indent=2).encode())
        for done, name in enumerate(names, 1):
            _write_blob(writer, service.blobs, name)
            progress(done, head + len(names))
        for number, (part, position) in enumerate(_parts(service.log, head), 1):
            archive.add_bytes(writer, f"events/{number:06}.jsonl", part)
            progress(len(names) + position, head + len(names))
    answer = {**told, "path": file}
    shell.answer(answer, lambda console: console.print(f"{file}: {head:,} events, {len(names):,} blobs", markup=False))


def _write_blob(writer: archive.Writer, blobs: Blobs, name: str) -> None:
    with blobs.open(name) as file:
        checked = _Checked(file)
        writer.add(f"blobs/{name[:2]}/{name}", blobs.size(name), checked)  # type: ignore[arg-type]  # read is all it needs
    if checked.sha256 != name:
        raise Corrupted(f"the blob {name} does not match its name; restore it from a backup", sha256=name)


class _Checked:
    """A file that is hashed as it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _parts(log: EventLog, head: int) -> Iterator[tuple[bytes, int]]:
    """The log as parts of lines, each with the position it goes up to."""
    import orjson

    from events.envelope import to_cloudevent

    part, position = io.BytesIO(), 0
    while page := log.read(position, limit=PAGE, upto=head):
        position = page[-1].position
        part.writelines(orjson.dumps(to_cloudevent(event), option=orjson.OPT_APPEND_NEWLINE) for event in page)
        if part.tell() > PART_BYTES:
            yield part.getvalue(), position
            part = io.BytesIO()
    if part.tell():
        yield part.getvalue(), position


@verb("Operate", name="import-log", example="disco import-log backup.tar.gz --home ~/elsewhere")
@requires(Permission.OPERATE)
def import_log(
    shell: Shell,
    file: Annotated[Path, typer.Argument(help="What disco export wrote.")],
) -> None:
    """Read an archive into a data folder, empty or not; what is there already stays as it is."""
    with bar(shell, "Importing the log") as progress:
        counted = _import(shell.settings, file, progress)
    with shell.service() as service:
        answer = {**counted, "head": service.log.head(), "digests": service.views.digests()}
        told = f"{counted['events']:,} events ({counted['new_events']:,} new), {counted['blobs']:,} blobs"
        told += f" ({counted['new_blobs']:,} new); the log's head is {answer['head']:,}"
        shell.answer(answer, lambda console: console.print(told))


def _import(settings: Settings, file: Path, progress: Tell) -> dict[str, int]:
    """Read an archive while nobody processes: the answers to its events are in it."""
    from infra.opening import open_to_archive

    with open_to_archive(settings) as (log, blobs), archive.reading(file) as members:
        return _Import(log, blobs, file, progress).run(members)


class _Import:
    """One archive on its way in."""

    def __init__(self, log: EventLog, blobs: Blobs, file: Path, progress: Tell) -> None:
        self._log = log
        self._blobs = blobs
        self._file = file
        self._progress = progress
        self._counted = {"events": 0, "new_events": 0, "blobs": 0, "new_blobs": 0}

    def run(self, members: Iterator[tuple[str, int, BinaryIO]]) -> dict[str, int]:
        name, _, content = next(members, ("", 0, io.BytesIO()))
        if name != archive.MANIFEST:
            raise Malformed(f"{self._file} is no archive of ours: it does not begin with {archive.MANIFEST}")
        told = archive.read_manifest(content.read(CHUNK_BYTES), self._file)
        total = told["events"] + told["blobs"]
        for name, _, content in members:
            if blob := archive.BLOB.match(name):
                self._blob(blob[1], content)
            elif archive.PART.match(name):
                self._part(name, content, total)
            self._progress(self._counted["events"] + self._counted["blobs"], total)
        for what in ("events", "blobs"):
            if self._counted[what] != told[what]:
                raise Malformed(
                    f"{self._file} is cut short: it holds {self._counted[what]:,} of {told[what]:,} {what}; what was "
                    "read is kept, import a whole archive to complete it"
                )
        return self._counted

    def _blob(self, sha256: str, content: BinaryIO) -> None:
        checked = _Checked(content)
        chunks = iter(lambda: checked.read(CHUNK_BYTES), b"")
        if self._blobs.has(sha256):
            for _ in chunks:
                pass
        else:
            self._blobs.put_stream(_whole(chunks, checked, sha256, self._file), "application/octet-stream")
            self._counted["new_blobs"] += 1
        self._counted["blobs"] += 1

    def _part(self, name: str, content: BinaryIO, total: int) -> None:
        for batch in _batches(self._events(name, content)):
            appended = self._log.append(batch)
            self._counted["events"] += len(batch)
            self._counted["new_events"] += appended.written
            self._progress(self._counted["events"] + self._counted["blobs"], total)

    def _events(self, name: str, content: BinaryIO) -> Iterator[Proposed]:
        import orjson

        from events.envelope import from_cloudevent

        for number, line in enumerate(content, 1):
            where = f"{self._file}: {name}, line {number}"
            try:
                envelope: dict[str, Any] = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise Malformed(f"{where}: not JSON: {error}") from error
            yield from_cloudevent(envelope, where=where)


def _whole(chunks: Iterable[bytes], checked: _Checked, sha256: str, file: Path) -> Iterator[bytes]:
    """The chunks; at their end an error where they are not what they are named, so that nothing of them is kept."""
    yield from chunks
    if checked.sha256 != sha256:
        raise Corrupted(f"{file}: the blob {sha256} does not match its name; take another copy", sha256=sha256)


def _batches(events: Iterable[Proposed]) -> Iterator[list[Proposed]]:
    """Neighbours of one project together, in order."""
    for _, group in groupby(events, key=lambda event: event.project):
        batch: list[Proposed] = []
        for event in group:
            batch.append(event)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch
