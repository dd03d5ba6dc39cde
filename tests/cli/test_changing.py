"""Changes by the command line: each one command, refused where it cannot be."""

from __future__ import annotations

from pathlib import Path

import soundfile

from domain import ids
from tests.cli.conftest import Disco, Filled
from tests.given import RATE_HZ, sine


def test_changes_are_seen_by_the_next_reader(disco: Disco, home: Path, filled: Filled) -> None:
    """Given an asset, when renamed, tagged and described, then it is found by all of that, and the tree names it so."""
    song = filled.assets["song"]
    assert disco(home, "rename", song[:8], "Second take", "--json").json["changed"]
    assert disco(home, "tag", song, "favourite", "live", "--json").json["changed"]
    assert disco(home, "tag", song, "--remove", "live", "--json").json["changed"]
    assert disco(home, "describe", song, "singer=Ana", "take=2", "mood=blue", "--json").json["changed"]
    assert disco(home, "describe", song, "mood=", "--json").json["changed"]
    shown = disco(home, "show", song, "--json").json
    assert (shown["name"], shown["tags"]) == ("Second take", ["favourite"])
    assert shown["metadata"]["singer"] == "Ana"
    assert shown["metadata"]["take"] == 2
    assert "mood" not in shown["metadata"]
    for words in ("second take", "favourite", "ana"):
        assert song in {item["id"] for item in disco(home, "search", words, "--json").json}
    assert "Second take" in disco(home, "lineage", filled.generated["audio"]["id"]).out
    assert "Second take" not in disco(home, "lineage", song, "--as-of", shown["position"] - 5).out


def test_the_same_again_changes_nothing(disco: Disco, home: Path, filled: Filled) -> None:
    """Given a name, when given again, then no event is written, and the token is that of the name's event."""
    first = disco(home, "rename", filled.assets["song"], "Take", "--json").json
    again = disco(home, "rename", filled.assets["song"], "Take", "--json").json
    assert (again["changed"], again["token"]) == (False, first["token"])


def test_a_version_that_has_passed_is_a_conflict(disco: Disco, home: Path, filled: Filled) -> None:
    """Given a version that is gone, when a change expects it, then the status is 4 and the current one is told."""
    song = filled.assets["song"]
    version = disco(home, "show", song, "--json").json["version"]
    disco(home, "rename", song, "One")
    told = disco(home, "rename", song, "Two", "--expect", version, "--json")
    assert (told.status, told.error["code"]) == (4, "conflict")
    assert disco(home, "rename", song, "Two", "--expect", told.error["details"]["current"]).status == 0


def test_archive_restore_and_move(disco: Disco, home: Path, filled: Filled) -> None:
    """Given an asset, when archived, it is found no more; restored, it is; moved, it lies in the other track."""
    song, tone, project = filled.assets["song"], filled.assets["tone"], ids.project_id("Band")
    disco(home, "archive", song)
    assert song not in {item["id"] for item in disco(home, "search", "song", "--json").json}
    assert song not in {item["id"] for item in disco(home, "similar", tone, "--json").json}
    assert song in {item["id"] for item in disco(home, "similar", tone, "--archived", "--json").json}
    disco(home, "restore", song)
    assert song in {item["id"] for item in disco(home, "search", "song", "--json").json}
    assert disco(home, "move", song, project, "--json").json["changed"]
    assert disco(home, "show", song, "--json").json["container"] == project
    assert disco(home, "move", project, project).status == 2


def test_an_analysis_changes_like_anything_else_and_travels(
    disco: Disco, home: Path, filled: Filled, tmp_path: Path
) -> None:
    """Given an analysis, when named, tagged, described and archived, then it shows so, here and where the log goes.

    Nobody having changed it, it is shown too, and wants its whole id; after that the beginning will do.
    """
    analyses = disco(home, "show", filled.assets["song"], "--json").json["analyses"]
    id = analyses["loudness"]["id"]
    before = disco(home, "show", id, "--json").json
    assert (before["kind"], before["version"], before["name"]) == ("analysis", 0, "loudness")
    assert before["facts"]["integrated_lufs"] == analyses["loudness"]["integrated_lufs"]
    assert "loudness" in disco(home, "show", id).out
    assert disco(home, "show", id[:13]).status == 3
    assert disco(home, "tag", id, "trusted", "--expect", 0, "--json").json["changed"]
    assert disco(home, "rename", id[:13], "How loud", "--json").json["changed"]
    assert disco(home, "describe", id, "checked=Ana", "--json").json["changed"]
    assert id in {item["id"] for item in disco(home, "search", "how loud trusted ana", "--json").json}
    assert disco(home, "archive", id, "--json").json["changed"]
    assert disco(home, "search", "how loud", "--json").json == []
    assert disco(home, "restore", id, "--json").json["changed"]
    shown = disco(home, "show", id, "--json").json
    assert (shown["name"], shown["tags"], shown["metadata"]) == ("How loud", ["trusted"], {"checked": "Ana"})
    assert shown["facts"] == before["facts"]
    assert "How loud" in disco(home, "lineage", filled.assets["song"], "--down").out
    disco(home, "export", tmp_path / "log.tar")
    disco(tmp_path / "other", "import-log", tmp_path / "log.tar")
    assert disco(tmp_path / "other", "show", id, "--json").json == shown
    assert disco(tmp_path / "other", "verify", "--json").json["clean"]
    assert disco(home, "replay", "--json").json["same"]


def test_malformed_changes_are_refused(disco: Disco, home: Path, filled: Filled) -> None:
    """Given values that cannot be, when asked for, then the status is 2 and nothing was written."""
    song = filled.assets["song"]
    head = len(disco(home, "events").out.splitlines())
    for words in (("tag", song), ("tag", song, "two words"), ("rename", song, ""), ("describe", song, "novalue")):
        told = disco(home, *words, "--json")
        assert (told.status, told.error["code"]) == (2, "malformed")
    assert len(disco(home, "events").out.splitlines()) == head


def test_a_file_comes_in_as_a_newer_version(disco: Disco, home: Path, filled: Filled, tmp_path: Path) -> None:
    """Given an asset, when a file is imported as its newer version, then it lies in its project and is linked."""
    soundfile.write(tmp_path / "tone 2.wav", sine(331.0, seconds=1.0), RATE_HZ)
    tone = filled.assets["tone"]
    said = disco(home, "import", tmp_path / "tone 2.wav", "--version-of", tone[:8], "--no-wait", "--json").json
    (item,) = said["imported"]
    assert item["project_id"] == ids.project_id("Band")
    shown = disco(home, "show", item["asset_id"], "--json").json
    assert shown["previous"] == tone
    assert disco(home, "link-version", tone, item["asset_id"]).status == 4


def test_retry_without_dead_letters(disco: Disco, home: Path) -> None:
    """Given no dead letters, when all are retried, then there is nothing to do; one by name is not found."""
    assert disco(home, "retry", "--all", "--no-wait", "--json").json["retried"] == []
    assert disco(home, "retry", "00000000").status == 3


def test_a_project_and_a_track_can_be_begun(disco: Disco, home: Path) -> None:
    """Given a name, then there is a project, and with --in a track of it; twice, or without a name, is refused."""
    project = disco(home, "create", "Album", "--json").json["id"]
    track = disco(home, "create", "Drums", "--in", project[:8], "--json").json["id"]
    assert disco(home, "show", track, "--json").json["container"] == project
    again, nameless = disco(home, "create", "Album", "--json"), disco(home, "create", "", "--json")
    assert (again.status, again.error["code"]) == (4, "conflict")
    assert (nameless.status, nameless.error["code"]) == (2, "malformed")
