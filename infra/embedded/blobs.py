"""Blobs in a folder: each file named by its sha256, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

from domain.errors import Forbidden, LimitExceeded, NotFound, Unavailable
from domain.values import Blob

CHUNK_BYTES = 1 << 20
ABANDONED_S = 86_400.0


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A copy that is not a blob yet, and vanishes unless it is kept."""

    blobs: FolderBlobs
    path: Path
    sha256: str
    size_bytes: int

    def keep(self, media_type: str) -> Blob:
        """Make it a blob."""
        self.blobs.adopt(self.path, self.sha256)
        return Blob(sha256=self.sha256, size_bytes=self.size_bytes, media_type=media_type)


class FolderBlobs:
    """`Blobs` in a folder of files, spread over 256 subfolders by the first byte of their name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def sweep(self) -> None:
        """Remove the copies that a process left behind when it was killed a day ago or more."""
        for incoming in self.root.glob("incoming-*"):
            with suppress(FileNotFoundError):
                if time.time() - incoming.stat().st_mtime > ABANDONED_S:
                    incoming.unlink()

    def put(self, data: bytes, media_type: str) -> Blob:
        """See `Blobs.put`."""
        return self.put_stream([data], media_type)

    def put_file(self, path: Path, media_type: str) -> Blob:
        """See `Blobs.put_file`."""
        with self.staged(path) as staged:
            return staged.keep(media_type)

    def put_stream(self, chunks: Iterable[bytes], media_type: str, *, limit_bytes: int | None = None) -> Blob:
        """See `Blobs.put_stream`."""
        with self._staged(chunks, limit_bytes) as staged:
            return staged.keep(media_type)

    @contextmanager
    def staged(self, path: Path) -> Iterator[StagedFile]:
        """See `Blobs.staged`."""
        try:
            with path.open("rb") as file, self._staged(iter(lambda: file.read(CHUNK_BYTES), b""), None) as staged:
                yield staged
        except FileNotFoundError as error:
            raise NotFound(f"there is no file {path}", path=str(path)) from error
        except (PermissionError, IsADirectoryError) as error:
            raise Forbidden(f"{path} cannot be read: {error.strerror}", path=str(path)) from error

    @contextmanager
    def _staged(self, chunks: Iterable[bytes], limit_bytes: int | None) -> Iterator[StagedFile]:
        digest, size = hashlib.sha256(), 0
        with self._disk():
            descriptor, name = tempfile.mkstemp(dir=self.root, prefix="incoming-")
        incoming = Path(name)
        try:
            with open(descriptor, "wb", buffering=0) as file:
                for chunk in chunks:
                    size += len(chunk)
                    if limit_bytes is not None and size > limit_bytes:
                        raise LimitExceeded(f"the upload is larger than {limit_bytes:,} bytes", limit=limit_bytes)
                    digest.update(chunk)
                    with self._disk():
                        _write(file, chunk)
            yield StagedFile(self, incoming, digest.hexdigest(), size)
        finally:
            incoming.unlink(missing_ok=True)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unavailable(f"the disk that holds {self.root} is full; free some space and try again") from error
            raise Unavailable(f"{self.root} cannot be written: {error}") from error

    def adopt(self, incoming: Path, sha256: str) -> None:
        """Make a file that lies in the folder already the blob of this name, durably."""
        with self._disk():
            self._adopt(incoming, sha256)

    def _adopt(self, incoming: Path, sha256: str) -> None:
        final = self._file(sha256)
        if final.exists():
            _sync_folder(final.parent)  # whoever put it there may not have come so far
            return
        with incoming.open("rb") as file:
            os.fsync(file.fileno())
        if not final.parent.exists():
            final.parent.mkdir(exist_ok=True)
            _sync_folder(self.root)
        incoming.replace(final)
        _sync_folder(final.parent)

    def open(self, sha256: str) -> BinaryIO:
        """See `Blobs.open`."""
        return self.path(sha256).open("rb")

    def path(self, sha256: str) -> Path:
        """See `Blobs.path`."""
        path = self._file(sha256)
        if not path.exists():
            raise NotFound(f"there is no blob {sha256}", sha256=sha256)
        return path

    def has(self, sha256: str) -> bool:
        """See `Blobs.has`."""
        return self._file(sha256).exists()

    def size(self, sha256: str) -> int:
        """See `Blobs.size`."""
        return self.path(sha256).stat().st_size

    def names(self) -> Iterator[str]:
        """See `Blobs.names`."""
        return (path.name for path in self.root.glob("??/*") if len(path.name) == 64)

    def _file(self, sha256: str) -> Path:
        if len(sha256) != 64 or not sha256.isalnum() or not sha256.isascii():
            raise NotFound(f"{sha256[:80]!r} is not a sha256", sha256=sha256[:80])
        return self.root / sha256[:2] / sha256


def _write(file: RawIOBase, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
