"""What can be asked of a catalogue, and what it answers."""

from __future__ import annotations

import pytest

from tests.api.conftest import Ask
from tests.api.making import Catalogue


def test_a_resource_tells_all_that_is_known_of_it(ask: Ask, made: Catalogue) -> None:
    """Given an analysed asset, when asked for, then its facts, findings, content, history and neighbours are there."""
    song = made.assets["song"]
    found = ask(
        """query($id: ID!) { resource(id: $id) {
            id kind variant name tags metadata archived version facts fileName
            container { id kind } project { id name }
            analyses { kind processor processorVersion facts }
            content { sha256 size mediaType url }
            history(first: 2) { nodes { type position } pageInfo { hasNextPage endCursor } }
            relations(relations: [ANALYSED_AS], direction: DOWN) { nodes { relation direction node { kind variant } } }
        } }""",
        id=song,
    )["resource"]
    assert found["kind"] == "ASSET"
    assert found["name"] == "song"
    assert found["metadata"] == {"tag:title": "song"}
    assert found["project"] == {"id": made.project, "name": "Demo"}
    assert found["facts"]["rate_hz"] == 44100
    assert {one["kind"] for one in found["analyses"]} == {"loudness", "beats", "key", "embedding"}
    assert found["analyses"][0]["processor"] == "analyse"
    assert found["content"]["size"] == str(len(b"audio song") * 100)
    assert found["content"]["url"] == f"/api/blobs/{found['content']['sha256']}"
    assert found["history"]["nodes"][0]["type"] == "disco.audio.imported"
    assert found["history"]["pageInfo"]["hasNextPage"] is True
    assert len(found["relations"]["nodes"]) == 4


def test_an_analysis_is_a_resource_too(ask: Ask, made: Catalogue) -> None:
    """Given a finding's id, when asked for as a resource, then it says what was found."""
    finding = ask("query($id: ID!) { resource(id: $id) { analyses { id kind facts } } }", id=made.assets["song"])
    loudness = next(one for one in finding["resource"]["analyses"] if one["kind"] == "loudness")
    found = ask("query($id: ID!) { resource(id: $id) { kind variant facts } }", id=loudness["id"])["resource"]
    assert found["kind"] == "ANALYSIS"
    assert found["facts"]["integrated_lufs"] == -14.0


def test_a_finding_tells_all_that_its_event_holds(ask: Ask, made: Catalogue) -> None:
    """Given findings of two assets, when asked for their data in one query, then each has its event's own."""
    query = "{ resources(filter: {kinds: [ASSET]}) { nodes { analyses { id kind facts data } } } }"
    found = [one for node in ask(query)["resources"]["nodes"] for one in node["analyses"]]
    logged = {event.id: event.json for event in made.service.log.read(0, limit=1000)}
    assert len(found) > 4
    for one in found:
        assert one["data"] == logged[one["id"]]
    assert next(one for one in found if one["kind"] == "beats")["data"]["beats_s"]


def test_a_resource_can_be_seen_as_it_was(ask: Ask, made: Catalogue) -> None:
    """Given a rename and tags, when asked as of the position before, then the old name and no tags are told."""
    song = made.assets["song"]
    before = str(made.service.log.head())
    ask('mutation($id: ID!) { rename(id: $id, name: "new") { token } }', id=song)
    token = ask('mutation($id: ID!) { tag(id: $id, add: ["live"]) { token } }', id=song)["tag"]["token"]
    query = "query($id: ID!, $at: Moment, $after: Cursor) { resource(id: $id, asOf: $at, after: $after) { name tags } }"
    assert ask(query, id=song, after=token)["resource"] == {"name": "new", "tags": ["live"]}
    assert ask(query, id=song, at=before)["resource"] == {"name": "song", "tags": []}
    assert ask(query, id=song, at="2099-01-01T00:00:00Z")["resource"]["name"] == "new"


def test_nothing_is_there_before_it_came(refuse: Ask, made: Catalogue) -> None:
    """Given an asset, when asked as of position 1, then it is not found, and the answer says so with its code."""
    error = refuse('query($id: ID!) { resource(id: $id, asOf: "1") { name } }', id=made.assets["song"])
    assert error["code"] == "not_found"
    assert error["data"] == {"resource": None}


def test_resources_come_in_pages(ask: Ask, made: Catalogue) -> None:
    """Given several resources, when paged one by one, then every one comes once, in order, and the count is right."""
    seen, after = [], None
    while True:
        page = ask(
            """query($after: Cursor) { resources(filter: {kinds: [ASSET]}, first: 1, after: $after) {
                totalCount edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage endCursor } } }""",
            after=after,
        )["resources"]
        assert page["totalCount"] == 3
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        seen += [edge["node"]["name"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == ["song", "band", "other"]


def test_lineage_says_why(ask: Ask, made: Catalogue) -> None:
    """Given a generated file, when walked up, then links name their events, the generation its seed; pages add up."""
    query = """query($id: ID!, $first: Int!, $after: Cursor) { lineage(id: $id, first: $first, after: $after) {
        nodes { id kind name depth facts }
        links { relation upstream downstream because { type actor processor processorVersion } }
        edges { cursor } partial pageInfo { hasNextPage endCursor } } }"""
    band = made.assets["band"]
    found = ask(query, id=band, first=50)["lineage"]
    generation = next(node for node in found["nodes"] if node["kind"] == "GENERATION")
    assert generation["facts"]["seed"] == 2**60
    assert generation["facts"]["parameters"] == {"style": "pop"}
    made_by = next(link for link in found["links"] if link["relation"] == "GENERATED_BY")
    assert made_by["upstream"] == generation["id"]
    assert made_by["because"] == {
        "type": "disco.midi.generated",
        "actor": "ada",
        "processor": "write_accompaniment",
        "processorVersion": "1",
    }
    seen, after = [], None
    while True:
        page = ask(query, id=band, first=1, after=after)["lineage"]
        seen += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == [node["id"] for node in found["nodes"]]


def test_later_pages_of_a_lineage_see_what_the_first_one_saw(ask: Ask, made: Catalogue) -> None:
    """Given the first page of a walk, when more is generated meanwhile, then the later pages do not shift."""
    query = """query($id: ID!, $first: Int!, $after: Cursor) {
        lineage(id: $id, direction: DOWN, first: $first, after: $after) {
            nodes { id } pageInfo { hasNextPage endCursor } } }"""
    song = made.assets["song"]
    whole = [node["id"] for node in ask(query, id=song, first=50)["lineage"]["nodes"]]
    first = ask(query, id=song, first=2)["lineage"]
    made.generated("late", [song])
    made.service.views.wait(made.service.log.head())
    rest = ask(query, id=song, first=50, after=first["pageInfo"]["endCursor"])["lineage"]
    assert [node["id"] for node in first["nodes"] + rest["nodes"]] == whole


def test_impact_tells_what_is_stale_and_what_must_go(ask: Ask, made: Catalogue) -> None:
    """Given an asset with findings and generations, when it goes, then findings are stale and the rest must go."""
    found = ask(
        "query($id: ID!) { impact(id: $id) { nodes { effect relation through node { kind name } } } }",
        id=made.assets["song"],
    )["impact"]["nodes"]
    effects = {(one["node"]["kind"], one["effect"]) for one in found}
    assert effects == {("ANALYSIS", "STALE"), ("GENERATION", "MUST_GO"), ("ASSET", "MUST_GO")}
    assert all(one["through"] for one in found)
    assert len(found) == 6


def test_an_impact_comes_in_pages(ask: Ask, made: Catalogue) -> None:
    """Given an impact, when paged one by one, then the same comes as at once, and only the last page is the whole."""
    query = """query($id: ID!, $first: Int!, $after: Cursor) { impact(id: $id, first: $first, after: $after) {
        nodes { node { id } } partial reason pageInfo { hasNextPage endCursor } } }"""
    song = made.assets["song"]
    whole = ask(query, id=song, first=50)["impact"]
    assert (whole["partial"], whole["reason"]) == (False, None)
    seen, after, more = [], None, True
    while more:
        page = ask(query, id=song, first=1, after=after)["impact"]
        seen += page["nodes"]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert len(page["nodes"]) == 1
        assert (page["partial"], page["reason"]) == (more, "count" if more else None)
    assert seen == whole["nodes"]


def test_an_impact_that_is_cut_short_says_so(ask: Ask, made: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a limit that is met on the way, when an impact is asked for, then it is partial and says which."""
    made.generated("again", [made.assets["band"]])
    made.service.views.wait(made.service.log.head())
    for name, value, reason in (("MOST_STEPS", 1, "depth"), ("DEADLINE_S", -1.0, "deadline")):
        with monkeypatch.context() as limited:
            limited.setattr(f"api.graphql.lineage.{name}", value)
            found = ask("query($id: ID!) { impact(id: $id) { partial reason } }", id=made.assets["song"])["impact"]
        assert found == {"partial": True, "reason": reason}


@pytest.mark.parametrize(
    ("kind", "field", "value", "told"),
    [
        ("Moment", "resource(id: $id, asOf: $v) { id }", {"position": "1"}, "position in the log"),
        ("Moment", "resource(id: $id, asOf: $v) { id }", True, "position in the log"),
        ("Moment", "resource(id: $id, asOf: $v) { id }", "9" * 501, "500"),
        ("Cursor", "resource(id: $id, after: $v) { id }", ["a"], "that an answer gave"),
        ("Long!", "generateAccompaniment(assetId: $id, seed: $v) { job }", 1.5, "whole number"),
        ("Long!", "generateAccompaniment(assetId: $id, seed: $v) { job }", "9" * 5000, "64 bits"),
    ],
)
def test_a_value_of_the_wrong_type_is_malformed_and_told(
    refuse: Ask, made: Catalogue, kind: str, field: str, value: object, told: str
) -> None:
    """Given a variable of the wrong type, when sent, then the error is malformed, names it and says what to give."""
    root = "mutation" if "generate" in field else "query"
    error = refuse(f"{root}($id: ID!, $v: {kind}) {{ {field} }}", id=made.assets["song"], v=value)
    assert error["code"] == "malformed"
    assert "$v" in error["message"]
    assert told in error["message"]


def test_a_literal_of_the_wrong_type_is_malformed(refuse: Ask, made: Catalogue) -> None:
    """Given literals that no scalar takes, when sent, then each is malformed, never a fault inside."""
    for value in ("{position: 1}", "1.5", "true", "9" * 5000):
        assert refuse(f'{{ resource(id: "{made.project}", asOf: {value}) {{ id }} }}')["code"] == "malformed", value


def test_words_and_sounds_are_found(ask: Ask, made: Catalogue) -> None:
    """Given two analysed assets, when searched by name and by likeness, then the right one comes, never itself."""
    hits = ask('{ search(text: "song") { nodes { score resource { id name } } } }')["search"]["nodes"]
    assert hits[0]["resource"]["id"] == made.assets["song"]
    near = ask("query($id: ID!) { similar(id: $id) { nodes { score resource { name } } } }", id=made.assets["song"])
    assert [hit["resource"]["name"] for hit in near["similar"]["nodes"]] == ["other"]


def test_measurements_come_in_time_and_in_buckets(ask: Ask, made: Catalogue) -> None:
    """Given two loudnesses, when asked one by one, then both come in order; in a bucket of a week, their mean."""
    seen, after = [], None
    for _ in range(2):
        page = ask(
            """query($p: ID, $after: Cursor) { series(name: "loudness_lufs", project: $p, first: 1, after: $after) {
                nodes { mean subject } pageInfo { hasNextPage endCursor } } }""",
            p=made.project,
            after=after,
        )["series"]
        seen += [point["mean"] for point in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert seen == [-14.0, -20.0]
    assert page["pageInfo"]["hasNextPage"] is False
    week = ask('{ series(name: "loudness_lufs", bucket: "1w") { nodes { count mean } } seriesNames }')
    assert sum(point["count"] for point in week["series"]["nodes"]) == 2
    assert "loudness_lufs" in week["seriesNames"]


def test_events_are_read_from_a_cursor(ask: Ask, made: Catalogue) -> None:
    """Given a log, when read by type in pages, then every event comes once, big numbers as text."""
    page = ask(
        """{ events(types: ["disco.audio.imported"], first: 1) {
            nodes { type position sequence data cursor resource { name } } pageInfo { hasNextPage endCursor } } }"""
    )["events"]
    assert page["nodes"][0]["data"]["name"] == "song"
    assert page["nodes"][0]["resource"] == {"name": "song"}
    assert isinstance(page["nodes"][0]["position"], str)
    rest = ask(
        'query($after: Cursor) { events(types: ["disco.audio.imported"], after: $after) { nodes { data } } }',
        after=page["pageInfo"]["endCursor"],
    )["events"]["nodes"]
    assert [event["data"]["name"] for event in rest] == ["other"]


def test_the_service_says_how_it_is(ask: Ask, made: Catalogue) -> None:
    """Given a failure, when asked, then views, the job and the dead letter are told."""
    found = ask(
        """{ views { name version position lag state }
             job(id: "job-1") { failed pending done types }
             deadLetters { nodes { id resourceId processor code message attempts resource { name } } } }"""
    )
    assert {view["lag"] for view in found["views"]} == {"0"}
    assert found["job"]["failed"] == 1
    assert found["deadLetters"]["nodes"][0]["resource"] == {"name": "other"}


def test_what_makes_no_sense_is_refused_with_its_code(refuse: Ask, made: Catalogue) -> None:
    """Given bad ids, cursors, moments, types and widths, when asked, then each is malformed and names its field."""
    song = made.assets["song"]
    for query in (
        '{ resource(id: "nonsense") { id } }',
        '{ events(after: "nonsense") { nodes { id } } }',
        '{ events(types: ["disco.nothing"]) { nodes { id } } }',
        f'{{ resource(id: "{song}", asOf: "yesterday") {{ id }} }}',
        '{ series(name: "x", bucket: "soon") { name } }',
    ):
        assert refuse(query)["code"] == "malformed"
    assert refuse("query($id: ID!) { lineage(id: $id, depth: 0) { partial } }", id=song)["code"] == "limit_exceeded"
    assert refuse('{ job(id: "none") { id } }')["code"] == "not_found"
    assert refuse('{ resource(id: "00000000-0000-0000-0000-000000000000") { id } }')["code"] == "not_found"
