"""The whole log and its blobs as one archive: a tar, or the same files in a folder.

disco.json says what is inside; blobs/ab/abcd… come before events/000001.jsonl …, so that whoever reads the archive as
a stream never has an event without its blob. Events are CloudEvents, one a line, in the order of the log.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import sys
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from domain.errors import Conflict, Malformed, NewerVersion, NotFound, Unavailable, Unsupported

FORMAT = 1
MANIFEST = "disco.json"
TARS = (".tar", ".tar.gz", ".tgz", ".tar.zst")
BLOB = re.compile(r"blobs/[0-9a-f]{2}/([0-9a-f]{64})\Z")
PART = re.compile(r"events/[0-9]{6,}\.jsonl\Z")
GZIP_LEVEL = 4


class Writer(Protocol):
    """Where an archive is written."""

    def add(self, name: str, size: int, file: BinaryIO) -> None:
        """Write a file of this many bytes."""


class _TarWriter:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, name: str, size: int, file: BinaryIO) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o644
        self._tar.addfile(info, file)


class _FolderWriter:
    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, name: str, size: int, file: BinaryIO) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as target:
            shutil.copyfileobj(file, target)


def add_bytes(writer: Writer, name: str, data: bytes) -> None:
    """Write a small file."""
    writer.add(name, len(data), io.BytesIO(data))


def is_tar(path: Path) -> bool:
    """Whether the name is that of a tar; any other is a folder's."""
    return path.name.lower().endswith(TARS)


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Write an archive beside its place, and put it there when it is whole.

    Raises: Conflict, where something is there already; Unsupported; Unavailable.
    """
    if path.exists():
        raise Conflict(f"{path} is there already; name another file", path=str(path))
    partial = path.with_name(f".{path.name}.partial")
    try:
        _remove(partial)
        if is_tar(path):
            with _tar_out(partial, path.name.lower()) as tar:
                yield _TarWriter(tar)
        else:
            partial.mkdir(parents=True)
            yield _FolderWriter(partial)
        partial.rename(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error}", path=str(path)) from error
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _tar_out(path: Path, name: str) -> Iterator[tarfile.TarFile]:
    with path.open("wb") as file:
        if name.endswith((".gz", ".tgz")):
            with (
                gzip.GzipFile(fileobj=file, mode="wb", compresslevel=GZIP_LEVEL, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|") as tar,
            ):
                yield tar
        else:
            with tarfile.open(fileobj=file, mode=_mode("w", name)) as tar:  # type: ignore[call-overload]  # "zst" is new
                yield tar
        file.flush()
        os.fsync(file.fileno())


def _mode(way: str, name: str) -> str:
    if not name.endswith(".zst"):
        return f"{way}|"
    if sys.version_info < (3, 14):
        raise Unsupported("zstd archives need Python 3.14; name it .tar or .tar.gz")
    return f"{way}|zst"


@contextmanager
def reading(path: Path) -> Iterator[Iterator[tuple[str, int, BinaryIO]]]:
    """The files of an archive in order: (name, size, content to be read before the next is asked for).

    Raises: NotFound; Malformed, for what is no archive or is cut short; Unsupported; Unavailable.
    """
    try:
        if path.is_dir():
            yield _folder_members(path)
        else:
            with tarfile.open(path, _mode("r", path.name) if path.suffix == ".zst" else "r|*") as tar:  # type: ignore[call-overload]  # "zst" is new
                yield _tar_members(tar)
    except FileNotFoundError as error:
        raise NotFound(f"there is no archive {path}", path=str(path)) from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Malformed(f"{path} is no archive of ours, or cut short: {error}", path=str(path)) from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error}", path=str(path)) from error


def _tar_members(tar: tarfile.TarFile) -> Iterator[tuple[str, int, BinaryIO]]:
    for member in tar:
        content = tar.extractfile(member) if member.isreg() else None
        if content is not None:
            yield member.name, member.size, cast(BinaryIO, content)


def _folder_members(root: Path) -> Iterator[tuple[str, int, BinaryIO]]:
    for name in (MANIFEST, *_below(root, "blobs/??/*"), *_below(root, "events/*.jsonl")):
        path = root / name
        with path.open("rb") as file:
            yield name, path.stat().st_size, file


def _below(root: Path, pattern: str) -> Iterable[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern) if path.is_file())


def read_manifest(data: bytes, where: Path) -> dict[str, Any]:  # Any: JSON
    """What an archive says of itself. Raises: Malformed, NewerVersion."""
    try:
        found: dict[str, Any] = json.loads(data)
        format, _, _ = int(found["format"]), int(found["events"]), int(found["blobs"])
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(f"{where} is no archive of ours: its {MANIFEST} is damaged", path=str(where)) from error
    if format > FORMAT:
        raise NewerVersion(f"{where} has format {format}, this release reads up to {FORMAT}; upgrade", path=str(where))
    return found
