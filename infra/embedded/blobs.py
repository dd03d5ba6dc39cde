"""Blobs in a folder: each file named by its sha256, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from domain.errors import NotFound
from domain.values import Blob
from infra import spool


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
        spool.sweep(self.root)

    def put(self, data: bytes, media_type: str) -> Blob:
        """See `Blobs.put`."""
        return self.put_stream([data], media_type)

    def put_file(self, path: Path, media_type: str) -> Blob:
        """See `Blobs.put_file`."""
        with self.staged(path) as staged:
            return staged.keep(media_type)

    def put_stream(self, chunks: Iterable[bytes], media_type: str, *, limit_bytes: int | None = None) -> Blob:
        """See `Blobs.put_stream`."""
        with spool.spooled(self.root, chunks, limit_bytes=limit_bytes) as copy:
            return self._staged(copy).keep(media_type)

    @contextmanager
    def staged(self, path: Path) -> Iterator[StagedFile]:
        """See `Blobs.staged`."""
        with spool.spooled(self.root, spool.chunks_of(path)) as copy:
            yield self._staged(copy)

    def _staged(self, copy: spool.Spooled) -> StagedFile:
        return StagedFile(self, copy.path, copy.sha256, copy.size_bytes)

    def adopt(self, incoming: Path, sha256: str) -> None:
        """Make a file that lies in the folder already the blob of this name, durably."""
        with spool.disk_errors(self.root):
            self._adopt(incoming, sha256)

    def _adopt(self, incoming: Path, sha256: str) -> None:
        final = self._file(sha256)
        if final.exists():
            spool.sync_folder(final.parent)  # whoever put it there may not have come so far
            return
        with incoming.open("rb") as file:
            os.fsync(file.fileno())
        if not final.parent.exists():
            final.parent.mkdir(exist_ok=True)
            spool.sync_folder(self.root)
        incoming.replace(final)
        spool.sync_folder(final.parent)

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
