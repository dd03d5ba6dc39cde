"""Copies of blobs on this machine's disk: hashed when they come, bounded, shared by any number of processes."""

from __future__ import annotations

import fcntl
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from domain.errors import Corrupted
from infra import spool

HELD = 32


class BlobCache:
    """Files named by their sha256, the least recently used removed once they take more than `limit_bytes`.

    A file that was asked for stays as long as it is among the last `HELD` that this object gave out: a shared lock on
    it, which ends with the process, keeps others from removing it. What is in use may therefore pass the limit.
    """

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self.root = root
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[str, BinaryIO] = OrderedDict()
        root.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path | None:
        """The file of this name, held; None where there is none."""
        final = self._file(sha256)
        with self._lock:
            held = self._held.get(sha256)
            if held is not None and _linked(held):
                self._hold(sha256, held)
                return final
        try:
            file = final.open("rb")
        except FileNotFoundError:
            return None
        fcntl.flock(file, fcntl.LOCK_SH)
        if not _linked(file):  # removed between the two
            file.close()
            return None
        with self._lock:
            self._hold(sha256, file)
        return final

    def _hold(self, sha256: str, file: BinaryIO) -> None:
        os.utime(file.fileno())
        self._held[sha256] = file
        self._held.move_to_end(sha256)
        while len(self._held) > HELD:
            self._held.popitem(last=False)[1].close()

    def fill(self, sha256: str, size_bytes: int, chunks: Iterable[bytes]) -> Path:
        """Take in what comes under this name. Raises: Corrupted, if it has another hash; Unavailable."""
        self.make_room(size_bytes)
        with spool.spooled(self.root, chunks) as copy:
            if copy.sha256 != sha256:
                raise Corrupted(
                    f"what the store gives as blob {sha256} hashes to {copy.sha256}; restore it from a backup",
                    sha256=sha256,
                )
            return self.adopt(copy)

    def adopt(self, copy: spool.Spooled) -> Path:
        """Take in a copy that lies in this folder. Raises: Unavailable."""
        with spool.disk_errors(self.root):
            final = self._file(copy.sha256)
            final.parent.mkdir(exist_ok=True)
            file = copy.path.open("rb")
            fcntl.flock(file, fcntl.LOCK_SH)  # held from before it can be found
            os.fsync(file.fileno())  # a power cut must not leave a name without its content
            while not _linked_to(copy.path, final):
                found = self.path(copy.sha256)
                if found is not None:
                    file.close()
                    return found
            copy.path.unlink()
            with self._lock:
                self._hold(copy.sha256, file)
        self.make_room(0)
        return final

    def make_room(self, size_bytes: int) -> None:
        """Remove what was not used for longest and is not held, until so many bytes more are within the limit."""
        with spool.disk_errors(self.root), self._alone():
            spool.sweep(self.root)
            files = sorted(self._files())
            over = sum(size for _, size, _ in files) + size_bytes - self._limit_bytes
            for _, size, path in files:
                if over <= 0:
                    return
                if len(path.name) == 64 and _removed(path):
                    over -= size

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Last use, size and path of every file."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                try:
                    told = path.stat()
                except FileNotFoundError:
                    continue
                yield told.st_mtime, told.st_size, path

    def _file(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256


def _linked(file: BinaryIO) -> bool:
    """Whether an open file still has a name."""
    return os.fstat(file.fileno()).st_nlink > 0


def _linked_to(path: Path, name: Path) -> bool:
    """Give a file a second name; False where that is taken, for what is there may be held by others."""
    try:
        os.link(path, name)
    except FileExistsError:
        return False
    return True


def _removed(path: Path) -> bool:
    """Remove a file unless somebody holds it; whether it is gone."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        pass
    return True
