"""A full disk: Unavailable, nothing half-written, what was acknowledged still there, and it goes on with room."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from domain.errors import Unavailable
from tests.builders import History, library, numbered
from tests.crash.power import Power, PoweredVFS
from tests.spine import Spine


@pytest.fixture
def filling(tmp_path: Path) -> Iterator[tuple[Power, Spine]]:
    """A log and its views on a disk that can be told to be full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    power = Power(folder)
    vfs = PoweredVFS(f"full-{tmp_path.name}", power)
    with Spine(folder / "disco.sqlite", vfs=f"full-{tmp_path.name}") as spine:
        yield power, spine
    vfs.unregister()


def test_an_append_to_a_full_disk_is_unavailable_and_leaves_the_log_as_it_was(filling: tuple[Power, Spine]) -> None:
    """Given a log, when the disk is full, then appends fail as Unavailable, reads go on, and with room all goes on."""
    power, spine = filling
    spine.append(numbered(50))
    before = [event.id for event in spine.events()]
    power.full = True
    for size in (1, 10, 1000):
        with pytest.raises(Unavailable, match="full"):
            spine.log.append(numbered(size, start=100))
        assert [event.id for event in spine.events()] == before
    power.full = False
    assert spine.log.append(numbered(1000, start=100)).positions == tuple(range(51, 1051))
    assert spine.database.reader().execute("PRAGMA integrity_check").get == "ok"


def test_views_that_cannot_be_written_stay_as_they_were_and_catch_up_later(filling: tuple[Power, Spine]) -> None:
    """Given views behind a log, when the disk fills in the middle of folding, then no page is half there."""
    power, spine = filling
    spine.append([library(), *History(Random(1), "a").grow(60)])
    spine.views.catch_up()
    digests = spine.views.digests()
    spine.append(History(Random(1), "a").grow(300)[60:])
    power.full = True
    with pytest.raises(Unavailable):
        spine.views.catch_up()
    assert spine.views.digests() == digests
    with pytest.raises(Unavailable):
        spine.views.rebuild()
    assert spine.views.digests() == digests
    power.full = False
    spine.views.catch_up()
    assert spine.views.position() == spine.log.head()
    assert list(spine.views.differences()) == []


def test_a_disk_that_fills_at_any_write_harms_nothing(filling: tuple[Power, Spine]) -> None:
    """Given the disk filling and emptying at random, then the log holds exactly what was acknowledged."""
    power, spine = filling
    random, acknowledged = Random(2), list[str]()
    for number in range(150):
        power.full = random.random() < 0.4
        events = numbered(random.randint(1, 20), start=100 * number)
        try:
            spine.log.append(events)
        except Unavailable:
            continue
        acknowledged += [event.id for event in events]
        if random.random() < 0.3:
            power.full = False
            spine.views.catch_up()
    power.full = False
    assert [event.id for event in spine.events()] == acknowledged
    spine.views.catch_up()
    assert list(spine.views.differences()) == []


WRITER = """
import hashlib, resource, signal, sys
from pathlib import Path
from domain.errors import Unavailable
from infra.embedded.blobs import FolderBlobs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
root, limit = Path(sys.argv[1]), int(sys.argv[2])
blobs = FolderBlobs(root)
kept = blobs.put(b"before", "a/b")
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
source = root.parent / "source"
for size in (limit + 1, limit * 2, 3_000_000):
    for put in (
        lambda: blobs.put(bytes(size), "a/b"),
        lambda: blobs.put_stream(iter([bytes(1)] * size if size < 50_000 else [bytes(size)]), "a/b"),
        lambda: blobs.put_file(source, "a/b"),
    ):
        try:
            put()
        except Unavailable as error:
            print("unavailable", error.code)
        else:
            print("stored")
print("left", sum(path.is_file() for path in root.rglob("*")))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
again = blobs.put(bytes(3_000_000), "a/b")
print("whole", hashlib.sha256(blobs.open(again.sha256).read()).hexdigest() == again.sha256, blobs.has(kept.sha256))
"""


@pytest.mark.parametrize("limit", [100, 5_000, 1_500_000], ids=["at once", "after a page", "in a later chunk"])
def test_a_blob_that_does_not_fit_is_unavailable_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    """Given room for so many bytes, when more are put in any way, then Unavailable and nothing is left."""
    (tmp_path / "source").write_bytes(bytes(4_000_000))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path / "blobs"), str(limit)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["unavailable unavailable"] * 9 + ["left 1", "whole True True"]
