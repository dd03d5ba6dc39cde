"""Every kind of resource can be named, tagged, described and archived; one analysis is as good as any asset."""

from __future__ import annotations

from typing import Any

import pytest

from domain import ids
from infra.disco import Disco
from tests.api.conftest import Ask
from tests.api.making import Catalogue

KINDS = ("PROJECT", "TRACK", "ASSET", "ANALYSIS", "GENERATION", "MODEL_VERSION", "EXPORT")
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "rename": ('name: "Nightingale"', {"name": "Nightingale"}),
    "tag": ('add: ["nightingale"]', {"tags": ["nightingale"]}),
    "describe": ('changes: {bird: "nightingale"}', {"metadata": {"bird": "nightingale"}}),
    "archive": ("", {"archived": True}),
    "restore": ("", {"archived": False}),
}
TOLD = "kind variant name tags metadata archived version facts created"


@pytest.fixture
def subjects(ask: Ask, made: Catalogue) -> dict[str, str]:
    """One resource of every kind."""
    song = made.assets["song"]
    track = ask(
        'mutation($p: ID!) { createTrack(projectId: $p, name: "One") { resourceId resource { id } } }', p=made.project
    )
    export = ask("mutation($id: ID!) { exportLineage(id: $id, format: PROV) { resourceId resource { id } } }", id=song)
    asset = ask("query($id: ID!) { resource(id: $id) { analyses { id kind } } }", id=song)["resource"]
    (analysis,) = [found["id"] for found in asset["analyses"] if found["kind"] == "loudness"]
    return {
        "PROJECT": made.project,
        "TRACK": track["createTrack"]["resourceId"],
        "ASSET": song,
        "ANALYSIS": analysis,
        "GENERATION": ids.derived("test generation", made.project, "band"),
        "MODEL_VERSION": ids.model_version_id("accompaniment", "1"),
        "EXPORT": export["exportLineage"]["resourceId"],
    }


def _resource(ask: Ask, id: str, **how: str) -> dict[str, Any]:
    query = (
        f"query($id: ID!, $at: Moment, $after: Cursor) {{ resource(id: $id, asOf: $at, after: $after) {{ {TOLD} }} }}"
    )
    found: dict[str, Any] = ask(query, id=id, **how)["resource"]
    return found


def _mutation(change: str) -> str:
    arguments = f"id: $id, {CHANGES[change][0]}, expectedVersion: $v, commandId: $c"
    answer = f"{{ token written job resource {{ {TOLD} }} }}"
    return f"mutation($id: ID!, $v: Int, $c: String) {{ {change}({arguments}) {answer} }}"


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_resource_changes_in_any_way(
    ask: Ask, refuse: Ask, service: Disco, subjects: dict[str, str], kind: str, change: str
) -> None:
    """Given a resource of any kind, when changed at the version seen, then it shows that, and its history tells it.

    At another version it is a conflict; the same command again writes nothing and answers as at first; before the
    change it is as it was; the views made anew say the same.
    """
    id, mutation, expect = subjects[kind], _mutation(change), CHANGES[change][1]
    if change == "restore":
        ask(_mutation("archive"), id=id)
    before, head = _resource(ask, id), service.log.head()
    assert before["kind"] == kind
    error = refuse(mutation, id=id, v=before["version"] + 1)
    assert (error["code"], error["details"]["current"]) == ("conflict", before["version"])
    done = ask(mutation, id=id, v=before["version"], c="k")[change]
    after = done["resource"]
    assert done["written"] == 1
    assert {**before, **expect, "version": after["version"]} | {
        "metadata": {**before["metadata"], **after["metadata"]}
    } == after
    assert expect.get("metadata", {}).items() <= after["metadata"].items()
    assert after["version"] > before["version"]
    for again in (ask(mutation, id=id, v=before["version"], c="k"), ask(mutation, id=id)):
        assert again[change]["written"] == 0
        assert again[change]["token"] == done["token"]
    assert service.log.head() == head + 1
    assert _resource(ask, id, at=str(head)) == before
    history = ask("query($id: ID!) { resource(id: $id) { history(first: 100) { nodes { type actor } } } }", id=id)
    last = {"archive": "archived", "tag": "tagged"}.get(change, f"{change}d")
    assert history["resource"]["history"]["nodes"][-1] == {"type": f"disco.resource.{last}", "actor": "local"}
    assert list(service.differences()) == []
    digests = service.views.digests()
    service.rebuild()
    assert service.views.digests() == digests
    assert _resource(ask, id) == after


@pytest.mark.parametrize("change", ["rename", "tag", "describe"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_resource_is_found_by_what_was_said_of_it(
    ask: Ask, subjects: dict[str, str], kind: str, change: str
) -> None:
    """Given a resource of any kind, then search and its list find it by what was said; archived, only who asks."""
    id, search = subjects[kind], 'query { search(text: "nightingale") { nodes { resource { id kind facts } } } }'
    listed = "query($f: ResourceFilter) { resources(filter: $f) { totalCount nodes { id facts } } }"
    wanted = {"kinds": [kind], **({"tag": "nightingale"} if change == "tag" else {})}
    ask(_mutation(change), id=id)
    facts = _resource(ask, id)["facts"]
    assert ask(search)["search"]["nodes"] == [{"resource": {"id": id, "kind": kind, "facts": facts}}]
    assert {"id": id, "facts": facts} in ask(listed, f=wanted)["resources"]["nodes"]
    ask(_mutation("archive"), id=id)
    assert ask(search)["search"]["nodes"] == []
    assert id not in [node["id"] for node in ask(listed, f=wanted)["resources"]["nodes"]]
    assert id in [node["id"] for node in ask(listed, f={**wanted, "archived": True})["resources"]["nodes"]]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ASSET"])
def test_only_assets_move_and_have_versions(refuse: Ask, made: Catalogue, subjects: dict[str, str], kind: str) -> None:
    """Given anything but an asset, when moved or linked as a version, then it is malformed."""
    for call in ("move(id: $id, toId: $to)", "linkVersion(id: $id, previousId: $to)"):
        to = made.project if "move" in call else made.assets["other"]
        error = refuse(f"mutation($id: ID!, $to: ID!) {{ {call} {{ job }} }}", id=subjects[kind], to=to)
        assert error["code"] == "malformed"


def test_an_analysis_nobody_changed_is_found_through_its_asset(ask: Ask, subjects: dict[str, str]) -> None:
    """Given a finding, then it is a resource at version 0, its history begins with the finding; lists know it later."""
    id = subjects["ANALYSIS"]
    query = """query($id: ID!) { resource(id: $id) { version name facts history { nodes { type } }
        relations(relations: [ANALYSED_AS]) { nodes { direction node { id } } } } }"""
    found = ask(query, id=id)["resource"]
    assert (found["version"], found["name"], found["facts"]["integrated_lufs"]) == (0, "loudness", -14.0)
    assert found["history"]["nodes"] == [{"type": "disco.loudness.measured"}]
    assert found["relations"]["nodes"] == [{"direction": "UP", "node": {"id": subjects["ASSET"]}}]
    listed = "{ resources(filter: {kinds: [ANALYSIS]}) { totalCount nodes { id facts } } }"
    assert ask(listed)["resources"]["totalCount"] == 0
    ask(_mutation("tag"), id=id)
    assert ask(listed)["resources"] == {"totalCount": 1, "nodes": [{"id": id, "facts": found["facts"]}]}
    assert ask(query, id=id)["resource"]["history"]["nodes"][1:] == [{"type": "disco.resource.tagged"}]


def test_a_changed_analysis_is_so_in_lineages(ask: Ask, made: Catalogue, subjects: dict[str, str]) -> None:
    """Given an analysis renamed and archived, then walks name it so, and as of before they do not."""
    head = str(made.service.log.head())
    for change in ("rename", "archive"):
        ask(_mutation(change), id=subjects["ANALYSIS"])
    query = """query($id: ID!, $at: Moment) { lineage(id: $id, direction: DOWN, kinds: [ANALYSIS], asOf: $at) {
        nodes { id name archived } } }"""
    for at, told in ((None, ("Nightingale", True)), (head, ("loudness", False))):
        nodes = ask(query, id=subjects["ASSET"], at=at)["lineage"]["nodes"]
        assert [(n["name"], n["archived"]) for n in nodes if n["id"] == subjects["ANALYSIS"]] == [told]


def test_the_lineage_of_an_analysis_is_exported(ask: Ask, made: Catalogue, subjects: dict[str, str]) -> None:
    """Given an analysis, when its lineage is exported, then the export is derived from it."""
    mutation = "mutation($id: ID!) { exportLineage(id: $id, format: PROV) { resourceId resource { id } } }"
    export = ask(mutation, id=subjects["ANALYSIS"])["exportLineage"]["resourceId"]
    query = "query($id: ID!) { lineage(id: $id, depth: 2) { nodes { id depth } } }"
    nodes = ask(query, id=export)["lineage"]["nodes"]
    assert [node["id"] for node in nodes] == [export, subjects["ANALYSIS"], subjects["ASSET"]]
    assert list(made.service.differences()) == []


def test_what_is_unknown_is_not_found(refuse: Ask, made: Catalogue) -> None:
    """Given an id of nothing, when changed in any way, then it is not found, and nothing is written."""
    head = made.service.log.head()
    for change in CHANGES:
        assert refuse(_mutation(change), id=ids.derived("nothing"))["code"] == "not_found"
    assert made.service.log.head() == head
