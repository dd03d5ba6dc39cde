"""Copies on the way to a blob store: written to a local file and hashed meanwhile, gone again unless they are kept."""

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

from domain.errors import Forbidden, LimitExceeded, NotFound, Unavailable

CHUNK_BYTES = 1 << 20
ABANDONED_S = 86_400.0
RETRY_S = 5
INCOMING = "incoming-"


@dataclass(frozen=True, slots=True)
class Spooled:
    """A copy in a local file, and the name it would have as a blob."""

    path: Path
    sha256: str
    size_bytes: int


@contextmanager
def spooled(folder: Path, chunks: Iterable[bytes], *, limit_bytes: int | None = None) -> Iterator[Spooled]:
    """Write a stream to a file in the folder, hashed on the way; it is gone at the end unless it was moved.

    Raises: LimitExceeded, past `limit_bytes`; Unavailable, where the disk is full.
    """
    digest, size = hashlib.sha256(), 0
    with disk_errors(folder):
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=INCOMING)
    incoming = Path(name)
    try:
        with open(descriptor, "wb", buffering=0) as file:
            for chunk in chunks:
                size += len(chunk)
                if limit_bytes is not None and size > limit_bytes:
                    raise LimitExceeded(f"the upload is larger than {limit_bytes:,} bytes", limit=limit_bytes)
                digest.update(chunk)
                with disk_errors(folder):
                    _write(file, chunk)
        yield Spooled(incoming, digest.hexdigest(), size)
    finally:
        incoming.unlink(missing_ok=True)


def _write(file: RawIOBase, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Tell what keeps a folder from being written. Raises: Unavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"the disk that holds {folder} is full; free some space and try again"
            raise Unavailable(message, retry_s=RETRY_S) from error
        raise Unavailable(f"{folder} cannot be written: {error}", retry_s=RETRY_S) from error


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file's content by the chunk. Raises: NotFound, Forbidden."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}", path=str(path)) from error
    except (PermissionError, IsADirectoryError) as error:
        raise Forbidden(f"{path} cannot be read: {error.strerror}", path=str(path)) from error


def sweep(folder: Path) -> None:
    """Remove the copies that a process left behind when it was killed a day ago or more."""
    for incoming in folder.glob(f"{INCOMING}*"):
        with suppress(FileNotFoundError):
            if time.time() - incoming.stat().st_mtime > ABANDONED_S:
                incoming.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
