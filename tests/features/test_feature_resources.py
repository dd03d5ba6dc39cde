"""Resources change: names, tags, places, versions, in and out of the archive; and the past stays as it was."""

from __future__ import annotations

import pytest

from domain import ids
from domain.commands import (
    ArchiveResource,
    CreateProject,
    CreateTrack,
    DescribeResource,
    LinkVersion,
    MoveResource,
    RenameResource,
    RestoreResource,
    TagResource,
)
from domain.errors import Conflict
from domain.views import AsOf, Direction, Filter, Relation
from tests.given import ADA, Given, sine


def _assets(quick: Given, count: int) -> list[str]:
    return [quick.given_audio(sine(200.0 + number, seconds=0.02), name=f"take {number}") for number in range(count)]


def test_a_version_is_linked_and_walked_both_ways(quick: Given) -> None:
    """Given three mixes, each a newer version of the last, then the newest's ancestors are the others, and so back."""
    first, second, third = _assets(quick, 3)
    quick.when(LinkVersion(resource_id=second, previous_id=first))
    quick.when(LinkVersion(resource_id=third, previous_id=second))
    graph = quick.service.views.graph
    up = graph.lineage(third, Direction.UP, relations=(Relation.VERSION_OF,))
    assert [(node.id, node.depth) for node in up.nodes] == [(third, 0), (second, 1), (first, 2)]
    down = graph.lineage(first, Direction.DOWN, relations=(Relation.VERSION_OF,))
    assert [node.id for node in down.nodes] == [first, second, third]
    with pytest.raises(Conflict):
        quick.when(LinkVersion(resource_id=first, previous_id=third))


def test_what_is_archived_is_out_of_the_way_and_comes_back_as_it_was(quick: Given) -> None:
    """Given an archived asset, then lists and search leave it out, its lineage does not, and it comes back."""
    asset, other = _assets(quick, 2)
    quick.when(TagResource(resource_id=asset, add=("keep",)))
    documents = quick.settled().service.views.documents
    before = documents.get(asset)
    quick.when(ArchiveResource(resource_id=asset))
    assets = Filter(kinds=("asset",))
    assert [document["id"] for _, document in documents.page(assets)[0]] == [other]
    assert asset not in [hit.id for hit in documents.search("take")]
    assert documents.count(Filter(kinds=("asset",), archived=True)) == 2
    assert quick.service.views.graph.node(asset).archived
    assert len(quick.service.views.graph.lineage(asset, Direction.DOWN).nodes) > 1
    quick.when(RestoreResource(resource_id=asset))
    after = documents.get(asset)
    same = ("name", "tags", "metadata", "container", "analyses", "archived")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert asset in [hit.id for hit in documents.search("take")]


def test_a_resource_s_past_can_be_asked_for_by_position_and_by_time(quick: Given) -> None:
    """Given an asset renamed, moved and archived, then as of before each, it is what it was; before import, unknown."""
    (asset,) = _assets(quick, 1)
    project = ids.project_id("Tests")
    track = quick.when(CreateTrack(project_id=project, name="Side A")).resource_id
    commands = (
        RenameResource(resource_id=asset, name="renamed"),
        MoveResource(resource_id=asset, to_id=track),
        ArchiveResource(resource_id=asset),
    )
    moments = []
    for command in commands:
        token = quick.when(command).token
        assert token is not None
        moments.append(token.position)

    def then(as_of: AsOf) -> tuple[str, bool, str]:
        graph = quick.service.views.graph
        node = graph.node(asset, as_of)
        (above,) = graph.neighbours([asset], Relation.CONTAINS, Direction.UP, as_of)[asset]
        return node.label, node.archived, above.id

    expected = [
        ("take 0", False, project),
        ("renamed", False, project),
        ("renamed", False, track),
        ("renamed", True, track),
    ]
    events = quick.service.log.at(moments)
    for number, moment in enumerate(moments):
        assert then(AsOf(moment - 1)) == expected[number]
        assert then(AsOf(moment)) == expected[number + 1]
        assert then(AsOf(time_us=events[moment].time_us)) == expected[number + 1]
    assert then(AsOf()) == expected[-1]
    assert quick.service.views.graph.nodes([asset], AsOf(2)) == {}


def test_a_project_is_found_by_its_whole_name_among_many_that_hold_it(quick: Given) -> None:
    """Given 120 projects with longer names, and one renamed to the name, then what is imported under it goes there."""
    for number in range(120):
        quick.service.execute(CreateProject(name=f"Mix {number}"), actor=ADA)
    project = quick.service.execute(CreateProject(name="Draft"), actor=ADA).resource_id
    quick.when(RenameResource(resource_id=project, name="Mix"))
    asset = quick.given_audio(sine(seconds=0.02), project="Mix")
    assert quick.settled().service.views.documents.get(asset)["project"] == project


def test_every_change_is_an_event_with_its_actor_and_raises_the_version(quick: Given) -> None:
    """Given a project changed four times, then four events say who did it, and the version expected follows along."""
    project = quick.when(CreateProject(name="P")).resource_id
    documents = quick.service.views.documents
    commands = (
        RenameResource(resource_id=project, name="Q"),
        TagResource(resource_id=project, add=("a", "b")),
        DescribeResource(resource_id=project, changes={"k": {"deep": [1, 2.5, None]}}),
        ArchiveResource(resource_id=project),
    )
    for command in commands:
        version = documents.get(project)["version"]
        with pytest.raises(Conflict):
            quick.when(command.model_copy(update={"expected_version": version + 1}))
        quick.when(command.model_copy(update={"expected_version": version}))
        assert documents.get(project)["version"] > version
    events = quick.service.log.about(project)
    assert [event.actor for event in events] == ["ada"] * 5
    document = documents.get(project)
    assert (document["name"], document["tags"], document["archived"]) == ("Q", ["a", "b"], True)
    assert document["metadata"] == {"k": {"deep": [1, 2.5, None]}}


def test_what_can_be_found_is_the_same_after_closing_and_a_replay(quick: Given) -> None:
    """Given a changed catalogue, when closed, opened and replayed, then every digest is as before."""
    assets = _assets(quick, 4)
    quick.when(TagResource(resource_id=assets[0], add=("x",)))
    quick.when(LinkVersion(resource_id=assets[1], previous_id=assets[0]))
    quick.given_midi()
    digests = quick.settled().service.views.digests()
    assert quick.reopened().settled().service.views.digests() == digests
    assert quick.replayed().service.views.digests() == digests
    assert list(quick.service.differences()) == []
