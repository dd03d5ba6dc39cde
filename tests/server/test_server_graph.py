"""The lineage graph in Neo4j: content and answers of the embedded one, in whatever order it comes, twice or at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Barrier
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import ids
from domain.errors import Malformed, NotFound, Unavailable
from domain.views import NOW, AsOf, Direction, Graph, Lineage, Relation
from events.envelope import Proposed, Recorded
from events.generations import MidiGenerated
from events.resources import ProjectCreated, ResourceArchived, ResourceRenamed, VersionLinked
from infra.embedded.comparing import compare
from infra.server.graph import Neo4jGraph
from infra.server.graph_rows import GraphStore, labelled
from infra.server.neo4j import Neo4j
from infra.server.postgres import Pg
from projections import lineage_graph
from tests import payloads
from tests.builders import History, as_recorded, interleaved, library, proposed
from tests.server.folds import cut, embedded_content
from tests.servers import Addresses, fresh_name
from tests.spine import Spine, ids_in

if TYPE_CHECKING:
    from infra.server.neo4j import Tx

ROUNDS = int(os.environ.get("DISCO_WALKS", "12"))
SEEDS = st.integers(0, 10_000)
NO_CONNECTION = cast(Pg, None)  # the graph's rows lie in Neo4j alone
Answer = TypeVar("Answer")


class Corner:
    """Labels of one's own in the real server, and generations that bear them."""

    def __init__(self, neo4j: Neo4j) -> None:
        self.neo4j = neo4j
        self.store = GraphStore(neo4j, fresh_name())

    def generation(self, number: int = 1) -> Corner:
        """An empty generation. Its constraint stays: with each that is made, the server plans all statements anew."""
        self.store.create(NO_CONNECTION, number)
        self.run("MATCH (n:Resource|Version) DETACH DELETE n", number)
        return self

    def fold(self, pages: Iterable[Sequence[Recorded]], number: int = 1, *, fresh: bool = False) -> Corner:
        """Fold pages, each in a transaction of its own."""
        for page in pages:
            rows = self.store.rows(NO_CONNECTION, number, fresh=fresh)
            lineage_graph.apply(rows, list(page))
            rows.flush()
        return self

    def content(self, number: int = 1) -> list[tuple[str, str]]:
        """All rows."""
        return list(self.store.content(NO_CONNECTION, number))

    @property
    def graph(self) -> Neo4jGraph:
        """The port over the first generation."""
        return Neo4jGraph(self.neo4j, self.store.prefix, lambda: 1)

    def run(self, statement: str, number: int = 1, **values: object) -> None:
        """Change a generation behind everybody's back."""
        self.neo4j.ask(labelled(statement, f"{self.store.prefix}_{number}"), **values)


@pytest.fixture(scope="module")
def corner(servers: Addresses) -> Iterator[Corner]:
    """One corner for all tests of this file: statements about the same labels are planned once."""
    made = Corner(Neo4j(servers.neo4j))
    yield made
    for number in (1, 2):
        made.store.drop(NO_CONNECTION, number)
    made.neo4j.close()


def _log(seed: int, count: int = 40) -> list[Proposed]:
    """Three projects' histories, with edges from each to the others, by clocks that jump."""
    random = Random(seed)
    histories = [History(random, name) for name in "abc"]
    log = interleaved([[library()], *(list(history.grow(count)) for history in histories)], random)
    for turn in range(12):
        here, there = random.sample(histories, 2)
        if here.assets and there.assets:
            across = proposed(_across(here, there, random, turn), id=ids.derived("across", turn), project=here.project)
            log.insert(random.randrange(len(log)), across)
    return [replace(event, time_us=_jumped(event.time_us, random)) for event in log]


def _woven(seed: int, count: int = 40) -> list[Recorded]:
    return as_recorded(_log(seed, count))


def _across(here: History, there: History, random: Random, turn: int) -> VersionLinked | MidiGenerated:
    """Something of one project that comes of something of another."""
    if turn % 2:
        return VersionLinked(resource_id=random.choice(here.assets), previous_id=random.choice(there.assets))
    content = payloads.blob(f"across {here.project} {turn}")
    return MidiGenerated(
        asset_id=payloads.asset_of(content, here.project),
        project_id=here.project,
        container_id=here.project,
        name=f"across {turn}",
        content=content,
        facts=payloads.note_facts(),
        generation_id=ids.derived("generation", turn),
        source_ids=(random.choice(there.assets), random.choice(here.assets)),
    )


def _jumped(time_us: int, random: Random) -> int:
    return time_us + random.choice((0, 0, 0, 0, -3_600_000_000, 7_000_000))


@settings(max_examples=4)
@given(seed=SEEDS)
def test_both_profiles_hold_the_same_whatever_order_partitions_come_in(
    corner: Corner, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Given histories that refer to each other, folded fresh or not, in any order of partitions, then it is one."""
    events, random = _woven(seed), Random(seed)
    expected = embedded_content(tmp_path_factory.mktemp("embedded"), lineage_graph.NAME, events)
    for fresh in (False, True):
        assert corner.generation().fold(cut(events, random), fresh=fresh).content() == expected


@settings(max_examples=2)
@given(seed=SEEDS)
def test_pages_that_come_twice_change_nothing(
    corner: Corner, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Given every page twice, every event twice in its page, and all again in pages of other sizes: nothing changes."""
    events, random = _woven(seed), Random(seed)
    pages = cut(events, random)
    corner.generation().fold([page for page in pages for _ in range(2)])
    corner.fold([[*page, *page] for page in pages]).fold(cut(events, random))
    expected = embedded_content(tmp_path_factory.mktemp("embedded"), lineage_graph.NAME, events)
    assert corner.content() == expected


def test_partitions_folded_at_once_and_each_by_two_hold_everything_once(corner: Corner, tmp_path: Path) -> None:
    """Given three partitions that refer to each other, each folded by two workers at once, one of them late.

    Then every row is there, once: who comes second waits, and what crosses is done again.
    """
    events, random = _woven(5, 60), Random(5)
    by_project = {project: [e for e in events if e.project == project] for project in {e.project for e in events}}
    corner.generation()
    together = Barrier(2 * len(by_project))

    def worker(project: str, size: int) -> None:
        mine = by_project[project]
        together.wait()
        corner.fold(mine[at : at + size] for at in range(0, len(mine), size))

    with ThreadPoolExecutor(2 * len(by_project)) as pool:
        done = [pool.submit(worker, project, size) for project in by_project for size in (3, random.randint(2, 9))]
        for each in done:
            each.result()
    assert corner.content() == embedded_content(tmp_path, lineage_graph.NAME, events)


class Doubtful(Neo4j):
    """A server whose answers to commits are lost."""

    def write_once(self, work: Callable[[Tx], Answer]) -> Answer:
        """See `Neo4j.write_once`."""
        super().write_once(work)
        raise Unavailable("the connection broke behind the commit")


def test_a_page_of_which_it_is_not_known_whether_it_was_written_is_written_once(
    corner: Corner, servers: Addresses, tmp_path: Path
) -> None:
    """Given a rebuild in which every commit is done and none acknowledged, then nothing is doubled."""
    events, doubtful = _woven(8), Doubtful(servers.neo4j)
    corner.generation()
    store = GraphStore(doubtful, corner.store.prefix)
    for page in cut(events, Random(8)):
        rows = store.rows(NO_CONNECTION, 1, fresh=True)
        lineage_graph.apply(rows, page)
        rows.flush()
    doubtful.close()
    assert corner.content() == embedded_content(tmp_path, lineage_graph.NAME, events)


class Walks:
    """Questions to both graphs about the same events."""

    def __init__(self, theirs: Graph, ours: Graph, events: Sequence[Recorded], random: Random) -> None:
        self.graphs = theirs, ours
        self.random = random
        self.ids = ids_in(events)
        self.times = [event.time_us for event in events]

    def moment(self) -> AsOf:
        """Now, a position, or a time at, just before or just after an event."""
        position, time_us = self.random.randrange(1, len(self.times) + 1), self.random.choice(self.times)
        return self.random.choice((NOW, AsOf(position), AsOf(time_us=time_us + self.random.randrange(-1, 2))))

    def agree(self) -> None:
        """Ask one question of each kind."""
        chance, moment = self.random, self.moment()
        # few kinds of questions: the server plans each for a while when it is first asked
        relation = chance.choice((Relation.CONTAINS, Relation.VERSION_OF))
        direction = chance.choice(list(Direction))
        theirs, ours = self.graphs
        assert ours.nodes(self.ids, moment) == theirs.nodes(self.ids, moment)
        asked = self.ids, relation, direction, moment
        assert ours.neighbours(*asked) == theirs.neighbours(*asked)
        how = {
            "depth": chance.choice((1, 2, 3, 5, 6, 12)),
            "relations": tuple(Relation),
            "kinds": chance.choice(((), (), ("asset",), ("analysis", "generation"))),
            "as_of": moment,
            "first": chance.choice((1, 2, 5, 20, 100)),
            "after": chance.choice((0, 0, 0, 1, 3, 10)),
            "deadline_s": chance.choice((None, 60.0)),
        }
        start = chance.choice(self.ids)
        walks = [_walk(graph, start, direction, how) for graph in self.graphs]
        assert walks[0] == walks[1], (start, direction, how)


def _walk(graph: Graph, start: str, direction: Direction, how: dict[str, Any]) -> Lineage | None:
    try:
        return graph.lineage(start, direction, **how)
    except NotFound:
        return None


@settings(max_examples=2)
@given(seed=SEEDS)
def test_every_answer_is_the_embedded_graphs(
    corner: Corner, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Given a history, then nodes, neighbours and walks are equal, order included, of any moment, within any limits."""
    random = Random(seed)
    with Spine(tmp_path_factory.mktemp("answers") / "disco.sqlite") as spine:
        spine.append(_log(seed))
        spine.views.catch_up()
        events = spine.events()
        corner.generation().fold(cut(events, random), fresh=True)
        walks = Walks(spine.views.graph, corner.graph, events, random)
        for _ in range(ROUNDS):
            walks.agree()


def test_a_walk_that_is_out_of_time_says_so_with_what_it_has(corner: Corner, tmp_path: Path) -> None:
    """Given no time at all, then the first step is answered, and the reason is the one the embedded graph gives."""
    with Spine(tmp_path / "disco.sqlite") as spine:
        spine.append(_log(3))
        spine.views.catch_up()
        events = spine.events()
        corner.generation().fold([events], fresh=True)
        found = set()
        for id in ids_in(events):
            how = {"relations": tuple(Relation), "deadline_s": 0.0}
            theirs, ours = (_walk(graph, id, Direction.DOWN, how) for graph in (spine.views.graph, corner.graph))
            assert (theirs is None) == (ours is None)
            if theirs is not None and ours is not None:
                assert (ours.nodes, ours.reason, ours.partial) == (theirs.nodes, theirs.reason, theirs.partial)
                assert {(edge.upstream, edge.downstream) for edge in ours.edges} >= {
                    (edge.upstream, edge.downstream) for edge in theirs.edges
                }
                found.add(ours.reason)
        assert "deadline" in found


def test_what_an_edge_names_is_no_node_until_its_own_event_has_come(corner: Corner) -> None:
    """Given b's newer version of a's song, folded before a's song was, then the song is not there; then it is."""
    a, b = (payloads.audio("song", project=ids.project_id(name)) for name in "ab")
    link = VersionLinked(resource_id=b.asset_id, previous_id=a.asset_id)
    events = as_recorded([proposed(a, project=a.project_id), proposed(b, project=b.project_id), proposed(link)])
    graph = corner.generation().fold([events[1:]]).graph
    assert graph.nodes([a.asset_id]) == {}
    assert graph.neighbours([b.asset_id], Relation.VERSION_OF, Direction.UP) == {b.asset_id: []}
    with pytest.raises(NotFound):
        graph.lineage(a.asset_id, Direction.DOWN)
    assert [node.id for node in graph.lineage(b.asset_id, Direction.UP).nodes] == [b.asset_id]
    corner.fold([events[:1]])
    assert [node.id for node in graph.lineage(b.asset_id, Direction.UP).nodes] == [b.asset_id, a.asset_id]
    assert [node.id for node in graph.lineage(b.asset_id, Direction.UP, relations=()).nodes] == [b.asset_id]
    assert graph.node(a.asset_id).label == a.name


DAMAGE = {
    "a name": ("MATCH (n:Resource {id: $song}) SET n.label = 'x'", {"changed"}),
    "facts": ("MATCH (n:Resource {id: $song}) SET n.facts = '{}'", {"changed"}),
    "a former name": ("MATCH (:Resource {id: $song})-[:WAS]->(v) SET v.label = 'x'", {"changed"}),
    "a former name, gone": ("MATCH (:Resource {id: $song})-[:WAS]->(v) DETACH DELETE v", {"missing"}),
    "a node, gone": ("MATCH (n:Resource {id: $song}) REMOVE n.born", {"missing"}),
    "an edge, gone": ("MATCH (:Resource)-[e:CONTAINS]->(:Resource {id: $song}) DELETE e", {"missing"}),
    "an edge, doubled": (
        "MATCH (u:Resource)-[e:CONTAINS]->(n:Resource {id: $song}) CREATE (u)-[x:CONTAINS]->(n) SET x = properties(e)",
        {"ghost"},
    ),
    "an edge, ended": ("MATCH (:Resource)-[e:CONTAINS]->(:Resource {id: $song}) SET e.until = 9", {"changed"}),
    "a node too many": ("CREATE (:Resource {id: $other, kind: 'asset', born: 1, facts: '{}'})", {"ghost"}),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_named(corner: Corner, tmp_path: Path, what: str) -> None:
    """Given a graph in which somebody changed one thing, then a comparison with a fresh fold says what and where."""
    song = payloads.audio("song")
    told = [
        song,
        ResourceRenamed(resource_id=song.asset_id, name="second"),
        ResourceArchived(resource_id=song.asset_id),
    ]
    events = as_recorded(map(proposed, [ProjectCreated(project_id=payloads.PROJECT, name="Tests"), *told]))
    corner.generation().fold([events])
    expected = embedded_content(tmp_path, lineage_graph.NAME, events)
    assert corner.content() == expected
    statement, kinds = DAMAGE[what]
    corner.run(statement, song=song.asset_id, other=ids.derived("other"))
    found = list(compare("graph", iter(corner.content()), iter(expected)))
    assert {difference.kind for difference in found} == kinds


def test_dropping_a_generation_leaves_the_other(corner: Corner, tmp_path: Path) -> None:
    """Given two generations, when one is dropped, twice, then nothing of it is left, and the other is whole."""
    events = _woven(11)
    for number in (1, 2):
        corner.generation(number).fold([events], number, fresh=True)
    for _ in range(2):
        corner.store.drop(NO_CONNECTION, 1)
    expected = embedded_content(tmp_path, lineage_graph.NAME, events)
    assert (corner.content(1), corner.content(2)) == ([], expected)
    left = corner.neo4j.ask("MATCH (n) UNWIND labels(n) AS label RETURN DISTINCT label AS label")
    assert {row[0] for row in left if row[0].endswith(f"_{corner.store.prefix}_1")} == set()


def test_a_graph_that_the_server_has_lost_is_unavailable_and_not_empty(corner: Corner, tmp_path: Path) -> None:
    """Given a server that lost its data, then reads and folds say so, and what to do; and nothing is begun anew."""
    events = _woven(13)
    corner.generation().fold([events])
    asset = next(event.subject for event in events if event.type == "disco.audio.imported")
    corner.run("MATCH (n:Resource|Version|Generation) DETACH DELETE n")
    graph = corner.graph
    asked = (graph.node, lambda asset: graph.lineage(asset, Direction.UP), lambda _: corner.fold([events]))
    for ask in asked:
        with pytest.raises(Unavailable, match="disco replay --view lineage_graph"):
            ask(asset)
    assert corner.content() == []
    corner.generation().fold([events], fresh=True)
    assert corner.content() == embedded_content(tmp_path, lineage_graph.NAME, events)


@pytest.mark.parametrize(
    "address", ["", "localhost", "bolt://host", "http://me:secret@host", "bolt://me:secret@host:x"]
)
def test_an_address_that_cannot_be_read_is_malformed_and_told_without_its_password(address: str) -> None:
    """Given an address without a user, or of another kind, then the error says how it should look."""
    with pytest.raises(Malformed, match="bolt://USER:PASSWORD@HOST") as raised:
        Neo4j(address)
    assert "secret" not in str(raised.value)


def test_a_server_that_is_away_or_refuses_us_is_unavailable(servers: Addresses) -> None:
    """Given a port where nobody listens, and a wrong password, then reads and writes are Unavailable, and soon."""
    away = Neo4j("bolt://neo4j:secret@127.0.0.1:1", retry_for_s=0.5)
    refused = Neo4j(servers.neo4j.replace(servers.neo4j.split(":")[2].split("@")[0], "secret"), retry_for_s=0.5)
    for neo4j, what in ((away, "does not answer"), (refused, "refuses the user or the password")):
        for ask in (neo4j.read, neo4j.write):
            with pytest.raises(Unavailable, match=what) as raised:
                ask(_nothing)
            assert "secret" not in str(raised.value)
        neo4j.close()


def _nothing(tx: Any) -> None:  # Any: a transaction, or what asks
    if callable(tx):
        tx("RETURN 1", {}).consume()
    else:
        tx.run("RETURN 1").consume()
