"""Blobs in S3: what only a store on another machine can get wrong, on every make of S3 there is."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from domain.errors import Corrupted, Malformed, Unavailable
from infra.pool import WorkerPool
from infra.server.blobs import RemoteFile, S3Blobs, name_of, trash_of
from infra.server.s3 import S3Address, client_of
from infra.tasks import take_in
from tests.contracts.server_blobs import S3, S3Adapter

LARGE = 40 << 20


@pytest.fixture(params=sorted(S3))
def s3(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[S3Adapter]:
    """A bucket that is made at its first use."""
    made = S3[request.param](tmp_path)
    yield made
    made.close()


def _closed_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def test_what_one_machine_puts_another_has_as_a_file_and_keeps(s3: S3Adapter) -> None:
    """Given a blob of several parts, then another machine's file is the same, and outlives the server's absence."""
    data = os.urandom(LARGE)
    blob = s3.open().put(data, "a/b")
    assert s3.elsewhere("other").path(blob.sha256).read_bytes() == data
    nowhere = replace(s3.address, endpoint=f"127.0.0.1:{_closed_port()}")
    assert S3Blobs(nowhere, s3.folder.with_name("other")).path(blob.sha256).read_bytes() == data


def test_a_part_of_a_blob_is_read_without_the_rest(s3: S3Adapter) -> None:
    """Given a large blob, when another machine seeks and reads, then that part is right and none is kept there."""
    data = os.urandom(LARGE)
    blob = s3.open().put(data, "a/b")
    other = s3.elsewhere("other")
    with other.open(blob.sha256) as file:
        for at, length in ((0, 10), (LARGE - 7, 100), (17 << 20, 3 << 20), (5, 1), (LARGE, 1)):
            assert file.seek(at) == at
            assert file.read(length) == data[at : at + length]
        file.seek(-5, io.SEEK_END)
        assert file.read() == data[-5:]
    assert not [path for path in s3.folder.with_name("other").rglob("*") if path.is_file()]


SLOW = """
import os, sys, time
from pathlib import Path
from infra.server.blobs import S3Blobs, name_of
from infra.server.s3 import S3Address

class Slow:
    def read(self, size):
        time.sleep(0.3)
        return bytes(size)

blobs = S3Blobs(S3Address.parse(os.environ["URL"]), Path(sys.argv[1]))
blobs.bucket.put(name_of(sys.argv[2]), Slow(), 1 << 30, "a/b")
"""


def test_a_killed_upload_is_never_seen_and_its_parts_are_swept(s3: S3Adapter, tmp_path: Path) -> None:
    """Given a process that uploads in parts, then there is no such blob yet; killed, its parts go at a sweep."""
    blobs, sha256 = s3.open(), hashlib.sha256(bytes(1 << 30)).hexdigest()
    kept = blobs.put(b"kept", "a/b")
    address, later = s3.address, datetime.now(UTC) + timedelta(hours=1)
    url = f"http://{address.key}:{address.secret}@{address.endpoint}/{address.bucket}/{address.folder}"
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path / "child"), sha256], env={**os.environ, "URL": url}
    )
    try:
        deadline = time.monotonic() + 30
        while s3.bucket.abort_uploads(later, dry_run=True) == 0:
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.05)
        assert not blobs.has(sha256)
        assert list(blobs.names()) == [kept.sha256]
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert s3.bucket.abort_uploads(datetime.now(UTC) - timedelta(hours=1)) == 0  # another's may be under way
    assert s3.bucket.abort_uploads(later) == 1
    assert s3.leftovers() == 0
    assert list(blobs.names()) == [kept.sha256]


def test_content_that_was_damaged_in_the_store_is_never_given_as_data(s3: S3Adapter) -> None:
    """Given an object that does not match its name, then Corrupted, at every try; put again, it is whole."""
    blob = s3.open().put(b"as it should be", "a/b")
    key = s3.bucket.key(name_of(blob.sha256))
    client_of(s3.address).put_object(s3.address.bucket, key, io.BytesIO(b"damaged"), 7)
    other = s3.elsewhere("other")
    for _ in range(2):
        with pytest.raises(Corrupted, match=blob.sha256):
            other.path(blob.sha256)
    s3.elsewhere("third").put(b"as it should be", "a/b")
    assert other.path(blob.sha256).read_bytes() == b"as it should be"


def test_a_bucket_copied_to_another_server_is_the_same_store(s3: S3Adapter, tmp_path: Path) -> None:
    """Given blobs, one of them in the trash, when the objects are copied as a backup is, then all are there, whole."""
    blobs = s3.open()
    contents = [b"", b"small", os.urandom(20 << 20)]
    names = [blobs.put(content, "a/b").sha256 for content in contents]
    s3.bucket.move(name_of(names[1]), trash_of(names[1]))
    other = S3["versity" if s3.made_by == "s3" else "s3"](tmp_path / "restored")
    try:
        for found in s3.bucket.list(""):
            with io.BufferedReader(RemoteFile(s3.bucket, found)) as file:
                other.bucket.put(found.name, file, found.size_bytes, "application/octet-stream")
        restored = other.open()
        for name, content in zip(names, contents, strict=True):
            with restored.open(name) as file:
                assert file.read() == content
        assert set(restored.names()) == set(names)
    finally:
        other.close()


def test_a_server_that_is_away_is_unavailable_and_worth_another_try(s3: S3Adapter, tmp_path: Path) -> None:
    """Given nothing behind the address, then every call is Unavailable, retryable, and nothing is left behind."""
    nowhere = replace(s3.address, endpoint=f"127.0.0.1:{_closed_port()}")
    blobs = S3Blobs(nowhere, tmp_path / "cache")
    some = "0" * 64
    calls = (
        lambda: blobs.put(b"x", "a/b"),
        lambda: blobs.has(some),
        lambda: blobs.open(some),
        lambda: blobs.path(some),
        lambda: list(blobs.names()),
    )
    for call in calls:
        with pytest.raises(Unavailable, match="see that it runs") as raised:
            call()
        assert raised.value.retryable
        assert s3.address.secret not in str(raised.value)
    assert not list((tmp_path / "cache").rglob("incoming-*"))


def test_a_wrong_key_is_not_taken_for_an_empty_store(s3: S3Adapter, tmp_path: Path) -> None:
    """Given a key that the server does not know, or a wrong secret, then Unavailable, not False and not NotFound."""
    there = s3.open().put(b"x", "a/b").sha256
    for wrong in (replace(s3.address, key="nobody"), replace(s3.address, secret="wrong" * 4)):
        blobs = S3Blobs(wrong, tmp_path / "cache")
        for call in (lambda: blobs.has(there), lambda: blobs.size(there), lambda: list(blobs.names())):  # noqa: B023  # called at once
            with pytest.raises(Unavailable, match="refuses our key"):
                call()


def test_a_bucket_that_was_removed_is_made_anew_at_the_next_try(s3: S3Adapter) -> None:
    """Given a bucket that vanished under a running process, then one put is Unavailable and the next succeeds."""
    s3.bucket.ready()
    client_of(s3.address).remove_bucket(s3.address.bucket)
    with pytest.raises(Unavailable):
        s3.open().put(b"x", "a/b")
    assert s3.open().put(b"x", "a/b").size_bytes == 1


def test_many_that_begin_at_once_make_one_bucket(s3: S3Adapter) -> None:
    """Given eight handles on a bucket that is not there, when all put at once, then all succeed."""
    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(lambda number: s3.elsewhere(f"m{number}").put(b"x", "a/b").sha256, range(8)))
    assert set(s3.open().names()) == names


class Cutting:
    """A proxy before a server that breaks every connection after so many bytes of answer."""

    def __init__(self, endpoint: str, after_bytes: int) -> None:
        host, _, port = endpoint.partition(":")
        self._server, self._after = (host, int(port)), after_bytes
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(self._server)
            threading.Thread(target=self._pass, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, self._after), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, left: int | None) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data if left is None else data[:left])
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        break
        except OSError:
            pass
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # what another thread waits on is not ended by close
            end.close()

    def close(self) -> None:
        """Take no more."""
        self._socket.close()


def test_a_download_that_breaks_goes_on_where_it_broke(s3: S3Adapter, tmp_path: Path) -> None:
    """Given connections that break after 3 MiB each, when 10 MiB are read, then they are whole."""
    data = os.urandom(10 << 20)
    blob = s3.open().put(data, "a/b")
    proxy = Cutting(s3.address.endpoint, 3 << 20)
    try:
        blobs = S3Blobs(replace(s3.address, endpoint=proxy.endpoint), tmp_path / "other")
        assert blobs.path(blob.sha256).read_bytes() == data
        assert proxy.connections > 3
    finally:
        proxy.close()


def test_workers_take_in_files_through_it(s3: S3Adapter, tmp_path: Path, workers: WorkerPool) -> None:
    """Given an opener that is pickled into a worker, when that takes in a file, then the blob is in the bucket."""
    file = tmp_path / "tone.wav"
    soundfile.write(file, 0.1 * np.sin(np.arange(44_100) / 20), 44_100)
    taken = workers.submit(take_in, partial(S3Blobs, s3.address, s3.folder), file, file.name).result()
    assert s3.elsewhere("other").path(taken.content.sha256).read_bytes() == file.read_bytes()
    (tmp_path / "bad.wav").write_bytes(b"RIFF nonsense")
    with pytest.raises(Malformed):
        workers.submit(take_in, partial(S3Blobs, s3.address, s3.folder), tmp_path / "bad.wav", "bad.wav").result()
    assert list(s3.open().names()) == [taken.content.sha256]


def test_an_address_is_read_whole_and_its_secret_is_never_told() -> None:
    """Given addresses good and bad, then the good are read by RFC 3986, and no message or repr tells the secret."""
    read = S3Address.parse(
        "https://AK:p%40ss%2Fword@s3.example.org/music/disco/x?region=eu-west-1&public=https://m.org"
    )
    assert (read.endpoint, read.bucket, read.folder, read.key) == ("s3.example.org", "music", "disco/x/", "AK")
    assert (read.secret, read.secure, read.region, read.public) == ("p@ss/word", True, "eu-west-1", "https://m.org")
    assert "p@ss" not in repr(read)
    for bad in ("", "s3://a:hush@h/b", "http://h/b", "http://a@h/b", "http://a:hush@h", "http://a:hush@h:no/b"):
        with pytest.raises(Malformed) as raised:
            S3Address.parse(bad)
        assert "hush" not in str(raised.value)
