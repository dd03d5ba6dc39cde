"""Rows in PostgreSQL: the same content as the embedded profile's, whatever comes in which order, twice, or at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.server_room import drop_schemas
from domain import ids
from domain.errors import Unavailable
from domain.views import Filter
from events.envelope import Proposed, Recorded
from events.resources import ResourceDescribed, ResourceRenamed, ResourceTagged
from infra.embedded.database import Database
from infra.embedded.log import SqliteLog
from infra.server.documents import PgDocuments, catalogue_store, dead_letters_store, jobs_store
from infra.server.generations import Live
from infra.server.migrating import add_timescale
from infra.server.postgres import Postgres, identifier
from infra.server.series import SeriesStore
from infra.server.store import View
from projections import catalogue, dead_letters, jobs, measurements
from tests import payloads
from tests.builders import History, as_recorded, interleaved, library, proposed
from tests.server.folds import cut, embedded_content
from tests.servers import Addresses, fresh_name

NAMES = ("catalogue", "jobs", "dead_letters", "measurements")
SEEDS = st.integers(0, 10_000)


def _views(prefix: str) -> dict[str, View]:
    made = (
        View(catalogue_store(prefix), catalogue.apply),
        View(jobs_store(prefix), jobs.apply),
        View(dead_letters_store(prefix), dead_letters.apply),
        View(SeriesStore(prefix), measurements.apply),
    )
    return {view.name: view for view in made}


@pytest.fixture(scope="module")
def corner(servers: Addresses) -> Iterator[Postgres]:
    """One installation for all tests of this file; each takes a generation of its own."""
    made = Postgres(servers.postgres, prefix=fresh_name())
    add_timescale(made)
    yield made
    drop_schemas(made)
    made.close()


def _mixed(seed: int, count: int = 40) -> list[Recorded]:
    """Three projects' histories; every other job is one that all of them share."""
    random = Random(seed)
    histories = [History(random, name).grow(count) for name in "abc"]
    events = interleaved([[library()], *histories], random)
    return as_recorded(
        replace(event, correlation=f"shared {number % 3}") if random.random() < 0.5 else event
        for number, event in enumerate(events)
    )


class Generation:
    """A generation of a view, made for one test."""

    count = 0

    def __init__(self, postgres: Postgres, name: str) -> None:
        Generation.count += 1
        self.number = Generation.count
        self.postgres = postgres
        self.view = _views(postgres.schema)[name]
        with postgres.transaction() as connection:
            self.view.store.create(connection, self.number)

    def fold(self, pages: Iterable[Sequence[Recorded]], *, fresh: bool = False) -> Generation:
        """Fold pages, each in a transaction of its own."""
        for page in pages:

            def work(connection: Any, page: Sequence[Recorded] = page) -> None:  # Any: a connection
                rows = self.view.store.rows(connection, self.number, fresh=fresh)
                self.view.apply(rows, list(page))
                rows.flush()

            self.postgres.retrying(work, attempts=20)
        return self

    def finish(self) -> Generation:
        """Make the readers' indexes."""
        with self.postgres.transaction() as connection:
            self.view.store.finish(connection, self.number)
        return self

    def content(self) -> list[tuple[str, str]]:
        """All rows; the generation is gone afterwards."""
        with self.postgres.read(snapshot=True) as connection:
            found = list(self.view.store.content(connection, self.number))
        with self.postgres.transaction() as connection:
            self.view.store.drop(connection, self.number)
        return found


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=4)
@given(seed=SEEDS)
def test_both_profiles_hold_the_same_whatever_order_partitions_come_in(
    corner: Postgres, tmp_path_factory: pytest.TempPathFactory, name: str, seed: int
) -> None:
    """Given a history whose jobs span projects, folded fresh or not, in any order of partitions, then it is one."""
    events, random = _mixed(seed), Random(seed)
    expected = embedded_content(tmp_path_factory.mktemp("embedded"), name, events)
    for fresh in (False, True):
        made = Generation(corner, name).fold(cut(events, random), fresh=fresh).finish()
        assert made.content() == expected


@pytest.mark.parametrize("name", NAMES)
def test_pages_that_come_twice_change_nothing(corner: Postgres, tmp_path: Path, name: str) -> None:
    """Given every page twice, and all of a partition's again, with indexes there already, then nothing is doubled."""
    events, random = _mixed(3), Random(3)
    pages = cut(events, random)
    made = Generation(corner, name).finish()
    made.fold([page for page in pages for _ in range(2)]).fold([[*page, *page] for page in pages])
    assert made.content() == embedded_content(tmp_path, name, events)


def test_partitions_folded_at_once_count_every_event_of_a_shared_job(corner: Postgres, tmp_path: Path) -> None:
    """Given six partitions of one event a page and three jobs among them, folded at once, then no event is lost."""
    jobs_ = [f"job {number}" for number in range(3)]
    projects = [ids.project_id(str(number)) for number in range(6)]
    random = Random(7)
    events = as_recorded(
        replace(event, correlation=random.choice(jobs_))
        for event in interleaved([_renamings(project, 30) for project in projects], random)
    )
    made, together = Generation(corner, "jobs").finish(), Barrier(len(projects))

    def partition(project: str) -> None:
        mine = [event for event in events if event.project == project]
        together.wait()
        made.fold(mine[at : at + 3] for at in range(0, len(mine), 3))

    with ThreadPoolExecutor(len(projects)) as pool:
        list(pool.map(partition, projects))
    assert made.content() == embedded_content(tmp_path, "jobs", events)


def _renamings(project: str, count: int) -> list[Proposed]:
    return [
        proposed(ResourceRenamed(resource_id=project, name=f"name {number}"), project=project)
        for number in range(count)
    ]


def test_what_came_first_began_the_job_though_it_was_folded_last(corner: Postgres, tmp_path: Path) -> None:
    """Given a job begun in one project and folded from the other first, then it is the first one's, listed there."""
    events = as_recorded([_renamings(ids.project_id(name), 1)[0] for name in "ab"])
    made = Generation(corner, "jobs").fold([[events[1]], [events[0]]])
    with corner.read() as connection:
        schema = identifier(f"{corner.schema}_jobs_{made.number}")
        rows = connection.execute(f"SELECT place, project FROM {schema}.documents").fetchall()  # noqa: S608
    assert rows == [(1, ids.project_id("a"))]
    assert made.content() == embedded_content(tmp_path, "jobs", events)


ODD: list[dict[str, Any]] = [
    {"zero": -0.0, "large": 1e16, "larger": 1e300, "small": 5e-324, "long": (1 << 63) - 1},
    {"nul": "a\0b", "a\0key": "\x01\x1f\x7f", "quoted": "'\"\\u0000\\", "wide": "𝄞 é ﬁ e\u0301"},
    {"nested": [[{"deep": [None, True, {"": ""}]}]], "tab": "\t\n\r\\.", "copy": "\\N", "words": "x" * 5000},
    {"many": " ".join(f"word{number}" for number in range(20_000))},
]


def test_odd_values_are_answered_as_they_were_given(corner: Postgres, tmp_path: Path) -> None:
    """Given names, tags, notes and numbers that stores stumble over, then they are held to the letter, and found."""
    song = payloads.audio("song")
    said = [
        ResourceRenamed(resource_id=song.asset_id, name="Nul\0 and 'quotes' \\ é"),
        ResourceTagged(resource_id=song.asset_id, added=("a\0b", "\\N", "'")),
        *(ResourceDescribed(resource_id=song.asset_id, changes=changes) for changes in ODD),
    ]
    events = as_recorded([proposed(song), *map(proposed, said)])
    expected = embedded_content(tmp_path, "catalogue", events)
    assert Generation(corner, "catalogue").fold([events], fresh=True).content() == expected
    made = Generation(corner, "catalogue").fold([[event] for event in events]).finish()
    documents = _documents(corner, made, tmp_path)
    assert documents.get(song.asset_id)["metadata"]["nul"] == "a\0b"
    for filter in (
        Filter(name_contains="NUL\0 AND"),
        Filter(tag="a\0b"),
        Filter(tag="\\N"),
        Filter(name_contains="\\"),
    ):
        assert documents.count(filter) == 1, filter
    for text in ("quotes é", "word19", "deep", "nul"):
        assert len(documents.search(text)) == 1, text
    for filter in (Filter(name_contains="\ud800"), Filter(tag="\0"), Filter(key="\0"), Filter(variants=("\0",))):
        assert documents.count(filter) == 0, filter
    assert made.content() == expected


def _documents(postgres: Postgres, made: Generation, folder: Path) -> PgDocuments:
    log = SqliteLog(Database(folder / "log.sqlite"))
    return PgDocuments(Live(postgres, "catalogue", lambda: made.number), log)


DAMAGE = {
    "a document": ("catalogue", "document = replace(document::text, 'ada', 'ida')::json"),
    "a document's shape": ("catalogue", "document = replace(document::text, 'name', 'nome')::json"),
    "a document, whole": ("catalogue", "document = '[]'"),
    "what it is found by": ("catalogue", "words = ''"),
    "what it is filtered by": ("catalogue", 'facets = facets || \'{"name": "x"}\''),
    "whether it is archived": ("catalogue", "archived = NOT archived"),
    "its place": ("catalogue", "place = place + 1"),
    "a job's project": ("jobs", "project = 'x'"),
    "a measurement": ("measurements", "value = value + 1"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_row_that_was_tampered_with_is_told_as_another(corner: Postgres, what: str) -> None:
    """Given one row changed behind our back, be it only what readers find it by, then its content and no other's is."""
    name, change = DAMAGE[what]
    pages = [_mixed(5)]
    whole, damaged = (Generation(corner, name).fold(pages) for _ in range(2))
    rows, place = ("points", "position") if name == "measurements" else ("documents", "place")
    table = identifier(f"{corner.schema}_{name}_{damaged.number}", rows)
    with corner.transaction() as connection:
        one = f"{place} = (SELECT min({place}) FROM {table})"  # noqa: S608
        assert connection.execute(f"UPDATE {table} SET {change} WHERE {one}").rowcount == 1  # noqa: S608
    expected, found = whole.content(), damaged.content()
    assert [key for key, _ in found] == [key for key, _ in expected]
    assert len(set(found) - set(expected)) == 1


def test_a_question_to_a_generation_that_was_just_dropped_is_asked_anew(corner: Postgres, tmp_path: Path) -> None:
    """Given a reader that thinks an old generation live, then it looks again, and is answered by the one that is."""
    events = as_recorded([proposed(payloads.audio("song"))])
    old, new = (Generation(corner, "catalogue").fold([events]).finish() for _ in range(2))
    old.content()
    thought = iter([old.number, new.number, new.number])
    documents = PgDocuments(
        Live(corner, "catalogue", lambda: next(thought)), SqliteLog(Database(tmp_path / "log.sqlite"))
    )
    assert documents.count(Filter()) == 1
    lost = PgDocuments(Live(corner, "catalogue", lambda: 999), SqliteLog(Database(tmp_path / "other.sqlite")))
    with pytest.raises(Unavailable, match="replay"):
        lost.count(Filter())
    new.content()


def test_a_large_generation_is_built_with_its_indexes_and_dropped_whole(corner: Postgres) -> None:
    """Given a generation with indexes, then its schema is gone after a drop, and making it twice is making it once."""
    made = Generation(corner, "catalogue").fold([_mixed(1)]).finish().finish()
    with corner.transaction() as connection:
        made.view.store.create(connection, made.number)
    assert made.content()
    with corner.read() as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute(f"SELECT 1 FROM {identifier(f'{corner.schema}_catalogue_{made.number}')}.documents")  # noqa: S608


@pytest.mark.parametrize("name", NAMES)
def test_a_page_that_fails_in_its_middle_leaves_nothing(corner: Postgres, tmp_path: Path, name: str) -> None:
    """Given a fresh generation and a projection that fails late in a page, then the next try of the page is whole."""
    events = _mixed(2, count=1_200)
    made = Generation(corner, name)

    with pytest.raises(ZeroDivisionError), corner.transaction() as connection:
        _applied_and_fails(made, connection, events)
    made.fold([events], fresh=True).finish()
    assert made.content() == embedded_content(tmp_path, name, events)


def _applied_and_fails(made: Generation, connection: Any, events: list[Recorded]) -> None:  # Any: a connection
    rows = made.view.store.rows(connection, made.number, fresh=True)
    made.view.apply(rows, events)
    raise ZeroDivisionError
