"""A release with a newer processor, and what the command line does about old answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infra.wiring import PROCESSORS
from tests.cli.conftest import Disco, Filled


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """`find_silence` has another version in this process."""
    newer = replace(PROCESSORS["find_silence"], version="2")
    for module in ("infra.disco", "infra.runner", "infra.processing", "infra.reprocessing"):
        monkeypatch.setattr(f"{module}.PROCESSORS", {**PROCESSORS, "find_silence": newer})


@pytest.mark.usefixtures("newer")
def test_old_answers_are_made_anew_and_a_copy_agrees(disco: Disco, home: Path, filled: Filled, tmp_path: Path) -> None:
    """Given a newer processor, when reprocessed, then every sound has its answer beside the old one, once.

    Views, a replay of the log and an export of it agree, and the export of the copy finds nothing to do.
    """
    sounds = [item for item in disco(home, "events", "--json").lines if item["type"] == "disco.silence.found"]
    done = disco(home, "reprocess", "--json").json
    assert (done["answers"], done["causes"], done["failed"]) == (len(sounds), len(sounds), 0)
    assert disco(home, "job", done["job"], "--json").json["pending"] == 0
    shown = disco(home, "show", filled.assets["song"], "--json").json
    assert shown["analyses"]["silence"]["source"] == "/processors/find_silence/2"
    nodes = disco(home, "lineage", filled.assets["song"], "--down", "--json").json["nodes"]
    sources = sorted(node["facts"]["source"] for node in nodes if node["variant"] == "silence" and node["depth"] == 1)
    assert sources == ["/processors/find_silence/1", "/processors/find_silence/2"]
    again = disco(home, "reprocess", "--processor", "find_silence", "--project", "Band", "--json").json
    assert (again["answers"], again["projects"]) == (0, 1)
    assert "already" in disco(home, "reprocess").out
    assert disco(home, "verify", "--json").json["clean"]
    assert disco(home, "replay", "--json").json["same"]
    digests = {view["name"]: view["digest"] for view in disco(home, "views", "--digests", "--json").json}
    disco(home, "export", tmp_path / "log.tar")
    assert disco(tmp_path / "copy", "import-log", tmp_path / "log.tar", "--json").json["digests"] == digests
    assert disco(tmp_path / "copy", "reprocess", "--json").json["answers"] == 0


@pytest.mark.usefixtures("newer")
def test_what_is_asked_for_without_waiting_is_done_by_who_comes_next(disco: Disco, home: Path) -> None:
    """Given a request that nobody waits for, then nothing is known yet; the next to wait finds it done."""
    asked = disco(home, "reprocess", "--no-wait", "--json").json
    assert (asked["answers"], asked["failed"]) == (None, None)
    assert disco(home, "job", asked["job"], "--json").json["pending"] == 1
    assert disco(home, "reprocess", "--json").json["answers"] == 0
    assert disco(home, "job", asked["job"], "--json").json["answered"]["find_silence"] > 0


def test_an_unknown_processor_or_project_is_told(disco: Disco, home: Path, tmp_path: Path) -> None:
    """Given a name that is nobody's, then the answer says which there are; an empty folder has nothing to do."""
    told = disco(home, "reprocess", "--processor", "find_noise", "--json")
    assert (told.status, told.error["code"]) == (2, "malformed")
    assert "find_silence" in told.error["message"]
    assert disco(home, "reprocess", "--project", "Nowhere", "--json").error["code"] == "not_found"
    assert disco(tmp_path / "empty", "reprocess", "--json").json["projects"] == 0
