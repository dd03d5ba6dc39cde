"""What can be done, and that doing it twice is doing it once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.threads import READERS
from domain.handling import Done
from domain.ids import ResourceId
from domain.ports import Token
from domain.service import Imported
from infra.base import BaseDisco
from tests.api.client import Client
from tests.api.conftest import Ask
from tests.api.making import Catalogue

WRITTEN = "{ resourceId token job written resource { name tags metadata archived version } }"


def test_a_write_is_seen_by_a_read_that_holds_its_token(ask: Ask) -> None:
    """Given a project that was just begun, when read after its token, then it is there."""
    done = ask('mutation { createProject(name: "Album") { resourceId token } }')["createProject"]
    found = ask(
        """query($id: ID!, $after: Cursor) {
            project(id: $id, after: $after) { name } projects(after: $after) { nodes { id } } }""",
        id=done["resourceId"],
        after=done["token"],
    )
    assert found["project"]["name"] == "Album"
    assert done["resourceId"] in [node["id"] for node in found["projects"]["nodes"]]


def test_the_same_command_id_writes_once(ask: Ask) -> None:
    """Given a command that was carried out, when sent again under its id, then nothing is written, same answer."""
    query = 'mutation { createProject(name: "Once", commandId: "c-1") { resourceId token job written } }'
    first, again = ask(query)["createProject"], ask(query)["createProject"]
    assert (first["written"], again["written"]) == (1, 0)
    assert {**first, "written": 0} == again


def test_every_change_answers_with_the_resource(ask: Ask, made: Catalogue) -> None:
    """Given an asset, when changed in every way, then each answer shows the resource after the change."""
    song, other = made.assets["song"], made.assets["other"]
    track = ask(f'mutation($p: ID!) {{ createTrack(projectId: $p, name: "One") {WRITTEN} }}', p=made.project)[
        "createTrack"
    ]
    for call, expect in (
        (f'rename(id: "{song}", name: "new")', {"name": "new"}),
        (f'tag(id: "{song}", add: ["a", "b"])', {"tags": ["a", "b"]}),
        (f'tag(id: "{song}", remove: ["a"])', {"tags": ["b"]}),
        (f'describe(id: "{song}", changes: {{mood: "calm"}})', {"metadata": {"tag:title": "song", "mood": "calm"}}),
        (f'archive(id: "{song}")', {"archived": True}),
        (f'restore(id: "{song}")', {"archived": False}),
        (f'move(id: "{song}", toId: "{track["resourceId"]}")', {"name": "new"}),
        (f'linkVersion(id: "{other}", previousId: "{song}")', {"name": "other"}),
    ):
        answer = next(iter(ask(f"mutation {{ {call} {WRITTEN} }}").values()))
        assert answer["written"] == 1
        assert answer["resource"].items() >= expect.items()
    versions = ask("query($id: ID!) { resource(id: $id) { versions { id } container { name } } }", id=song)["resource"]
    assert [one["id"] for one in versions["versions"]] == [song, other]
    assert versions["container"] == {"name": "One"}


def test_what_is_archived_is_not_similar_unless_asked_for(ask: Ask, made: Catalogue) -> None:
    """Given two assets that sound alike, when one is archived, then the other finds it only where archived ones are."""
    song, other = made.assets["song"], made.assets["other"]
    query = "query($id: ID!, $a: Boolean! = false) { similar(id: $id, archived: $a) { nodes { resource { id } } } }"
    hit = [{"resource": {"id": song}}]
    assert ask(query, id=other)["similar"]["nodes"] == hit
    ask("mutation($id: ID!) { archive(id: $id) { resource { id } } }", id=song)
    assert ask(query, id=other)["similar"]["nodes"] == []
    assert ask(query, id=other, a=True)["similar"]["nodes"] == hit


def test_a_change_decided_on_an_old_version_is_a_conflict(ask: Ask, refuse: Ask, made: Catalogue) -> None:
    """Given a resource that moved on, when changed with the version seen before, then a conflict names the current."""
    song = made.assets["song"]
    version = ask("query($id: ID!) { resource(id: $id) { version } }", id=song)["resource"]["version"]
    query = "mutation($id: ID!, $v: Int, $n: String!) { rename(id: $id, name: $n, expectedVersion: $v) { written } }"
    ask(query, id=song, v=version, n="b")
    error = refuse(query, id=song, v=version, n="c")
    assert error["code"] == "conflict"
    assert error["details"]["current"] > version


def test_a_generation_names_its_inputs(ask: Ask, refuse: Ask, made: Catalogue) -> None:
    """Given an asset without chords, when accompanied, then the conflict says what is missing."""
    error = refuse(
        'mutation($id: ID!) { generateAccompaniment(assetId: $id, seed: "7") { job } }', id=made.assets["song"]
    )
    assert error["code"] == "conflict"
    assert "chords" in error["message"]


def test_a_dead_letter_is_retried_once(ask: Ask, made: Catalogue) -> None:
    """Given a dead letter, when retried, then it is among the dead letters no more."""
    letter = ask("{ deadLetters { nodes { id resourceId } } }")["deadLetters"]["nodes"][0]
    done = ask(
        "mutation($r: ID!, $f: ID!) { retry(resourceId: $r, failureId: $f) { token written } }",
        r=letter["resourceId"],
        f=letter["id"],
    )["retry"]
    left = ask("query($after: Cursor) { deadLetters(after: $after) { nodes { id } } }", after=done["token"])
    assert left["deadLetters"]["nodes"] == []


def test_reprocessing_is_asked_for_by_name_and_once(ask: Ask, refuse: Ask, service: BaseDisco, made: Catalogue) -> None:
    """Given a project, when reprocessed, twice by one commandId, then it is asked for once, its job has it to come.

    A processor or project that is not there, or a resource that is no project, is refused.
    """
    mutation = """mutation($p: ID!, $n: [String!], $c: String) {
        reprocess(projectId: $p, processors: $n, commandId: $c) { resourceId written job token }
    }"""
    first, second = (
        ask(mutation, p=made.project, n=["track_beats"], c="00000000-0000-4000-8000-000000000001")["reprocess"]
        for _ in range(2)
    )
    assert (first["written"], second["written"]) == (1, 0)
    assert (first["resourceId"], first["token"]) == (made.project, second["token"])
    (event,) = service.log.read(service.log.head() - 1)
    assert (event.type, event.actor) == ("disco.reprocessing.requested", "local")
    job = ask(
        "query($j: ID!, $t: Cursor) { job(id: $j, after: $t) { pending done } }", j=first["job"], t=first["token"]
    )
    assert job == {"job": {"pending": 1, "done": False}}
    wrong = refuse(mutation, p=made.project, n=["track_beets"])
    assert wrong["code"] == "malformed"
    assert "track_beats" in wrong["message"], "it says what there is"
    assert refuse(mutation, p=made.assets["song"])["code"] == "malformed"
    assert refuse(mutation, p="00000000-0000-4000-8000-00000000000f")["code"] == "not_found"


def test_imports_under_way_keep_nobody_from_reading(
    ask: Ask, service: BaseDisco, made: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given more imports at work than there are readers, when read, then it is answered; no time is set for them."""
    free, under_way = threading.Event(), threading.Semaphore(0)

    def slow(sha256: str, **_: object) -> tuple[Imported, Done]:
        under_way.release()
        assert free.wait(30)
        asset = ResourceId(made.assets["song"])
        return Imported("song.wav", asset, made.project, False), Done(asset, "job-1", Token(made.project, 1, 1), 0)

    monkeypatch.setattr(service, "import_blob", slow)
    monkeypatch.setattr("api.graphql.engine.QUERY_S", 5.0)
    query = """mutation($s: String!, $p: ID!) {
        importBlob(sha256: $s, fileName: "a.wav", projectId: $p) { resourceId new written } }"""
    count = READERS + 2
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(ask, query, s="0" * 64, p=made.project) for _ in range(count)]
        try:
            assert all(under_way.acquire(timeout=10) for _ in range(count))
            assert ask("{ projects { nodes { name } } }")["projects"]["nodes"] == [{"name": "Demo"}]
            monkeypatch.setattr("api.graphql.engine.QUERY_S", 0.0)
            asked.append(pool.submit(ask, query, s="0" * 64, p=made.project))
        finally:
            free.set()
        for one in asked:
            told = one.result(30)["importBlob"]
            assert told == {"resourceId": made.assets["song"], "new": False, "written": 0}


def test_a_blob_that_is_not_there_is_not_imported(refuse: Ask, made: Catalogue) -> None:
    """Given a blob that is not there, when imported, then it is not found."""
    error = refuse(
        'mutation($s: String!, $p: ID!) { importBlob(sha256: $s, fileName: "a.wav", projectId: $p) { job } }',
        s="0" * 64,
        p=made.project,
    )
    assert error["code"] == "not_found"


@pytest.mark.parametrize("format", ["PROV", "OPENLINEAGE"])
def test_an_export_is_remembered(ask: Ask, client: Client, made: Catalogue, format: str) -> None:
    """Given a lineage, when exported, then the export is a resource whose content is the document."""
    done = ask(
        """mutation($id: ID!, $f: ExportFormat!) {
            exportLineage(id: $id, format: $f) { resource { kind content { url } } } }""",
        id=made.assets["band"],
        f=format,
    )["exportLineage"]
    assert done["resource"]["kind"] == "EXPORT"
    assert client.get(done["resource"]["content"]["url"]).json()


def test_fields_that_do_not_fit_are_named(refuse: Ask, made: Catalogue) -> None:
    """Given an empty name and a tag with a blank, when written, then the error names the field."""
    assert refuse('mutation { createProject(name: "") { job } }')["details"]["field"] == "name"
    error = refuse('mutation($id: ID!) { tag(id: $id, add: ["a b"]) { job } }', id=made.assets["song"])
    assert error["code"] == "malformed"
