"""What the tests of algorithms share."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from domain.errors import NotFound
from domain.values import Blob


class MemoryBlobs:
    """Blobs in a dictionary, for algorithms that store bulk."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def put(self, data: bytes, media_type: str) -> Blob:
        """Store bytes."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.contents[sha256] = bytes(data)
        return Blob(sha256=sha256, size_bytes=len(data), media_type=media_type)

    def put_stream(self, chunks: Iterable[bytes], media_type: str, *, limit_bytes: int | None = None) -> Blob:
        """Store a stream."""
        return self.put(b"".join(chunks), media_type)

    def put_file(self, path: Path, media_type: str) -> Blob:
        """Store a file's content."""
        return self.put(path.read_bytes(), media_type)

    def open(self, sha256: str) -> BinaryIO:
        """Open for reading."""
        if sha256 not in self.contents:
            raise NotFound(f"there is no blob {sha256}")
        return io.BytesIO(self.contents[sha256])

    def path(self, sha256: str) -> Path:
        """Memory has no files."""
        raise NotFound(f"blob {sha256} is in memory only")

    def has(self, sha256: str) -> bool:
        """Whether it is here."""
        return sha256 in self.contents

    def size(self, sha256: str) -> int:
        """Its length in bytes."""
        return len(self.contents[sha256])

    def names(self) -> Iterator[str]:
        """Every sha256 here."""
        return iter(self.contents)


@pytest.fixture
def blobs() -> MemoryBlobs:
    """An empty store."""
    return MemoryBlobs()
