"""Reads as of a moment: every field answers as it did then, and so does all that hangs on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from domain import ids
from domain.views import Kind
from events.resources import (
    ProjectCreated,
    ResourceArchived,
    ResourceMoved,
    ResourceRenamed,
    ResourceTagged,
    TrackCreated,
)
from infra.base import BaseDisco
from tests.api.conftest import Ask
from tests.api.making import Catalogue


@dataclass(frozen=True)
class Turned:
    """A catalogue in which all was changed after a moment: what was asked for at it, as position and as time."""

    made: Catalogue
    position: str
    time: str
    track: str


@pytest.fixture
def turned(service: BaseDisco, made: Catalogue) -> Turned:
    """What the catalogue was at the moment is told by the same queries without `asOf`, asked before the changes."""
    track = ids.track_id(made.project, "Side A")
    made.append(TrackCreated(track_id=track, project_id=made.project, name="Side A"))
    head = service.log.head()
    service.views.wait(head)
    return Turned(made, str(head), service.log.at([head])[head].time.isoformat(), track)


def _change_everything(service: BaseDisco, turned: Turned) -> None:
    made = turned.made
    song, band = made.assets["song"], made.assets["band"]
    made.append(
        ResourceRenamed(resource_id=song, name="anthem"),
        ResourceRenamed(resource_id=made.project, name="Tour"),
        ResourceTagged(resource_id=song, added=("loud",)),
        ResourceMoved(resource_id=song, from_id=made.project, to_id=turned.track),
        ResourceArchived(resource_id=band),
    )
    another = Catalogue(service, ids.project_id("Another"), begun_us=made.begun_us + 100_000_000)
    another.append(ProjectCreated(project_id=another.project, name="Another"))
    made.analysed(song, lufs=-3.0, seed=5)
    made.generated("choir", [made.assets["other"]], seed=3)
    service.views.wait(service.log.head())


QUERIES = {
    "project": "project(id: $project@) { name version }",
    "projects": "projects(@) { totalCount nodes { name } }",
    "resources": "resources(filter: {kinds: [ASSET]}@) { totalCount nodes { name tags archived analyses { facts } } }",
    "by name": 'resources(filter: {nameContains: "song", container: $project}@) { totalCount nodes { id } }',
    "resource": """resource(id: $song@) { name tags container { name } project { name } analyses { id }
        history { nodes { type resource { name } } } versions { name }
        relations(direction: DOWN) { nodes { node { name archived } } } }""",
    "search": 'search(text: "song"@) { nodes { resource { id name tags project { name } } } }',
    "similar": "similar(id: $song@) { nodes { score resource { name } } }",
    "series": 'series(name: "loudness_lufs"@) { nodes { time mean subject } }',
    "series names": "seriesNames(project: $project@)",
    "lineage": """lineage(id: $band@) { nodes { name resource { name container { name } } }
        links { because { resource { name tags } } } edges { node { resource { name } } } }""",
    "impact": "impact(id: $song@) { nodes { effect node { name archived resource { name archived } } } }",
}


def test_as_of_a_moment_every_field_answers_what_it_answered_then(ask: Ask, service: BaseDisco, turned: Turned) -> None:
    """Given answers, when everything has changed since, then the same is told as of then, and something else now.

    The moment may be told as a position or as a time.
    """
    made = turned.made
    variables = {"project": made.project, "song": made.assets["song"], "band": made.assets["band"]}

    def answer(name: str, moment: str) -> dict[str, Any]:
        body = (
            QUERIES[name].replace("(@)", f"({moment})" if moment else "").replace("@", f", {moment}" if moment else "")
        )
        used = "".join(f"${variable}: ID! " for variable in variables if f"${variable}" in body)
        return ask(f"query {f'({used})' if used else ''} {{ {body} }}", **variables)

    before = {name: answer(name, "") for name in QUERIES}
    _change_everything(service, turned)
    for name, told in before.items():
        for moment in (turned.position, turned.time):
            then = answer(name, f'asOf: "{moment}"')
            if name == "search":
                for answered in (told, then):  # the order of words' weights is that of the hits of then
                    answered["search"]["nodes"].sort(key=lambda node: node["resource"]["id"])
            assert then == told, (name, moment)
        if name != "series names":
            assert answer(name, "") != told, name


def test_what_came_later_is_not_found_as_of_before(ask: Ask, refuse: Ask, service: BaseDisco, turned: Turned) -> None:
    """Given a project begun after a moment, then as of it there is no such project, and no past of it."""
    _change_everything(service, turned)
    query = f'query($id: ID!) {{ project(id: $id, asOf: "{turned.position}") {{ id }} }}'
    assert refuse(query, id=ids.project_id("Another"))["code"] == "not_found"
    query = f'query($id: ID!) {{ similar(id: $id, asOf: "{turned.position}") {{ nodes {{ score }} }} }}'
    assert refuse(query, id=turned.made.assets["choir"])["code"] == "not_found"
    assert refuse('{ projects(asOf: "soon") { totalCount } }')["code"] == "malformed"


def test_pages_of_the_past_go_on_where_they_ended(ask: Ask, service: BaseDisco, turned: Turned) -> None:
    """Given a list of the past in pages, when all has changed between them, then the pages are the list as it was."""
    query = """query($at: Moment, $after: Cursor) { resources(filter: {kinds: [ASSET, GENERATION]}, asOf: $at, first: 1,
        after: $after) { totalCount nodes { name kind } pageInfo { hasNextPage endCursor } } }"""
    found, cursor, more = [], None, True
    while more:
        page = ask(query, at=turned.position, after=cursor)["resources"]
        if cursor is None:
            _change_everything(service, turned)
        found += page["nodes"]
        more, cursor = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        assert page["totalCount"] == 4
    assert [node["name"] for node in found] == ["song", "band", "band", "other"]
    assert {node["kind"] for node in found} == {Kind.ASSET.name, Kind.GENERATION.name}
