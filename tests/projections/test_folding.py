"""Every projection: pages twice, of any size, projects mixed in any way, give the same view; a view is a fold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import ids
from domain.resource import Happened, Resource, evolve
from domain.views import AsOf, Direction, Kind, Relation
from events.analyses import Analysis
from events.envelope import Proposed, Recorded
from events.generations import AudioRendered, MidiGenerated
from infra.embedded.database import Database
from infra.embedded.views import VIEWS, View, digest
from tests.builders import History, as_recorded, interleaved, library
from tests.spine import Spine, graph_of, ids_in, told

SEEDS = st.integers(0, 10_000)


def _mixed(seed: int, count: int = 40, names: Sequence[str] = ("a", "b", "c")) -> list[Proposed]:
    random = Random(seed)
    return interleaved([[library()], *(History(random, name).grow(count) for name in names)], random)


def _folded(folder: Path, view: View, pages: Sequence[Sequence[Recorded]], *, forgetful: bool = False) -> str:
    """The digest of a view after these pages, each flushed on its own; `forgetful` as if each came to a new process."""
    database = Database(folder / f"{view.name}.sqlite")
    with database.write() as connection:
        connection.execute(view.schema.format(t="t"))
        rows = view.rows(connection, "t", {})
        for page in pages:
            if forgetful:
                rows = view.rows(connection, "t", {})
            view.apply(rows, list(page))
            rows.flush()
        found = digest(view.content(connection, "t"))
    database.close()
    return found


def _cut(events: Sequence[Recorded], edges: Sequence[int]) -> list[Sequence[Recorded]]:
    return [events[start:end] for start, end in pairwise([0, *sorted(edges), len(events)])]


EDGES = st.lists(st.integers(0, 120), max_size=10)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
@settings(max_examples=15)
@given(seed=SEEDS, edges=EDGES)
def test_pages_of_any_size_give_the_same_view(
    tmp_path_factory: pytest.TempPathFactory, view: View, seed: int, edges: list[int]
) -> None:
    """Given a log, when folded in one page, in any pages, and event by event, then the views are equal."""
    events, folder = as_recorded(_mixed(seed)), tmp_path_factory.mktemp
    whole = _folded(folder("whole"), view, [events])
    assert _folded(folder("cut"), view, _cut(events, edges)) == whole
    assert _folded(folder("single"), view, [[event] for event in events]) == whole
    assert _folded(folder("forgetful"), view, [[event] for event in events], forgetful=True) == whole


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
@settings(max_examples=15)
@given(seed=SEEDS, edges=EDGES)
def test_pages_that_come_twice_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, view: View, seed: int, edges: list[int]
) -> None:
    """Given a log, when every page comes twice, every event comes twice, or all comes again, then nothing changes."""
    events, folder = as_recorded(_mixed(seed)), tmp_path_factory.mktemp
    once, pages = _folded(folder("once"), view, [events]), _cut(events, edges)
    assert _folded(folder("pages"), view, [page for page in pages for _ in range(2)]) == once
    assert _folded(folder("inside"), view, [[*page, *page] for page in pages]) == once
    assert _folded(folder("events"), view, [[event, event] for event in events]) == once
    assert _folded(folder("again"), view, [*pages, *pages]) == once


@settings(max_examples=12)
@given(seed=SEEDS, shuffle=SEEDS)
def test_projects_mixed_in_another_way_give_the_same_views_but_for_positions(
    tmp_path_factory: pytest.TempPathFactory, seed: int, shuffle: int
) -> None:
    """Given the same projects' events in another mixture, order within each project kept, then all answers are equal.

    Each project's past is too: as of its n-th event, wherever that lies.
    """
    logs = [_mixed(seed), []]
    by_project: dict[str, list[Proposed]] = {}
    for event in logs[0]:
        by_project.setdefault(event.project, []).append(event)
    logs[1] = interleaved(list(by_project.values()), Random(shuffle))
    answers, pasts = [], []
    for log in logs:
        with Spine(tmp_path_factory.mktemp("mixed") / "disco.sqlite") as spine:
            spine.append(log)
            spine.views.catch_up()
            events = spine.events()
            answers.append(told(spine.views, events))
            mine = [event for event in events if event.project == ids.project_id("a")]
            subjects = sorted({event.subject for event in mine})
            pasts.append([graph_of(spine.views.graph, subjects, AsOf(event.position))["nodes"] for event in mine[::8]])
    assert answers[0] == answers[1]
    assert pasts[0] == pasts[1]


@settings(max_examples=6)
@given(seed=SEEDS)
def test_the_graph_as_of_any_position_is_the_graph_folded_from_the_log_up_to_there(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Given a history, then at every position, all nodes, edges and walks are those of a graph that saw no more."""
    log, folder = _mixed(seed, 25, ("a", "b")), tmp_path_factory.mktemp("past")
    with Spine(folder / "whole.sqlite") as whole, Spine(folder / "prefix.sqlite") as prefix:
        whole.append(log)
        whole.views.catch_up()
        everything = ids_in(whole.events())
        for position, event in enumerate(log, 1):
            prefix.append([event])
            prefix.views.catch_up()
            then = AsOf(position)
            assert graph_of(whole.views.graph, everything, then) == graph_of(prefix.views.graph, everything)
            start = event.data.subject
            if start in prefix.views.graph.nodes([start]):
                for direction in Direction:
                    relations = tuple(Relation)
                    past = whole.views.graph.lineage(start, direction, relations=relations, as_of=then)
                    assert past == prefix.views.graph.lineage(start, direction, relations=relations)


@settings(max_examples=10)
@given(seed=SEEDS)
def test_the_graph_as_of_a_time_is_the_graph_as_of_the_last_event_until_then(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Given one project, whose times rise, then asking for a time, or any before the next event's, is asking for it."""
    log = list(History(Random(seed), "a").grow(30))
    with Spine(tmp_path_factory.mktemp("times") / "disco.sqlite") as spine:
        spine.append(log)
        spine.views.catch_up()
        everything = ids_in(spine.events())
        for position, event in enumerate(log, 1):
            by_position = graph_of(spine.views.graph, everything, AsOf(position))
            for late_us in (0, 500_000):
                assert graph_of(spine.views.graph, everything, AsOf(time_us=event.time_us + late_us)) == by_position


@settings(max_examples=25)
@given(seed=SEEDS)
def test_a_view_is_a_fold_of_the_same_events_that_decisions_are_made_from(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Given a history, then documents and nodes say of each resource what `evolve`, which decides, says of it."""
    with Spine(tmp_path_factory.mktemp("fold") / "disco.sqlite") as spine:
        spine.append(_mixed(seed))
        spine.views.catch_up()
        events = spine.events()
        resources = _evolved(events)
        documents = spine.views.documents.many(list(resources))
        nodes = spine.views.graph.nodes(list(resources))
        assert documents.keys() == nodes.keys() == resources.keys()
        for id, resource in resources.items():
            document, node = documents[id], nodes[id]
            for name in ("kind", "variant", "name", "project", "container", "archived", "version"):
                assert document[name] == getattr(resource, name), name
            assert set(document["tags"]) == resource.tags
            assert document["metadata"] == resource.metadata
            assert document.get("previous") == resource.previous
            assert document["analyses"].keys() == resource.findings.keys()
            assert {kind: found["id"] for kind, found in document["analyses"].items()} == {
                kind: found[0] for kind, found in resource.findings.items()
            }
            assert (node.kind, node.label, node.archived) == (resource.kind, resource.name, resource.archived)


def _evolved(events: Sequence[Recorded]) -> dict[str, Resource]:
    def step(state: Resource | None, event: Recorded) -> Resource | None:
        return evolve(state, Happened(event.id, event.project, event.sequence, event.data))

    about: dict[str, list[Recorded]] = {}
    for event in events:
        about.setdefault(event.subject, []).append(event)
    folded = {id: reduce(step, mine, None) for id, mine in about.items()}
    return {id: resource for id, resource in folded.items() if resource is not None}


@settings(max_examples=15)
@given(seed=SEEDS)
def test_what_an_event_says_something_was_made_from_is_what_lies_above_it(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Given a history, then above each analysis lies its asset, above each made asset its sources and its model."""
    with Spine(tmp_path_factory.mktemp("above") / "disco.sqlite") as spine:
        spine.append(_mixed(seed))
        spine.views.catch_up()

        def above(id: str, relation: Relation) -> set[str]:
            found = spine.views.graph.neighbours([id], relation, Direction.UP)[id]
            return {node.id for node in found}

        for event in spine.events():
            data = event.data
            if isinstance(data, Analysis):
                assert above(event.id, Relation.ANALYSED_AS) == {data.asset_id}
                assert spine.views.graph.node(event.id).kind == Kind.ANALYSIS
            elif isinstance(data, MidiGenerated):
                assert above(data.asset_id, Relation.DERIVED_FROM) == set(data.source_ids)
                assert above(data.asset_id, Relation.GENERATED_BY) == {data.generation_id}
            elif isinstance(data, AudioRendered):
                assert above(data.asset_id, Relation.DERIVED_FROM) == {data.source_id}
                assert above(data.asset_id, Relation.USED_MODEL) == {data.model_version_id}
