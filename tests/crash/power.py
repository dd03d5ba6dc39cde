"""A disk that loses its power: an apsw VFS that knows which writes were made durable and which only looked written.

Everything is written through at once, so a program sees what it wrote; beside it, `Power` keeps for each file what a
disk would be sure to hold, and the writes since the last sync. A cut makes the files that could be found afterwards:
of the writes that were not synced any may be there, any missing, and one torn at a sector.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import apsw

SECTOR = 512


@dataclass
class Drive:
    """One file on the disk: what is durable, and what was written since, in order: (offset, bytes) or a new length."""

    durable: bytearray | None = None
    since: list[tuple[int, bytes] | int] = field(default_factory=list)

    def sync(self) -> None:
        """Everything written so far is durable."""
        self.durable = _applied(self.durable or bytearray(), self.since)
        self.since = []


def _applied(content: bytearray, writes: list[tuple[int, bytes] | int]) -> bytearray:
    content = bytearray(content)
    for write in writes:
        if isinstance(write, int):
            del content[write:]
            continue
        offset, data = write
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data
    return content


class Power:
    """All files under one folder, as the disk holds them; `full_at` limits how many bytes the disk takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.drives: dict[str, Drive] = {}
        self.lock = threading.Lock()
        self.syncs = 0
        self.full = False
        self.honest = True

    def drive(self, name: str) -> Drive:
        """The file of this name."""
        return self.drives.setdefault(Path(name).name, Drive())

    def cut(self, into: Path, random: Random) -> None:
        """Write what may be found after the power went, by chance one of: nothing unsynced, a beginning of it, any."""
        into.mkdir()
        with self.lock:
            mode = random.choice(("nothing", "beginning", "anything", "everything"))
            for name, drive in self.drives.items():
                content = _applied(drive.durable or bytearray(), _survivors(drive.since, mode, random))
                if drive.durable is not None or content:
                    (into / name).write_bytes(content)


def _survivors(writes: list[tuple[int, bytes] | int], mode: str, random: Random) -> list[tuple[int, bytes] | int]:
    if mode == "everything":
        return writes
    if mode == "nothing":
        return []
    if mode == "beginning":
        kept = writes[: random.randint(0, len(writes))]
        return [*kept[:-1], *_torn(kept[-1], random)] if kept else []
    return [part for write in writes for part in _torn(write, random)]


def _torn(write: tuple[int, bytes] | int, random: Random) -> list[tuple[int, bytes] | int]:
    """Those sectors of a write that were on the disk already."""
    if isinstance(write, int):
        return [write] if random.random() < 0.5 else []
    offset, data = write
    kept: list[tuple[int, bytes] | int] = []
    start = 0
    while start < len(data):
        end = min(len(data), (offset + start) // SECTOR * SECTOR + SECTOR - offset)
        if random.random() < 0.5:
            kept.append((offset + start, data[start:end]))
        start = end
    return kept


class PoweredFile(apsw.VFSFile):
    """A file whose writes are durable only when synced."""

    def __init__(self, power: Power, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._power = power
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        inside = text is not None and Path(text).parent == power.folder
        self._drive = power.drive(str(text)) if inside else None

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  # SQLite's name
        """See `VFSFile.xWrite`."""
        if self._drive is None:
            super().xWrite(data, offset)
            return
        with self._power.lock:
            if self._power.full and offset + len(data) > self.xFileSize():
                raise apsw.FullError("the disk is full")
            super().xWrite(data, offset)
            self._drive.since.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """See `VFSFile.xTruncate`."""
        if self._drive is None:
            super().xTruncate(newsize)
            return
        with self._power.lock:
            super().xTruncate(newsize)
            self._drive.since.append(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """See `VFSFile.xSync`."""
        if self._drive is not None:
            with self._power.lock:
                self._power.syncs += 1
                if self._power.honest:
                    self._drive.sync()


class PoweredVFS(apsw.VFS):
    """The file system over one `Power`; registered under a name while it lives."""

    def __init__(self, name: str, power: Power) -> None:
        self._power = power
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> PoweredFile:  # noqa: N802
        """See `VFS.xOpen`."""
        return PoweredFile(self._power, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """See `VFS.xDelete`."""
        super().xDelete(filename, syncdir)
        if Path(filename).parent == self._power.folder:
            with self._power.lock:
                self._power.drives.pop(Path(filename).name, None)
