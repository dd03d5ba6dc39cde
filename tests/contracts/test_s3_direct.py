"""Transfers between a client and the bucket itself: limited, short-lived, and no blob before its hash is known."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3

from domain.errors import LimitExceeded, Malformed, NotFound
from domain.ports import UploadForm
from infra.server.blobs import S3Blobs
from infra.server.direct import LONGEST_S, S3Transfers
from tests.contracts.server_blobs import S3, S3Adapter


@pytest.fixture(params=sorted(S3))
def s3(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[S3Adapter]:
    """A bucket that is made at its first use."""
    made = S3[request.param](tmp_path)
    yield made
    made.close()


def _send(form: UploadForm, data: bytes, **changed: str) -> int:
    """Send a file with a form as a browser does; the status."""
    fields = {**form.fields, **changed, "file": ("take.wav", data)}
    return urllib3.request("POST", form.url, fields=fields, retries=False).status


def test_what_is_sent_to_the_store_is_a_blob_once_it_is_accepted(s3: S3Adapter) -> None:
    """Given a form, when a file within its limit is sent and accepted, then it is a blob, and none before."""
    blobs, data = s3.open(), b"music" * 1000
    direct, sha256 = S3Transfers(blobs), hashlib.sha256(data).hexdigest()
    form = direct.upload(limit_bytes=len(data))
    assert _send(form, data) in (200, 201, 204)
    assert list(blobs.names()) == []
    blob = direct.accept(form.upload, "audio/wav", limit_bytes=len(data), sha256=sha256)
    assert (blob.sha256, blob.size_bytes) == (sha256, len(data))
    assert s3.elsewhere("other").path(sha256).read_bytes() == data
    assert s3.leftovers() == 0
    with pytest.raises(NotFound):
        direct.accept(form.upload, "audio/wav", limit_bytes=len(data))


@pytest.mark.parametrize("size", [0, 101, 5000])
def test_the_store_itself_refuses_what_is_too_large_or_empty(s3: S3Adapter, size: int) -> None:
    """Given a form for 1 to 100 bytes, then the store takes no other size, and there is nothing to accept."""
    direct = S3Transfers(s3.open())
    form = direct.upload(limit_bytes=100)
    assert _send(form, bytes(size)) >= 400
    with pytest.raises(NotFound):
        direct.accept(form.upload, "a/b", limit_bytes=100)


def test_a_form_is_for_its_own_upload_and_for_its_time(s3: S3Adapter) -> None:
    """Given a form with another key, or one whose time is over, then the store refuses it."""
    direct = S3Transfers(s3.open())
    form = direct.upload(limit_bytes=100)
    elsewhere = s3.bucket.key(f"blobs/00/{'0' * 64}")
    assert _send(form, b"x", key=elsewhere) >= 400
    short = direct.upload(limit_bytes=100, seconds=1)
    time.sleep(2.1)
    assert _send(short, b"x") >= 400
    assert list(s3.open().names()) == []
    assert s3.leftovers() == 0


def test_what_is_not_what_the_client_said_is_refused_and_gone(s3: S3Adapter) -> None:
    """Given an upload with another hash, or larger than may be accepted, then it is refused and leaves nothing."""
    direct = S3Transfers(s3.open())
    for limit, sha256, error in ((100, "0" * 64, Malformed), (3, None, LimitExceeded)):
        form = direct.upload(limit_bytes=100)
        assert _send(form, b"some content") < 300
        with pytest.raises(error):
            direct.accept(form.upload, "a/b", limit_bytes=limit, sha256=sha256)
        assert list(s3.open().names()) == []
        assert s3.leftovers() == 0


def test_a_signed_address_gives_the_file_under_its_name_in_parts_too_until_it_ends(s3: S3Adapter) -> None:
    """Given an address for a blob, then whoever has it gets the file, whole or a range, for as long as it says."""
    blobs, data = s3.open(), bytes(range(256)) * 100
    direct = S3Transfers(blobs)
    sha256 = blobs.put(data, "application/octet-stream").sha256
    url = direct.download(sha256, file_name="Übung 1.wav", media_type="audio/wav", seconds=2)
    whole = urllib3.request("GET", url)
    assert (whole.status, whole.data) == (200, data)
    assert whole.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%9Cbung%201.wav"
    assert whole.headers["content-type"] == "audio/wav"
    part = urllib3.request("GET", url, headers={"Range": "bytes=100-199"})
    assert (part.status, part.data) == (206, data[100:200])
    assert urllib3.request("GET", url.replace(sha256, "0" * 64)).status == 403
    time.sleep(3.1)
    assert urllib3.request("GET", url).status == 403
    with pytest.raises(NotFound):
        direct.download("0" * 64, file_name="x", media_type="a/b")


def test_lives_are_short_and_names_of_uploads_are_ids(s3: S3Adapter) -> None:
    """Given no life, or one past the longest, or an upload that is no id, then Malformed."""
    blobs = s3.open()
    direct, sha256 = S3Transfers(blobs), blobs.put(b"x", "a/b").sha256
    for seconds in (0, -1, LONGEST_S + 1):
        with pytest.raises(Malformed):
            direct.upload(limit_bytes=1, seconds=seconds)
        with pytest.raises(Malformed):
            direct.download(sha256, file_name="x", media_type="a/b", seconds=seconds)
    for upload in ("", "../blobs", f"blobs/{sha256[:2]}/{sha256}"):
        with pytest.raises(Malformed):
            direct.accept(upload, "a/b", limit_bytes=1)


def test_what_is_signed_is_for_the_address_that_clients_know(s3: S3Adapter, tmp_path: Path) -> None:
    """Given a public address of the same server, then both kinds of leave name it, and the store honours them."""
    public = f"http://localhost:{s3.address.endpoint.rpartition(':')[2]}"
    direct = S3Transfers(S3Blobs(replace(s3.address, public=public), tmp_path / "other"))
    form = direct.upload(limit_bytes=10)
    assert form.url == f"{public}/{s3.address.bucket}"
    assert _send(form, b"x") < 300
    blob = direct.accept(form.upload, "a/b", limit_bytes=10)
    url = direct.download(blob.sha256, file_name="x", media_type="a/b")
    assert url.startswith(public)
    assert urllib3.request("GET", url).data == b"x"
