"""Views are built anew beside the ones that answer: no read fails meanwhile, none sees a mix, a killed one resumes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from domain import ids
from domain.errors import Unavailable
from domain.views import AsOf, Direction, Filter
from infra.embedded import folding
from infra.embedded.views import VIEWS
from projections.catalogue import VERSION
from tests.builders import History, interleaved, library, numbered
from tests.spine import Spine, graph_of, ids_in

A = ids.project_id("a")


def _bumped(name: str, **changes: object) -> list:  # type: ignore[type-arg]  # of View
    """The views, with another version of one."""
    return [replace(view, version=view.version + 1, **changes) if view.name == name else view for view in VIEWS]


def _log(count: int = 100) -> list:  # type: ignore[type-arg]  # of Proposed
    random = Random(9)
    return interleaved([[library()], *(History(random, name).grow(count) for name in "ab")], random)


def test_reads_in_a_tight_loop_never_fail_and_never_change_while_views_are_rebuilt(spine: Spine) -> None:
    """Given five threads that read, when every view is rebuilt ten times, then each answer is the one from before."""
    spine.append(_log())
    spine.views.catch_up()
    everything, asset = ids_in(spine.events()), _asset(spine)
    done = threading.Event()
    asks: list[Callable[[], object]] = [
        lambda: graph_of(spine.views.graph, everything[:40]),
        lambda: spine.views.graph.lineage(asset, Direction.DOWN),
        lambda: (spine.views.documents.page(Filter(archived=True), first=100), spine.views.documents.search("name")),
        lambda: [spine.views.series.points(name) for name in spine.views.series.names()],
        lambda: (spine.views.digests(), spine.views.jobs.page(first=100), spine.views.dead_letters.page()),
    ]
    before = [ask() for ask in asks]

    def read(number: int) -> int:
        times = 0
        while not done.is_set() or not times:
            assert asks[number]() == before[number]
            times += 1
        return times

    with ThreadPoolExecutor(len(asks)) as threads:
        readers = [threads.submit(read, number) for number in range(len(asks))]
        try:
            for _ in range(10):
                spine.views.rebuild()
        finally:
            done.set()
        assert all(reader.result() > 5 for reader in readers)


def _asset(spine: Spine) -> str:
    found, _ = spine.views.documents.page(Filter(kinds=("asset",), archived=True), first=1)
    return str(found[0][1]["id"])


def test_positions_never_go_back_while_events_come_and_views_are_rebuilt(spine: Spine) -> None:
    """Given a writer, a folder and a rebuilder at once, then no view falls back, and what was waited for stays."""
    spine.append(_log(20))
    spine.views.catch_up()
    done = threading.Event()

    def write() -> None:
        for number in range(60):
            appended = spine.log.append(numbered(5, start=10 * number, project=A))
            spine.views.wait(appended.token.position, 20.0)
            for _ in range(5):
                assert spine.views.documents.get(A)["name"] == spine_name(appended.token.position)

    def spine_name(position: int) -> str:
        (event,) = spine.log.at([position]).values()
        return str(event.data.name)  # type: ignore[attr-defined]  # renamings only

    def fold() -> None:
        while not done.is_set():
            spine.views.catch_up()

    def rebuild() -> None:
        while not done.is_set():
            spine.views.rebuild()

    def watch() -> None:
        highest: dict[str, int] = {}
        while not done.is_set():
            for view in spine.views.status():
                assert view.position >= highest.get(view.name, 0), f"{view.name} went back"
                highest[view.name] = view.position

    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(work) for work in (fold, rebuild, watch)]
        try:
            threads.submit(write).result()
        finally:
            done.set()
        for other in others:
            other.result()
    spine.views.catch_up()
    assert list(spine.views.differences()) == []


def test_a_new_version_is_built_beside_the_old_one_which_answers_until_then(tmp_path: Path) -> None:
    """Given views of one version, when opened by a release with another, then the old answers until then."""
    path = tmp_path / "disco.sqlite"
    with Spine(path) as old:
        old.append(_log())
        old.views.catch_up()
        before = old.views.documents.get(A)
    with Spine(path, views=_bumped("catalogue", apply=_shouting)) as new:
        assert new.views.documents.get(A) == before
        status = {view.name: view for view in new.views.status()}
        assert status["catalogue"].state == "rebuilding"
        assert status["jobs"].state == "live"
        new.views.catch_up()
        assert new.views.documents.get(A)["name"] == str(before["name"]).upper()
        status = {view.name: view for view in new.views.status()}
        assert (status["catalogue"].state, status["catalogue"].version) == ("live", VERSION + 1)
        assert list(new.views.differences()) == []


def _shouting(rows, events) -> None:  # type: ignore[no-untyped-def]  # as the catalogue's
    catalogue = next(view for view in VIEWS if view.name == "catalogue")
    catalogue.apply(rows, events)
    for event in events:
        document = rows.get(event.subject)
        if document is not None:
            rows.put(event.subject, {**document, "name": document["name"].upper()})


def test_a_new_version_with_another_schema_is_no_trouble_while_events_come(tmp_path: Path) -> None:
    """Given a release whose tables differ, when events come before the rebuild is done, then all is folded."""
    path = tmp_path / "disco.sqlite"
    with Spine(path) as old:
        old.append(_log())
        old.views.catch_up()
    jobs = next(view for view in VIEWS if view.name == "jobs")
    schema = jobs.schema + "CREATE TABLE {t}_extra (x);"
    changed = _bumped("jobs", schema=schema, tables=(*jobs.tables, "extra"), rows=_with_extra(jobs.rows))
    with Spine(path, views=changed) as new:
        new.append(numbered(30, project=A, start=500))
        new.views.catch_up()
        new.append(numbered(30, project=A, start=600))
        new.views.catch_up()
        assert {view.position for view in new.views.status()} == {new.log.head()}
        assert {view.state for view in new.views.status()} == {"live"}


def _with_extra(rows: Callable[..., object]) -> Callable[..., object]:
    def made(connection, table, cache) -> object:  # type: ignore[no-untyped-def]  # as the view's
        connection.execute(f"INSERT INTO {table}_extra VALUES (1)")  # noqa: S608
        return rows(connection, table, cache)

    return made


def test_going_back_to_the_old_release_in_the_middle_of_a_rebuild_harms_no_view(tmp_path: Path) -> None:
    """Given a rebuild begun by a new release, when the old one opens the file, then its views are its own again."""
    path = tmp_path / "disco.sqlite"
    with Spine(path) as old:
        old.append(_log())
        old.views.catch_up()
        before = old.views.digests()
    with Spine(path, views=_bumped("catalogue", apply=_shouting)):
        pass
    with Spine(path) as again:
        again.views.catch_up()
        assert again.views.digests() == before
        assert list(again.views.differences()) == []
    with Spine(path, views=_bumped("catalogue", apply=_shouting)) as new:
        new.views.catch_up()
        assert new.views.documents.get(A)["name"].isupper()
        assert list(new.views.differences()) == []


def test_an_older_release_leaves_what_a_newer_one_has_made_and_says_so(tmp_path: Path) -> None:
    """Given a view that a newer release has built, when an older one has the file, then it neither folds nor builds it.

    It says why, all else goes on, and the newer one, opened again, goes on where it was.
    """
    path = tmp_path / "disco.sqlite"
    with Spine(path, views=_bumped("catalogue", apply=_echoing)) as new:
        new.append(_log(20))
        new.views.catch_up()
        before = new.views.documents.get(A)
    for _ in range(2):
        with Spine(path) as older:
            older.append(numbered(3, project=A, start=older.log.head()))
            older.views.catch_up()
            status = {view.name: view for view in older.views.status()}
            assert (status["catalogue"].state, status["catalogue"].version) == ("failing", VERSION + 1)
            assert "a newer release made" in str(status["catalogue"].failure)
            assert {(view.state, view.lag) for name, view in status.items() if name != "catalogue"} == {("live", 0)}
            assert older.views.documents.get(A) == before
            assert list(older.views.differences()) == []
    with Spine(path, views=_bumped("catalogue", apply=_echoing)) as again:
        assert {view.state for view in again.views.status()} == {"live"}, "nothing is to be built once more"
        again.views.catch_up()
        assert again.views.documents.get(A)["echo"] != before["echo"]
        assert list(again.views.differences()) == []


def _echoing(rows, events) -> None:  # type: ignore[no-untyped-def]  # as the catalogue's
    catalogue = next(view for view in VIEWS if view.name == "catalogue")
    catalogue.apply(rows, events)
    for event in events:
        document = rows.get(event.subject)
        if document is not None:
            rows.put(event.subject, {**document, "echo": document["name"].upper()})


def test_two_processes_of_different_releases_do_not_replace_each_others_views(tmp_path: Path) -> None:
    """Given both on one file at once, then the older folds its view until the newer's is there, and never builds."""
    path = tmp_path / "disco.sqlite"
    with Spine(path) as older, Spine(path, views=_bumped("catalogue", apply=_echoing)) as new:
        older.append(_log(20))
        older.views.catch_up()
        assert older.views.documents.get(A) == new.views.documents.get(A)
        new.views.catch_up()
        assert new.views.documents.get(A)["echo"]
        for spine in (older, new) * 2:
            spine.append(numbered(1, project=A, start=spine.log.head()))
            spine.views.catch_up()
            versions = {view.name: view.version for view in spine.views.status()}
            assert versions["catalogue"] == VERSION + 1
        assert list(new.views.differences()) == []


def test_a_release_that_was_gone_back_to_builds_its_views_when_it_is_told_to(tmp_path: Path) -> None:
    """Given a view of a newer release that was given up, when the older one rebuilds it, then it is its own again."""
    path = tmp_path / "disco.sqlite"
    with Spine(path, views=_bumped("catalogue", apply=_echoing)) as new:
        new.append(_log(20))
        new.views.catch_up()
    with Spine(path) as older:
        older.views.rebuild(["catalogue"])
        assert "echo" not in older.views.documents.get(A)
        status = {view.name: view for view in older.views.status()}
        assert (status["catalogue"].state, status["catalogue"].version) == ("live", VERSION)
        assert list(older.views.differences()) == []


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folding goes twenty events at a time."""
    monkeypatch.setattr(folding, "PAGE", 20)
    monkeypatch.setattr(folding, "TRANSACTION_PAGES", 1)


@pytest.mark.usefixtures("small_steps")
def test_a_rebuild_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    """Given a rebuild stopped half-way, when opened again, then it goes on there, and the old answers till then."""
    path = tmp_path / "disco.sqlite"
    with Spine(path) as first:
        first.append(_log())
        first.views.catch_up()
        digests = first.views.digests()
        with pytest.raises(KeyboardInterrupt):
            first.views.rebuild(on_progress=_stop_past(100))
    with Spine(path) as second:
        positions = [view.building_position for view in second.views.status()]
        assert all(position is not None and 80 <= position < second.log.head() for position in positions)
        assert second.views.digests() == digests
        seen: list[int] = []
        second.views.catch_up(on_progress=lambda position, head: seen.append(position))
        assert min(seen) > 80
        assert second.views.digests() == digests
        assert {view.state for view in second.views.status()} == {"live"}


def _stop_past(limit: int) -> Callable[[int, int], None]:
    def on_progress(position: int, head: int) -> None:
        if position >= limit:
            raise KeyboardInterrupt

    return on_progress


@pytest.mark.usefixtures("small_steps")
def test_a_rebuild_tells_how_far_it_is(spine: Spine) -> None:
    """Given a rebuild, then its progress rises to the head and ends there."""
    spine.append(_log())
    spine.views.catch_up()
    seen: list[tuple[int, int]] = []
    spine.views.rebuild(on_progress=lambda position, head: seen.append((position, head)))
    assert seen == sorted(seen)
    assert seen[-1] == (spine.log.head(), spine.log.head())
    assert len(seen) > 5


def test_one_view_can_be_rebuilt_alone_and_an_unknown_one_not(spine: Spine) -> None:
    """Given a name, then only that view gets new tables; an unknown name is an error that tells those there are."""
    spine.append(_log(20))
    spine.views.catch_up()

    def generations() -> dict[str, int]:
        with spine.database.read() as connection:
            return dict(connection.execute("SELECT name, generation FROM views WHERE state = 'live'").fetchall())

    before = generations()
    spine.views.rebuild(["similarity"])
    assert generations() == {**before, "similarity": before["similarity"] + 1}
    with pytest.raises(Exception, match="catalogue") as raised:
        spine.views.rebuild(["nothing"])
    assert raised.value.code == "malformed"  # type: ignore[attr-defined]  # a DiscoError


def test_what_was_replaced_leaves_nothing_behind(spine: Spine) -> None:
    """Given twenty rebuilds, when swept as the runner does, then there are as many tables as before."""
    spine.append(_log(20))
    spine.views.catch_up()

    def tables() -> int:
        with spine.database.read() as connection:
            return int(connection.execute("SELECT count(*) FROM sqlite_master").get)

    spine.views.rebuild()
    spine.views.sweep()
    before = tables()
    for _ in range(20):
        spine.views.rebuild()
        spine.views.sweep()
    assert tables() == before


def test_a_view_that_cannot_take_an_event_stands_still_alone_and_says_why(tmp_path: Path) -> None:
    """Given a projection that fails at one event, then its view tells so, and the others go on, and are waited for."""

    def failing(rows: object, events: list) -> None:  # type: ignore[type-arg]  # of Recorded
        raise ZeroDivisionError("no")

    views = [replace(view, apply=failing) if view.name == "measurements" else view for view in VIEWS]
    with Spine(tmp_path / "disco.sqlite", views=views) as spine:
        spine.append(_log(20))
        spine.views.catch_up()
        for view in spine.views.status():
            if view.name == "measurements":
                assert view.state == "failing"
                assert "ZeroDivisionError" in str(view.failure)
                assert view.position == 0
            else:
                assert (view.state, view.lag) == ("live", 0)
        assert spine.views.graph.node(A)
        with pytest.raises(Unavailable):
            spine.views.wait(spine.log.head(), 0.05)


def test_a_new_version_that_cannot_be_built_says_why_and_the_old_one_answers(tmp_path: Path) -> None:
    """Given a release whose projection fails, then its view tells so, and answers as before."""
    path = tmp_path / "disco.sqlite"
    with Spine(path) as old:
        old.append(_log(20))
        old.views.catch_up()

    def failing(rows: object, events: list) -> None:  # type: ignore[type-arg]  # of Recorded
        raise ZeroDivisionError("no")

    with Spine(path, views=_bumped("catalogue", apply=failing)) as new:
        before = new.views.documents.get(A)
        new.views.catch_up()
        status = {view.name: view for view in new.views.status()}
        assert (status["catalogue"].state, status["catalogue"].version, status["catalogue"].lag) == (
            "failing",
            VERSION,
            0,
        )
        assert "ZeroDivisionError" in str(status["catalogue"].failure)
        assert {view.state for name, view in status.items() if name != "catalogue"} == {"live"}
        assert new.views.documents.get(A) == before


def test_the_past_is_the_same_after_a_rebuild(spine: Spine) -> None:
    """Given answers as of many positions, then after a rebuild they are the same."""
    spine.append(_log(40))
    spine.views.catch_up()
    everything = ids_in(spine.events())

    def pasts() -> list[object]:
        return [graph_of(spine.views.graph, everything, AsOf(position)) for position in range(0, 80, 9)]

    before = pasts()
    spine.views.rebuild()
    assert pasts() == before


def test_another_process_that_folded_further_meanwhile_is_not_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given two processes on one file, when one folds what the other has done already, then nothing goes back."""
    path, stop = tmp_path / "disco.sqlite", threading.Event()
    stop.set()
    with Spine(path) as slow, Spine(path) as fast:
        slow.append(_log(20))
        read = slow.log.read

        def overtaken(*arguments: object, **how: object) -> object:
            page = read(*arguments, **how)  # type: ignore[arg-type]  # passed on
            monkeypatch.setattr(slow.log, "read", read)
            fast.append(numbered(20, project=A, start=500))
            fast.views.catch_up()
            return page

        monkeypatch.setattr(slow.log, "read", overtaken)
        slow.views.catch_up(stop=stop)
        assert {view.position for view in slow.views.status()} == {slow.log.head()}
        assert list(slow.views.differences()) == []
