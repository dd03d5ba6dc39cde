"""The sweep of a bucket: what no event names goes in the end, what one names never does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.server.blob_sweep import GRACE, named_blobs, sweep
from infra.server.blobs import name_of, trash_of
from infra.server.s3 import Bucket
from tests import payloads
from tests.builders import proposed
from tests.contracts.server_blobs import S3, S3Adapter
from tests.spine import Spine

TICK_S = 1.1  # versitygw tells times in whole seconds


@pytest.fixture(params=sorted(S3))
def s3(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[S3Adapter]:
    """An empty bucket."""
    made = S3[request.param](tmp_path)
    yield made
    made.close()


def _now() -> datetime:
    return datetime.now(UTC)


def _objects(s3: S3Adapter) -> set[str]:
    return {found.name for found in s3.bucket.list("")}


def test_what_nothing_names_goes_in_two_steps_and_what_is_named_or_young_stays(s3: S3Adapter) -> None:
    """Given a named and an unnamed blob, when swept as time goes by, then only the second goes, first to the trash."""
    blobs = s3.open()
    named, unnamed = blobs.put(b"named", "a/b").sha256, blobs.put(b"unnamed", "a/b").sha256
    assert sweep(blobs, [named], now=_now()).condemned == []
    later = _now() + GRACE + timedelta(hours=1)
    told = sweep(blobs, [named], now=later, dry_run=True)
    assert (told.condemned, told.kept) == ([unnamed], 1)
    assert _objects(s3) == {name_of(named), name_of(unnamed)}
    assert sweep(blobs, [named, named], now=later).condemned == [unnamed]
    assert _objects(s3) == {name_of(named), trash_of(unnamed)}
    assert sweep(blobs, [named], now=_now()).removed == []
    swept = sweep(blobs, [named], now=later)
    assert (swept.removed, swept.freed_bytes) == ([unnamed], 7)
    assert _objects(s3) == {name_of(named)}
    assert not blobs.has(unnamed)


@pytest.mark.parametrize("how", ["asked for", "put again", "named after all"])
def test_what_was_swept_comes_back(s3: S3Adapter, how: str) -> None:
    """Given a blob in the trash, when it is asked for, put again or named, then it is a blob and not in the trash."""
    sha256 = s3.open().put(b"wanted", "a/b").sha256
    later = _now() + GRACE + timedelta(hours=1)
    sweep(s3.open(), [], now=later)
    other = s3.elsewhere("other")
    if how == "asked for":
        assert other.path(sha256).read_bytes() == b"wanted"
    elif how == "put again":
        other.put(b"wanted", "a/b")
    swept = sweep(other, [sha256], now=later)
    assert swept.removed == swept.condemned == []
    assert _objects(s3) == {name_of(sha256)}
    with s3.elsewhere("third").open(sha256) as file:
        assert file.read() == b"wanted"


def test_a_writer_does_not_rely_on_what_is_old_enough_to_be_swept(
    s3: S3Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a sweep that has listed an old blob, when it is put again meanwhile, then the sweep leaves it."""
    monkeypatch.setattr("infra.server.blobs.YOUNG", timedelta(0))
    sha256 = s3.open().put(b"again", "a/b").sha256
    time.sleep(TICK_S)

    def named() -> Iterator[str]:
        time.sleep(TICK_S)
        s3.elsewhere("other").put(b"again", "a/b")
        yield from ()

    swept = sweep(s3.open(), named(), now=_now(), grace=timedelta(0))
    assert swept.condemned == [sha256]  # as far as the list told
    assert _objects(s3) == {name_of(sha256)}


def test_a_writer_in_the_very_moment_of_the_sweep_loses_nothing(s3: S3Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a blob put between the sweep's last look and its move, then it can be read and the next sweep keeps it."""
    sha256 = s3.open().put(b"just now", "a/b").sha256
    move = Bucket.move

    def crossed(self: Bucket, name: str, to: str) -> None:
        s3.elsewhere("other").put(b"just now", "a/b")
        move(self, name, to)

    monkeypatch.setattr(Bucket, "move", crossed)
    later = _now() + GRACE + timedelta(hours=1)
    sweep(s3.open(), [], now=later)
    monkeypatch.setattr(Bucket, "move", move)
    assert _objects(s3) == {trash_of(sha256)}
    assert sweep(s3.open(), [sha256], now=later).brought_back == [sha256]
    assert s3.elsewhere("third").path(sha256).read_bytes() == b"just now"


def test_a_sweep_that_was_stopped_is_done_by_the_next(s3: S3Adapter) -> None:
    """Given a blob that lies in the trash and was not yet taken away, when swept again, then all ends well."""
    blobs = s3.open()
    named, unnamed = blobs.put(b"named", "a/b").sha256, blobs.put(b"unnamed", "a/b").sha256
    for sha256 in (named, unnamed):
        with blobs.open(sha256) as file:
            s3.bucket.put(trash_of(sha256), file, blobs.size(sha256), "a/b")
    later = _now() + GRACE + timedelta(hours=1)
    for _ in range(2):
        sweep(blobs, [named], now=later)
    assert _objects(s3) == {name_of(named)}


def test_uploads_that_nobody_accepted_are_removed_after_a_day(s3: S3Adapter) -> None:
    """Given an upload from outside, when swept, then it is there today and gone in two days."""
    with (s3.folder.parent / "file").open("w+b") as file:
        s3.bucket.put("incoming/some", file, 0, "a/b")
    assert sweep(s3.open(), [], now=_now()).uploads == 0
    assert sweep(s3.open(), [], now=_now() + timedelta(days=2)).uploads == 1
    assert _objects(s3) == set()


def test_every_blob_that_the_log_names_is_found(spine: Spine) -> None:
    """Given events that name blobs anywhere in their payloads, then all of them are told."""
    events = [payloads.audio("one"), payloads.notes("two"), payloads.audio("three")]
    positions = spine.append([proposed(event) for event in events])
    assert len(positions) == 3
    assert set(named_blobs(spine.log)) == {event.content.sha256 for event in events}
