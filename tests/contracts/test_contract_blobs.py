"""Blobs: large data by content, whole or not at all, whatever holds it."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Forbidden, LimitExceeded, NotFound
from domain.ports import Blobs
from infra.embedded.blobs import FolderBlobs
from tests.contracts.adapters import BLOBS, BlobsAdapter


@pytest.fixture(params=sorted(BLOBS))
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobsAdapter]:
    """One adapter over an empty store."""
    made = BLOBS[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def blobs(adapter: BlobsAdapter) -> Blobs:
    """A handle on an empty store."""
    return adapter.open()


def _read(blobs: Blobs, sha256: str) -> bytes:
    with blobs.open(sha256) as file:
        return file.read()


@settings(max_examples=40)
@given(data=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 3000), max_size=5))
def test_bytes_come_back_under_their_sha256_however_they_came_in(
    adapter: BlobsAdapter, tmp_path: Path, data: bytes, cuts: list[int]
) -> None:
    """Given any bytes, put whole, as a file or in any chunks, then the name is FIPS 180-4's, the content the same."""
    folder, blobs = tmp_path, adapter.open()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[start:end] for start, end in pairwise(edges)]
    (folder / "file").write_bytes(data)
    kept = {blobs.put(data, "a/b"), blobs.put_stream(chunks, "a/b"), blobs.put_file(folder / "file", "a/b")}
    (blob,) = kept
    assert blob.sha256 == hashlib.sha256(data).hexdigest()
    assert (blob.size_bytes, blob.media_type, blobs.size(blob.sha256)) == (len(data), "a/b", len(data))
    assert _read(blobs, blob.sha256) == blobs.path(blob.sha256).read_bytes() == data


def test_what_was_put_is_there_for_every_handle_and_once(adapter: BlobsAdapter) -> None:
    """Given the same bytes put twice through two handles, then there is one blob, and a third handle has it."""
    first = adapter.open().put(b"same", "a/b")
    assert adapter.open().put(b"same", "c/d").sha256 == first.sha256
    third = adapter.open()
    assert third.has(first.sha256)
    assert list(third.names()) == [first.sha256]
    assert adapter.leftovers() == 0


def test_a_name_that_is_not_here_is_not_found_whatever_it_looks_like(blobs: Blobs) -> None:
    """Given unknown, malformed or hostile names, then NotFound, and `has` is False."""
    blobs.put(b"x", "a/b")
    there = hashlib.sha256(b"x").hexdigest()
    for name in ("0" * 64, "", "x", "../" * 21 + "a", "/etc/passwd", there[:-1], there + "0", "é" * 64, "\x00" * 64):
        assert not _has(blobs, name)
        for ask in (blobs.open, blobs.path, blobs.size):
            with pytest.raises(NotFound):
                ask(name)


def _has(blobs: Blobs, name: str) -> bool:
    try:
        return blobs.has(name)
    except NotFound:
        return False


def test_a_stream_that_breaks_off_leaves_nothing(adapter: BlobsAdapter) -> None:
    """Given a stream that raises in the middle, then its error comes through and nothing is left behind."""
    blobs = adapter.open()

    def broken() -> Iterator[bytes]:
        yield b"some" * 1000
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        blobs.put_stream(broken(), "a/b")
    assert list(blobs.names()) == []
    assert adapter.leftovers() == 0


@pytest.mark.parametrize(("size", "fits"), [(0, True), (99, True), (100, True), (101, False), (5000, False)])
def test_a_stream_past_its_limit_is_refused_and_leaves_nothing(adapter: BlobsAdapter, size: int, fits: bool) -> None:
    """Given a limit, then exactly the streams that are longer are refused."""
    blobs, chunks = adapter.open(), iter([bytes(1)] * size)
    if fits:
        assert blobs.put_stream(chunks, "a/b", limit_bytes=100).size_bytes == size
    else:
        with pytest.raises(LimitExceeded):
            blobs.put_stream(chunks, "a/b", limit_bytes=100)
        assert list(blobs.names()) == []
    assert adapter.leftovers() == 0


def test_a_staged_copy_is_no_blob_until_it_is_kept(adapter: BlobsAdapter, tmp_path: Path) -> None:
    """Given a staged file, then its copy can be read; let go it vanishes, kept it is a blob, and the original stays."""
    blobs, file = adapter.open(), tmp_path / "file"
    file.write_bytes(b"staged")
    with blobs.staged(file) as staged:
        assert staged.path.read_bytes() == b"staged"
        assert staged.sha256 == hashlib.sha256(b"staged").hexdigest()
        assert not blobs.has(staged.sha256)
    assert list(blobs.names()) == []
    with blobs.staged(file) as staged:
        blob = staged.keep("a/b")
        file.write_bytes(b"changed since")
    assert _read(blobs, blob.sha256) == b"staged"
    assert adapter.leftovers() == 0


def test_a_copy_is_given_up_with_whoever_looks_at_it(adapter: BlobsAdapter, tmp_path: Path) -> None:
    """Given a staged file, when the look at it fails, then the error comes through and nothing is left."""
    blobs, file = adapter.open(), tmp_path / "file"
    file.write_bytes(b"staged")
    with pytest.raises(RuntimeError), blobs.staged(file):
        raise RuntimeError("not music")
    assert adapter.leftovers() == 0


def test_files_that_cannot_be_read_are_named(blobs: Blobs, tmp_path: Path) -> None:
    """Given a path to nothing, or to a folder, then NotFound or Forbidden tells the path."""
    with pytest.raises(NotFound, match="missing"):
        blobs.put_file(tmp_path / "missing", "a/b")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Forbidden, match="folder"):
        blobs.put_file(tmp_path / "folder", "a/b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_forbidden(blobs: Blobs, tmp_path: Path) -> None:
    """Given a file nobody may read, then Forbidden."""
    file = tmp_path / "secret"
    file.write_bytes(b"x")
    file.chmod(0)
    with pytest.raises(Forbidden):
        blobs.put_file(file, "a/b")


def test_the_same_content_from_many_threads_at_once_is_stored_once(adapter: BlobsAdapter) -> None:
    """Given 16 threads that put the same ten contents, then ten whole blobs are there and nothing else."""
    contents = [bytes([number]) * 200_000 for number in range(10)]

    def work(shift: int) -> set[str]:
        blobs = adapter.open()
        return {blobs.put(contents[(number + shift) % 10], "a/b").sha256 for number in range(10)}

    with ThreadPoolExecutor(16) as threads:
        names = set().union(*threads.map(work, range(16)))
    blobs = adapter.open()
    assert set(blobs.names()) == names == {hashlib.sha256(content).hexdigest() for content in contents}
    assert all(hashlib.sha256(_read(blobs, name)).hexdigest() == name for name in names)
    assert adapter.leftovers() == 0


def test_a_reader_can_seek_as_range_downloads_do(blobs: Blobs) -> None:
    """Given a blob, then any part of it can be read from an open handle."""
    data = os.urandom(10_000)
    with blobs.open(blobs.put(data, "a/b").sha256) as file:
        file.seek(9_000)
        assert file.read(100) == data[9_000:9_100]
        file.seek(-10, io.SEEK_END)
        assert file.read() == data[-10:]


def test_what_a_killed_process_left_half_copied_is_swept_and_what_is_under_way_is_not(tmp_path: Path) -> None:
    """Given a half copy of days ago and one of now, when swept, then only the old one is gone, and no blob is."""
    blobs = FolderBlobs(tmp_path / "blobs")
    kept = blobs.put(b"kept", "a/b")
    old, fresh = blobs.root / "incoming-old", blobs.root / "incoming-fresh"
    for half in (old, fresh):
        half.write_bytes(b"half")
    os.utime(old, (0, 0))
    os.utime(blobs.path(kept.sha256), (0, 0))
    blobs.sweep()
    assert (old.exists(), fresh.exists(), blobs.has(kept.sha256)) == (False, True, True)
