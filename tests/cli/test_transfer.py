"""The log out of one data folder and into another."""

from __future__ import annotations

import gzip
import shutil
import tarfile
from pathlib import Path

import pytest

from infra.embedded.lease import Lease
from tests.cli.conftest import Disco, Filled


@pytest.mark.parametrize("name", ["log.tar", "log.tar.gz", "folder"])
def test_an_export_imported_elsewhere_gives_equal_views(
    name: str, disco: Disco, filled: Filled, tmp_path: Path
) -> None:
    """Given a log, when exported and imported into an empty folder, then all views and events are equal."""
    archive = tmp_path / name
    exported = disco(filled.home, "export", archive, "--json").json
    imported = disco(tmp_path / "other", "import-log", archive, "--json").json
    assert (imported["events"], imported["new_events"]) == (exported["events"], exported["events"])
    assert imported["new_blobs"] == exported["blobs"] > 0
    views = {view["name"]: view["digest"] for view in disco(filled.home, "views", "--digests", "--json").json}
    assert imported["digests"] == views
    assert disco(tmp_path / "other", "events", "--json").out == disco(filled.home, "events", "--json").out
    again = disco(tmp_path / "other", "import-log", archive, "--json").json
    assert (again["new_events"], again["new_blobs"], again["digests"]) == (0, 0, views)
    assert disco(tmp_path / "other", "verify", "--blobs", "--json").json["clean"]


def test_an_import_into_a_log_with_other_events_keeps_both(disco: Disco, filled: Filled, tmp_path: Path) -> None:
    """Given a log of its own, when another is imported, then both are there, and the views are what the log says."""
    other = tmp_path / "other"
    disco(other, "import", filled.files / "tone.wav", "--project", "Mine", "--no-wait")
    disco(filled.home, "export", tmp_path / "log.tar")
    disco(other, "import-log", tmp_path / "log.tar")
    assert {item["name"] for item in disco(other, "projects", "--json").json} >= {"Mine", "Band"}
    assert disco(other, "verify", "--json").json["clean"]


@pytest.fixture
def archive(disco: Disco, filled: Filled, tmp_path: Path) -> Path:
    """An export as a folder."""
    assert disco(filled.home, "export", tmp_path / "folder").status == 0
    return tmp_path / "folder"


def test_a_blob_that_is_not_what_it_is_named_is_not_taken(disco: Disco, archive: Path, tmp_path: Path) -> None:
    """Given an archive with a changed blob, when imported, then it is named, and nothing of it is kept."""
    blob = next(archive.glob("blobs/??/*"))
    blob.write_bytes(blob.read_bytes() + b"!")
    told = disco(tmp_path / "other", "import-log", archive, "--json")
    assert (told.status, told.error["code"]) == (9, "corrupted")
    assert blob.name in told.error["message"]
    assert not list((tmp_path / "other" / "blobs").rglob(blob.name))
    assert not list((tmp_path / "other" / "blobs").glob("incoming-*"))


def test_an_archive_without_its_end_is_cut_short(disco: Disco, archive: Path, tmp_path: Path) -> None:
    """Given an archive whose events are missing, when imported, then that is told; the whole one completes it."""
    kept = tmp_path / "kept"
    shutil.copytree(archive, kept)
    shutil.rmtree(archive / "events")
    told = disco(tmp_path / "other", "import-log", archive, "--json")
    assert (told.status, told.error["code"]) == (2, "malformed")
    assert "cut short" in told.error["message"]
    assert disco(tmp_path / "other", "import-log", kept).status == 0


@pytest.mark.parametrize("cut", [0.2, 0.9])
def test_a_tar_that_breaks_off_is_told(cut: float, disco: Disco, filled: Filled, tmp_path: Path) -> None:
    """Given a truncated tar.gz, when imported, then it is malformed, without a traceback."""
    disco(filled.home, "export", tmp_path / "log.tar.gz")
    data = (tmp_path / "log.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(data[: int(len(data) * cut)])
    assert disco(tmp_path / "other", "import-log", tmp_path / "cut.tar.gz", "--json").error["code"] == "malformed"


def test_what_is_no_archive_is_told(disco: Disco, tmp_path: Path) -> None:
    """Given other files, when imported as a log, then each is refused with its code."""
    (tmp_path / "text.tar").write_text("no tar at all")
    (tmp_path / "packed.tar.gz").write_bytes(gzip.compress(b"neither"))
    (tmp_path / "empty").mkdir()
    with tarfile.open(tmp_path / "foreign.tar", "w") as tar:
        tar.add(tmp_path / "text.tar", "../../etc/passwd")
    for name in ("text.tar", "packed.tar.gz", "foreign.tar"):
        assert disco(tmp_path / "home", "import-log", tmp_path / name, "--json").error["code"] == "malformed"
    for name in ("none.tar", "empty"):
        assert disco(tmp_path / "home", "import-log", tmp_path / name, "--json").error["code"] == "not_found"


def test_an_archive_of_a_newer_release_is_refused(disco: Disco, archive: Path, tmp_path: Path) -> None:
    """Given a format of the future, when imported, then the release is named as what is too old."""
    (archive / "disco.json").write_text('{"format": 2, "events": 1, "blobs": 0}')
    assert disco(tmp_path / "other", "import-log", archive).status == 10


def test_nothing_is_overwritten_and_nothing_half_written_stays(disco: Disco, filled: Filled, tmp_path: Path) -> None:
    """Given a file at its place, when exported, then the file stays; where a blob is bad, no archive is left."""
    (tmp_path / "log.tar").touch()
    assert disco(filled.home, "export", tmp_path / "log.tar").status == 4
    shutil.copytree(filled.home, tmp_path / "bad")
    blob = next((tmp_path / "bad" / "blobs").glob("??/*"))
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    assert disco(tmp_path / "bad", "export", tmp_path / "bad.tar").status == 9
    assert disco(tmp_path / "bad", "verify", "--blobs").status == 9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "log.tar"]


def test_no_log_is_imported_while_a_service_runs(disco: Disco, archive: Path, tmp_path: Path) -> None:
    """Given a running service, when a log is imported beside it, then it is refused: the service would answer anew."""
    (tmp_path / "other").mkdir()
    lease = Lease(tmp_path / "other" / "disco.lease")
    assert lease.acquire()
    try:
        assert disco(tmp_path / "other", "import-log", archive).status == 4
    finally:
        lease.release()
