"""Questions to a data folder."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from api.access import LOCAL
from domain import ids
from domain.commands import CreateProject
from infra.disco import open_disco
from infra.settings import Settings
from tests.cli.conftest import Disco, Filled

SONG = "song"


def test_projects_and_their_counts(disco: Disco, filled: Filled) -> None:
    """Given a folder that was imported, when projects are listed, then it is one, with a track for each good file."""
    (project,) = (item for item in disco(filled.home, "projects", "--json").json if item["name"] == "Band")
    assert project["id"] == ids.project_id("Band")
    assert project["counts"] == {"track": 2, "asset": 4, "generation": 1}
    assert "Band" in disco(filled.home, "projects").out


def test_show_by_the_beginning_of_an_id(disco: Disco, filled: Filled) -> None:
    """Given an asset, when shown by eight digits, then its facts, findings and content are told."""
    asset = filled.assets[SONG]
    shown = disco(filled.home, "show", asset[:8].upper(), "--json").json
    assert shown["id"] == asset
    assert shown["facts"]["rate_hz"] == 44_100
    assert {"levels", "loudness", "beats", "key", "chords", "embedding"} <= set(shown["analyses"])
    assert Path(shown["path"]).read_bytes() == (filled.files / "song.wav").read_bytes()
    said = disco(filled.home, "show", asset[:8]).out
    assert asset in said
    assert "tempo_bpm" in said
    held = disco(filled.home, "show", ids.project_id("Band"), "--json").json["contents"]
    assert {"song", "tone"} <= {item["name"] for item in held if item["kind"] == "track"}


def test_an_ambiguous_beginning_lists_what_it_may_mean(disco: Disco, tmp_path: Path) -> None:
    """Given two projects whose ids begin alike, when one is asked for by that, then both are listed, with status 4."""
    seen: dict[str, str] = {}
    for number in count():
        name = f"P{number}"
        begun = ids.project_id(name)[:4]
        if begun in seen:
            break
        seen[begun] = name
    with open_disco(Settings(home=tmp_path), run=False) as service:
        for each in (seen[begun], name):
            service.execute(CreateProject(name=each), actor=LOCAL)
    told = disco(tmp_path, "show", begun, "--json")
    assert (told.status, told.error["code"]) == (4, "conflict")
    assert sorted(told.error["details"]["ids"]) == sorted([ids.project_id(seen[begun]), ids.project_id(name)])
    assert seen[begun] in told.error["message"]


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("show", "abc"), 2, "malformed"),
        (("show", "song"), 2, "malformed"),
        (("show", "00000000"), 3, "not_found"),
        (("lineage", "00000000-0000-0000-0000-000000000000"), 3, "not_found"),
        (("search", "x", "--project", "Nobody's"), 3, "not_found"),
        (("job", "00000000"), 3, "not_found"),
        (("events", "--after", "nonsense"), 2, "malformed"),
        (("replay", "--view", "nonsense"), 2, "malformed"),
        (("retry",), 2, "malformed"),
    ],
)
def test_errors_have_their_status_and_code(
    arguments: tuple[str, ...], status: int, code: str, disco: Disco, filled: Filled
) -> None:
    """Given a question without an answer, when asked, then its code and status say why, and no traceback shows."""
    told = disco(filled.home, *arguments, "--json")
    assert (told.status, told.error["code"]) == (status, code)
    said = disco(filled.home, *arguments)
    assert (said.status, said.out) == (status, "")
    assert said.err.startswith("disco: ")
    assert "Traceback" not in said.err


def test_lineage_up_names_inputs_generator_parameters_and_seed(disco: Disco, filled: Filled) -> None:
    """Given an accompaniment, when its lineage is walked up, then the song, the generator and its seed are in it."""
    rendered = filled.generated["audio"]["id"]
    walk = disco(filled.home, "lineage", rendered, "--json").json
    nodes = {node["id"]: node for node in walk["nodes"]}
    assert not walk["partial"]
    assert walk["nodes"][0]["why"]["processor"] == "render_notes"
    assert nodes[filled.assets[SONG]]["why"]["type"] == "disco.audio.imported"
    generation = nodes[filled.generated["generation"]]
    assert generation["facts"]["seed"] == 7
    assert generation["facts"]["parameters"]["style"] == "pop"
    assert {node["label"] for node in walk["nodes"] if node["kind"] == "model_version"} >= {"accompaniment 1"}
    used = {edge["upstream"] for edge in walk["edges"] if edge["relation"] == "used"}
    assert {nodes[id]["variant"] for id in used} == {"audio", "beats", "key", "chords"}


def test_the_tree_draws_each_node_once_and_points_to_it_elsewhere(disco: Disco, filled: Filled) -> None:
    """Given a lineage that comes together again, when drawn, then the song is expanded once and pointed to else."""
    said = disco(filled.home, "lineage", filled.generated["audio"]["id"]).out
    mentions = [line for line in said.splitlines() if filled.assets[SONG][:8] in line]
    assert len(mentions) > 1
    assert sum("shown elsewhere" not in line for line in mentions) == 1
    assert "seed 7" in said
    assert "by track_beats" in said


def test_lineage_down_by_kind_depth_and_moment(disco: Disco, filled: Filled) -> None:
    """Given the song, when walked down, then kinds, depth and an earlier moment narrow what is answered."""
    song = filled.assets[SONG]
    down = disco(filled.home, "lineage", song, "--down", "--json").json["nodes"]
    assert filled.generated["audio"]["id"] in {node["id"] for node in down}
    kinds = disco(filled.home, "lineage", song, "--down", "--kind", "generation", "--json").json["nodes"]
    assert [node["kind"] for node in kinds[1:]] == ["generation"]
    near = disco(filled.home, "lineage", song, "--down", "--depth", 1, "--json").json
    assert near["partial"]
    assert max(node["depth"] for node in near["nodes"]) == 1
    begun = next(node for node in down if node["kind"] == "generation")
    before = disco(filled.home, "lineage", song, "--down", "--as-of", begun["position"] - 1, "--json").json["nodes"]
    assert {node["kind"] for node in before} == {"asset", "analysis"}
    assert disco(filled.home, "lineage", song, "--as-of", "1999-12-31T23:59:59Z", "--json").error["code"] == "not_found"
    assert disco(filled.home, "lineage", song, "--as-of", "yesterday").status == 2


def test_lineage_as_prov_and_openlineage(disco: Disco, filled: Filled) -> None:
    """Given an accompaniment, when its lineage is asked for in a standard's form, then it is that standard's JSON."""
    rendered = filled.generated["audio"]["id"]
    prov = disco(filled.home, "lineage", rendered, "--format", "prov").json
    assert f"resource:{rendered}" in prov["entity"]
    runs = disco(filled.home, "lineage", rendered, "--format", "openlineage").json
    assert {run["eventType"] for run in runs} == {"COMPLETE"}


def test_impact_tells_what_must_go_and_what_is_stale(disco: Disco, filled: Filled) -> None:
    """Given the song, when its impact is asked for, then its analyses are stale and what was made of it must go."""
    found = disco(filled.home, "impact", filled.assets[SONG], "--json").json["impacts"]
    effects = {item["id"]: item["effect"] for item in found}
    assert effects[filled.generated["audio"]["id"]] == "must_go"
    assert {item["effect"] for item in found if item["kind"] == "analysis" and item["depth"] == 1} == {"stale"}


def test_search_and_similar(disco: Disco, filled: Filled) -> None:
    """Given the assets, when searched by a word and by sound, then the song is found, and never is its own likeness."""
    found = disco(filled.home, "search", "son", "--json").json
    assert filled.assets[SONG] in {item["id"] for item in found}
    alike = disco(filled.home, "similar", filled.assets[SONG], "--first", 2, "--json").json
    assert len(alike) == 2
    assert filled.assets[SONG] not in {item["id"] for item in alike}
    assert alike[0]["score"] >= alike[1]["score"]
    assert disco(filled.home, "search", "nothingofthiskind", "--json").json == []


def test_series(disco: Disco, filled: Filled) -> None:
    """Given measurements, when a series is asked for, then its points come, alone or in buckets."""
    assert "tempo_bpm" in disco(filled.home, "series", "--json").json
    points = disco(filled.home, "series", "loudness_lufs", "--project", "Band", "--json").json
    assert len(points) == 3
    (bucket,) = disco(filled.home, "series", "loudness_lufs", "--bucket", 3600 * 24 * 365 * 50, "--json").json
    assert bucket["count"] == 3


def test_events_are_cloudevents_and_resume_from_a_cursor(disco: Disco, filled: Filled) -> None:
    """Given the log, when read in two pieces by cursor, then the pieces are the whole, in order, nothing twice."""
    whole = disco(filled.home, "events", "--json").lines
    first = disco(filled.home, "events", "--first", 5, "--json").lines
    rest = disco(filled.home, "events", "--after", first[-1]["cursor"], "--json").lines
    assert first + rest == whole
    assert {item["specversion"] for item in whole} == {"1.0"}
    typed = disco(filled.home, "events", "--type", "disco.audio.imported", "--json").lines
    assert {item["subject"] for item in typed} == set(filled.assets.values())
    about = disco(filled.home, "events", "--subject", filled.assets[SONG][:8], "--json").lines
    assert {item["subject"] for item in about} == {filled.assets[SONG]}
    assert len(disco(filled.home, "events", "--project", "Band").out.splitlines()) < len(whole)


def test_jobs_views_and_dead_letters(disco: Disco, filled: Filled) -> None:
    """Given finished work, when asked, then nothing is pending, no view lags, and no letter is dead."""
    job = disco(filled.home, "job", filled.report["job"][:8], "--json").json
    assert (job["pending"], job["failed"], job["types"]["disco.audio.imported"]) == (0, 0, 2)
    assert filled.report["job"] in {item["id"] for item in disco(filled.home, "jobs", "--json").json}
    assert {view["lag"] for view in disco(filled.home, "views", "--json").json} == {0}
    assert disco(filled.home, "dead-letters", "--json").json == []


def test_save_writes_the_content(disco: Disco, filled: Filled, tmp_path: Path) -> None:
    """Given an asset, when saved, then the file has its bytes; a file that is there stays as it is."""
    saved = disco(filled.home, "save", filled.assets[SONG], tmp_path, "--json").json["path"]
    assert Path(saved).read_bytes() == (filled.files / "song.wav").read_bytes()
    assert disco(filled.home, "save", filled.assets[SONG], saved).status == 4


def test_every_answer_for_people_has_one_for_machines(disco: Disco, filled: Filled) -> None:
    """Given verbs that answer lists, when asked without --json, then they print something that is not JSON."""
    for words in (
        ("series",),
        ("jobs",),
        ("views",),
        ("dead-letters",),
        ("search", "song"),
        ("impact", filled.assets[SONG]),
    ):
        said = disco(filled.home, *words)
        assert said.status == 0
        assert said.out.strip()
        with pytest.raises(ValueError, match=r"Expecting value|Extra data"):
            json.loads(said.out)


def test_every_verb_that_looks_answers_as_of_a_moment(disco: Disco, home: Path, filled: Filled) -> None:
    """Given answers, when resources are renamed, tagged and archived, then --as-of tells the same, and now does not."""
    song, tone, made = filled.assets[SONG], filled.assets["tone"], filled.generated["audio"]["id"]
    verbs: tuple[tuple[object, ...], ...] = (
        ("projects",),
        ("show", song),
        ("show", ids.project_id("Band")),
        ("search", "song"),
        ("similar", song),
        ("series", "loudness_lufs"),
        ("impact", song),
        ("lineage", made),
    )
    position = disco(home, "events", "--json").lines[-1]["position"]
    before = {words: _told(disco, home, *words) for words in verbs}
    for change in (
        ("rename", song, "anthem"),
        ("rename", ids.project_id("Band"), "Group"),
        ("rename", made, "anthem, played"),
        ("archive", tone),
        ("import", filled.files / "song.wav", "--project", "Another"),
    ):
        assert disco(home, *change, "--json").status == 0, change
    for words, answer in before.items():
        assert _told(disco, home, *words, "--as-of", position) == answer, words
        assert _told(disco, home, *words) != answer, words
    assert disco(home, "show", song, "--as-of", "1999-12-31T23:59:59Z", "--json").error["code"] == "not_found"
    assert disco(home, "search", "song", "--as-of", "yesterday").status == 2


def _told(disco: Disco, home: Path, *words: object) -> Any:  # Any: JSON
    """An answer; of a search only what was found, since how much a word weighs depends on all documents there are."""
    answer = disco(home, *words, "--json").json
    return {item["id"]: item["name"] for item in answer} if words[0] == "search" else answer
