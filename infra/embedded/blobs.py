"""Blobs in a folder: each file named by its sha256, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from domain.errors import LimitExceeded, NotFound, Unavailable
from domain.values import Blob

CHUNK_BYTES = 1 << 20


class FolderBlobs:
    """`Blobs` in a folder of files, spread over 256 subfolders by the first byte of their name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes, media_type: str) -> Blob:
        """See `Blobs.put`."""
        return self.put_stream([data], media_type)

    def put_file(self, path: Path, media_type: str) -> Blob:
        """See `Blobs.put_file`."""
        with path.open("rb") as file:
            return self.put_stream(iter(lambda: file.read(CHUNK_BYTES), b""), media_type)

    def put_stream(self, chunks: Iterable[bytes], media_type: str, *, limit_bytes: int | None = None) -> Blob:
        """See `Blobs.put_stream`."""
        digest, size = hashlib.sha256(), 0
        try:
            with tempfile.NamedTemporaryFile(dir=self.root, prefix="incoming-", delete=False) as file:
                incoming = Path(file.name)
                try:
                    for chunk in chunks:
                        size += len(chunk)
                        if limit_bytes is not None and size > limit_bytes:
                            raise LimitExceeded(f"the upload is larger than {limit_bytes:,} bytes", limit=limit_bytes)
                        digest.update(chunk)
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                    self._adopt(incoming, digest.hexdigest())
                finally:
                    incoming.unlink(missing_ok=True)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unavailable(f"the disk that holds {self.root} is full; free some space and try again") from error
            raise Unavailable(f"{self.root} cannot be written: {error}") from error
        return Blob(sha256=digest.hexdigest(), size_bytes=size, media_type=media_type)

    def _adopt(self, incoming: Path, sha256: str) -> None:
        final = self._file(sha256)
        if final.exists():
            return
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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
