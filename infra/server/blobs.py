"""Blobs in a bucket of an S3 server, each named by its sha256, with copies of those in use on this machine's disk.

A blob is written from a local copy whose hash is known before the first byte is sent, and S3 shows an object whole or
not at all: nothing is ever half there under its name, and writing it twice writes the same. What a sweep takes away
lies in `trash/` for a while; who asks for it brings it back.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from domain.errors import NotFound, Unavailable
from domain.values import Blob
from infra import spool
from infra.server.blob_cache import BlobCache
from infra.server.s3 import ATTEMPTS, RETRY_S, Bucket, Found, S3Address

CACHE_BYTES = 20 << 30
BUFFER_BYTES = 1 << 18
BACK_OFF_S = 0.2
YOUNG = timedelta(hours=12)
"""How long an object may count on not being swept. One that is older is written again rather than relied upon."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StagedCopy:
    """A local copy that is not a blob yet, and vanishes unless it is kept."""

    blobs: S3Blobs
    copy: spool.Spooled

    @property
    def path(self) -> Path:
        """See `Staged.path`."""
        return self.copy.path

    @property
    def sha256(self) -> str:
        """See `Staged.sha256`."""
        return self.copy.sha256

    def keep(self, media_type: str) -> Blob:
        """See `Staged.keep`."""
        return self.blobs.adopt(self.copy, media_type)


class S3Blobs:
    """`Blobs` in a bucket. `folder` is this machine's own: copies on their way up, and of what was read."""

    def __init__(self, address: S3Address, folder: Path, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.bucket = Bucket(address)
        self._cache = BlobCache(folder, cache_bytes)

    def put(self, data: bytes, media_type: str) -> Blob:
        """See `Blobs.put`."""
        return self.put_stream([data], media_type)

    def put_file(self, path: Path, media_type: str) -> Blob:
        """See `Blobs.put_file`."""
        with self.staged(path) as staged:
            return staged.keep(media_type)

    def put_stream(self, chunks: Iterable[bytes], media_type: str, *, limit_bytes: int | None = None) -> Blob:
        """See `Blobs.put_stream`."""
        with self.received(chunks, limit_bytes=limit_bytes) as staged:
            return staged.keep(media_type)

    @contextmanager
    def staged(self, path: Path) -> Iterator[StagedCopy]:
        """See `Blobs.staged`."""
        with self.received(spool.chunks_of(path)) as staged:
            yield staged

    @contextmanager
    def received(self, chunks: Iterable[bytes], *, limit_bytes: int | None = None) -> Iterator[StagedCopy]:
        """A local copy of a stream, to look at before it is kept. Raises: LimitExceeded, Unavailable."""
        with spool.spooled(self._cache.root, chunks, limit_bytes=limit_bytes) as copy:
            yield StagedCopy(self, copy)

    def adopt(self, copy: spool.Spooled, media_type: str) -> Blob:
        """Make a copy that lies in the local folder a blob, and leave it there as what was read last."""
        name = name_of(copy.sha256)
        found = self.bucket.find(name)
        if found is None or found.size_bytes != copy.size_bytes or datetime.now(UTC) - found.modified > YOUNG:
            with copy.path.open("rb") as file:
                self.bucket.put(name, file, copy.size_bytes, media_type)
        self._cache.adopt(copy)
        return Blob(sha256=copy.sha256, size_bytes=copy.size_bytes, media_type=media_type)

    def open(self, sha256: str) -> BinaryIO:
        """See `Blobs.open`. Read from the server, only the parts that are asked for, whatever is on this machine."""
        return io.BufferedReader(RemoteFile(self.bucket, self._found(sha256, name_of(sha256))), BUFFER_BYTES)

    def path(self, sha256: str) -> Path:
        """See `Blobs.path`. The file stays until this object was asked for many others; see `BlobCache`."""
        name = name_of(sha256)
        cached = self._cache.path(sha256)
        if cached is not None:
            return cached
        found = self._found(sha256, name)
        with RemoteFile(self.bucket, found) as remote:
            return self._cache.fill(sha256, found.size_bytes, iter(lambda: remote.read(spool.CHUNK_BYTES), b""))

    def has(self, sha256: str) -> bool:
        """See `Blobs.has`."""
        return self._find(sha256, name_of(sha256)) is not None

    def size(self, sha256: str) -> int:
        """See `Blobs.size`."""
        return self._found(sha256, name_of(sha256)).size_bytes

    def names(self) -> Iterator[str]:
        """See `Blobs.names`."""
        return (sha256 for sha256, _ in self.listed())

    def listed(self) -> Iterator[tuple[str, Found]]:
        """Every sha256 here with its object, in order."""
        for found in self.bucket.list("blobs/"):
            sha256 = found.name.rpartition("/")[2]
            if found.name == name_of(sha256):
                yield sha256, found

    def _found(self, sha256: str, name: str) -> Found:
        found = self._find(sha256, name)
        if found is None:
            raise NotFound(f"there is no blob {sha256}", sha256=sha256)
        return found

    def _find(self, sha256: str, name: str) -> Found | None:
        """The object, brought back from the trash if that is where it is."""
        found = self.bucket.find(name)
        if found is None and self.bucket.find(trash_of(sha256)) is not None:
            with suppress(NotFound):  # somebody else brought it back
                self.bucket.move(trash_of(sha256), name)
            found = self.bucket.find(name)
        return found


def name_of(sha256: str) -> str:
    """The object that holds a blob. Raises: NotFound, if that is no sha256."""
    if not _SHA256.fullmatch(sha256):
        raise NotFound(f"{sha256[:80]!r} is not a sha256", sha256=sha256[:80])
    return f"blobs/{sha256[:2]}/{sha256}"


def trash_of(sha256: str) -> str:
    """Where a blob lies that was swept."""
    return f"trash/{sha256}"


class RemoteFile(io.RawIOBase):
    """An object as a file that can be read and sought in; a connection that breaks is taken up where it broke."""

    def __init__(self, bucket: Bucket, found: Found) -> None:
        self._bucket = bucket
        self._found = found
        self._at = 0
        self._response: BaseHTTPResponse | None = None

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.RawIOBase.seek`."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._found.size_bytes}[whence]
        to = max(0, start + offset)
        if to != self._at:
            self._hang_up()
            self._at = to
        return to

    def tell(self) -> int:
        """See `io.RawIOBase.tell`."""
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's buffer protocol
        """See `io.RawIOBase.readinto`. Raises: NotFound, Unavailable."""
        wanted = min(len(buffer), self._found.size_bytes - self._at)
        if wanted <= 0:
            return 0
        data = self._read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _read(self, wanted: int) -> bytes:
        """At least one of the next bytes."""
        why: Exception | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(BACK_OFF_S * 2**attempt)
            if self._response is None:
                self._response = self._bucket.begin(self._found.name, self._at)
            try:
                data = self._response.read(wanted)
            except (HTTPError, OSError) as error:
                why = error
            else:
                if data:
                    return data
            self._hang_up()
        message = f"{self._bucket.address.where} broke off at byte {self._at:,} of {self._found.name}; try again"
        raise Unavailable(message, retry_s=RETRY_S) from why

    def _hang_up(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response.release_conn()
            self._response = None

    def close(self) -> None:
        """Let go of the connection."""
        self._hang_up()
        super().close()
