"""Replaying, verifying, and what goes wrong inside."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tests.cli.conftest import Disco


def test_a_replay_comes_to_the_same(disco: Disco, home: Path) -> None:
    """Given views, when replayed, all or one, then their digests are as before."""
    whole = disco(home, "replay", "--json").json
    assert whole["same"]
    assert len(whole["views"]) == 6
    one = disco(home, "replay", "--view", "catalogue", "--json").json
    assert [view["view"] for view in one["views"]] == ["catalogue"]
    assert "same" in disco(home, "replay").out


def test_verify_names_a_row_that_was_changed_and_replay_mends_it(disco: Disco, home: Path) -> None:
    """Given a row written by nobody's event, when verified, then it is named with status 9; a replay mends it."""
    assert disco(home, "verify", "--json").json["clean"]
    database = apsw.Connection(str(home / "disco.sqlite"))
    (table,) = database.execute(
        "SELECT name FROM sqlite_master WHERE name LIKE 'jobs\\_%\\_rows' ESCAPE '\\'"
    ).fetchone()
    database.execute(f"UPDATE {table} SET document = json_set(document, '$.failed', 99) WHERE key = 1")  # noqa: S608  # our own name
    database.close()
    told = disco(home, "verify", "--json")
    assert (told.status, told.error["code"]) == (9, "corrupted")
    assert '"changed"' in told.out
    assert disco(home, "replay").status == 9
    assert disco(home, "verify").status == 0


def test_verify_names_a_blob_that_is_missing_and_it_heals_when_put_back(disco: Disco, home: Path) -> None:
    """Given content that is gone, when verified with its blobs, then it is named with its event; put back, all is well.

    So it is for content that is not what its name says.
    """
    gone = sorted(path for path in (home / "blobs").rglob("*") if path.is_file())[0]
    content = gone.read_bytes()
    gone.unlink()
    assert disco(home, "verify", "--json").json["clean"], "the log and its views are whole"
    told = disco(home, "verify", "--blobs", "--json")
    assert (told.status, told.error["code"]) == (9, "corrupted")
    assert told.error["details"]["blobs"] == [gone.name]
    assert "missing blob" in disco(home, "verify", "--blobs").out
    gone.write_bytes(content[:-1])
    assert disco(home, "verify", "--blobs", "--json").error["details"]["blobs"] == [gone.name]
    gone.write_bytes(content)
    assert disco(home, "verify", "--blobs", "--json").json["clean"]


def test_an_unexpected_error_is_logged_not_shown(disco: Disco, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a fault of ours, when it comes up, then the log has the traceback, the user its place; --debug raises."""
    monkeypatch.setattr("infra.embedded.documents.SqliteDocuments.search", lambda *_, **__: 1 / 0)
    told = disco(home, "search", "x", "--json")
    assert (told.status, told.error["code"]) == (1, "internal")
    assert "Traceback" not in told.err
    assert "ZeroDivisionError" in Path(told.error["details"]["log"]).read_text()
    with pytest.raises(ZeroDivisionError):
        disco(home, "search", "x", "--debug")


def test_a_folder_that_cannot_be_made_is_told(disco: Disco, tmp_path: Path) -> None:
    """Given a data folder below a file, when opened, then the status says unavailable, and what to set."""
    (tmp_path / "file").touch()
    told = disco(tmp_path / "file" / "home", "projects", "--json")
    assert (told.status, told.error["code"]) == (6, "unavailable")
    assert "DISCO_HOME" in told.error["message"]
