"""The lineage graph: every adapter answers walks as a breadth-first search by the book would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import ids
from domain.errors import Malformed, NotFound
from domain.ids import ProjectId
from domain.views import LINEAGE, AsOf, Direction, Edge, Node, Relation, Views
from events.generations import MidiGenerated
from events.resources import ProjectCreated, ResourceMoved, ResourceRenamed, TrackCreated, VersionLinked
from tests import payloads
from tests.builders import BEGINNING_US, proposed
from tests.contracts.view_adapters import VIEWS, ViewsAdapter
from tests.payloads import PROJECT, TRACK

Arrow = tuple[str, str, str]


@dataclass(repr=False)
class Web:
    """Views over a web of derived assets, their ids, and the arrows between them."""

    views: Views
    assets: list[str]
    arrows: set[Arrow]


def _derived(number: int, sources: Sequence[str]) -> MidiGenerated:
    content = payloads.blob(f"derived {number}")
    return MidiGenerated(
        asset_id=payloads.asset_of(content, ProjectId(PROJECT)),
        project_id=PROJECT,
        container_id=PROJECT,
        name=f"derived {number}",
        content=content,
        facts=payloads.note_facts(),
        generation_id=ids.derived("generation", number // 3),
        source_ids=tuple(sources),
    )


def _web(seed: int, size: int) -> tuple[list[MidiGenerated], set[Arrow]]:
    """Assets each derived from some before it, and the arrows (relation, upstream, downstream) between them."""
    random, made, arrows = Random(seed), list[MidiGenerated](), set[Arrow]()
    for number in range(size):
        before = [asset.asset_id for asset in made]
        sources = random.sample(before, min(len(before), random.choice((0, 1, 1, 2, 3))))
        made.append(_derived(number, sources))
        arrows |= {("derived_from", source, made[-1].asset_id) for source in sources}
    return made, arrows


def _walk(arrows: set[Arrow], start: str, direction: Direction, depth: int) -> dict[str, int]:
    """Breadth first by the book: id -> depth."""
    depths, frontier = {start: 0}, {start}
    for level in range(1, depth + 1):
        steps = {(up, down) if direction is Direction.DOWN else (down, up) for _, up, down in arrows}
        frontier = {there for here, there in steps if here in frontier} - depths.keys()
        depths |= dict.fromkeys(frontier, level)
    return depths


@pytest.fixture(scope="module", params=sorted(VIEWS))
def web(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):  # a triple
    """Views over a web of sixty assets, its assets and its arrows; only to be read."""
    kept = VIEWS[request.param](tmp_path_factory.mktemp("web"))
    made, arrows = _web(5, 60)
    kept.given(
        [proposed(ProjectCreated(project_id=PROJECT, name="Tests")), *(proposed(asset, id=None) for asset in made)]
    )
    yield Web(kept.views, [asset.asset_id for asset in made], arrows)
    kept.close()


@settings(max_examples=150)
@given(
    number=st.integers(0, 59), direction=st.sampled_from(Direction), depth=st.integers(1, 12), first=st.integers(1, 25)
)
def test_a_walk_finds_what_breadth_first_search_finds(
    web: Web, number: int, direction: Direction, depth: int, first: int
) -> None:
    """Given any asset, direction and depth, then its pages hold the nodes a search finds, each once, nearest first.

    Every edge between them is in one of the pages, and the last page says whether the depth cut anything off.
    """
    views, arrows = web.views, web.arrows
    start, nodes, edges, after = web.assets[number], list[Node](), list[Edge](), 0
    while True:
        page = views.graph.lineage(start, direction, depth=depth, relations=("derived_from",), first=first, after=after)
        assert len(page.nodes) <= first
        nodes, edges = nodes + page.nodes, edges + page.edges
        if page.next_after is None:
            break
        assert page.partial
        assert page.reason == "count"
        after = page.next_after
    wanted = _walk(arrows, start, direction, depth)
    assert {node.id: node.depth for node in nodes} == wanted
    assert len(nodes) == len(wanted)
    assert [(n.depth, n.position, n.id) for n in nodes] == sorted((n.depth, n.position, n.id) for n in nodes)
    between = {arrow for arrow in arrows if arrow[1] in wanted and arrow[2] in wanted}
    assert sorted((edge.relation, edge.upstream, edge.downstream) for edge in edges) == sorted(between)
    beyond = _walk(arrows, start, direction, depth + 1).keys() - wanted.keys()
    assert page.partial == bool(beyond)
    assert page.reason == ("depth" if beyond else None)


def test_what_a_node_is_called_is_told_to_the_letter(kept: ViewsAdapter) -> None:
    """Given names of controls, quotes and rare letters, then nodes, neighbours and walks tell each as it is."""
    names = ["\x1f", "a\x1fb\x1f", 'two\nlines, "quoted" \\ back\\', "  ", "null", "𝄞 ñ 'n' {b}: $c \\u001f"]
    tracks = {ids.track_id(PROJECT, name): name for name in names}
    begun = [TrackCreated(track_id=id, project_id=PROJECT, name=name) for id, name in tracks.items()]
    kept.given(map(proposed, [ProjectCreated(project_id=PROJECT, name="Tests"), *begun]))
    graph = kept.views.graph
    below = graph.neighbours([PROJECT], Relation.CONTAINS, Direction.DOWN)[PROJECT]
    walked = graph.lineage(PROJECT, Direction.DOWN, relations=(Relation.CONTAINS,)).nodes[1:]
    for found in (graph.nodes(list(tracks)).values(), below, walked):
        assert {node.id: node.label for node in found} == tracks


def test_kinds_left_out_are_still_walked_through(kept: ViewsAdapter) -> None:
    """Given generation → asset → its analysis, when only analyses are asked for, then those behind assets are found."""
    song = payloads.audio()
    asked = payloads.accompaniment(song.asset_id)
    made = payloads.generated(asked)
    found = [proposed(payloads.findings(made.asset_id)["notes"])]
    kept.given([proposed(song), proposed(asked), proposed(made), *found])
    page = kept.views.graph.lineage(song.asset_id, Direction.DOWN, kinds=("analysis",))
    assert [node.id for node in page.nodes if node.id != song.asset_id] == [found[0].id]


def test_relations_that_are_not_asked_for_are_not_followed(kept: ViewsAdapter) -> None:
    """Given an asset in a track, then its lineage does not hold the track, and with containment asked for it does."""
    song = payloads.audio(container=TRACK)
    kept.given([proposed(TrackCreated(track_id=TRACK, project_id=PROJECT, name="Take 1")), proposed(song)])
    assert [node.id for node in kept.views.graph.lineage(song.asset_id, Direction.UP).nodes] == [song.asset_id]
    page = kept.views.graph.lineage(song.asset_id, Direction.UP, relations=(*LINEAGE, Relation.CONTAINS))
    assert TRACK in [node.id for node in page.nodes]


def test_unknown_ids_are_not_found_and_texts_that_are_no_ids_malformed(kept: ViewsAdapter) -> None:
    """Given nothing, then asking for it is NotFound, asking for many gives those there are."""
    unknown = ids.derived("unknown")
    with pytest.raises(NotFound):
        kept.views.graph.node(unknown)
    with pytest.raises(NotFound):
        kept.views.graph.lineage(unknown, Direction.UP)
    assert kept.views.graph.nodes([unknown]) == {}
    assert kept.views.graph.neighbours([unknown], Relation.CONTAINS, Direction.UP) == {unknown: []}
    with pytest.raises((Malformed, NotFound)):
        kept.views.graph.node("no id")


def test_a_cycle_of_versions_ends(kept: ViewsAdapter) -> None:
    """Given two assets that each claim to be the newer one, then a walk visits both once and ends."""
    a, b = payloads.audio("a"), payloads.audio("b")
    links = [VersionLinked(resource_id=new.asset_id, previous_id=old.asset_id) for new, old in ((a, b), (b, a))]
    kept.given([proposed(a), proposed(b), *map(proposed, links)])
    page = kept.views.graph.lineage(a.asset_id, Direction.DOWN, depth=50)
    assert [node.id for node in page.nodes] == [a.asset_id, b.asset_id]
    assert len(page.edges) == 2
    assert not page.partial


def test_the_past_is_as_it_was_at_every_position_and_time(kept: ViewsAdapter) -> None:
    """Given an asset renamed and moved, then as of each position, and each time, name and place are those of then."""
    song = payloads.audio(container=PROJECT)
    steps = [
        ProjectCreated(project_id=PROJECT, name="Tests"),
        TrackCreated(track_id=TRACK, project_id=PROJECT, name="Take 1"),
        song,
        ResourceRenamed(resource_id=song.asset_id, name="second"),
        ResourceMoved(resource_id=song.asset_id, from_id=PROJECT, to_id=TRACK),
        ResourceMoved(resource_id=song.asset_id, from_id=TRACK, to_id=PROJECT),
    ]
    events = [proposed(step, time_us=BEGINNING_US + 10 * number) for number, step in enumerate(steps)]
    positions = kept.given(events)
    history = ((song.name, PROJECT), ("second", PROJECT), ("second", TRACK), ("second", PROJECT))
    for number, (name, place) in enumerate(history, 2):
        time_us = events[number].time_us
        for as_of in (AsOf(positions[number]), AsOf(time_us=time_us), AsOf(time_us=time_us + 9)):
            assert kept.views.graph.node(song.asset_id, as_of).label == name
            above = kept.views.graph.neighbours([song.asset_id], Relation.CONTAINS, Direction.UP, as_of)
            assert [node.id for node in above[song.asset_id]] == [place]
    for as_of in (AsOf(positions[1]), AsOf(time_us=events[2].time_us - 1)):
        with pytest.raises(NotFound):
            kept.views.graph.node(song.asset_id, as_of)
