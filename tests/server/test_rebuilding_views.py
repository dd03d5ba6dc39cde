"""Views over servers are built anew beside those that answer: none waits for another, none loses or leaps an event."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from domain import ids
from domain.errors import Malformed
from domain.views import Filter, ViewStatus
from infra.server.folding import Folding
from infra.server.keeping import Keeper
from infra.server.store import View
from projections import catalogue, jobs, lineage_graph, measurements
from tests.builders import History, interleaved, library, numbered
from tests.contracts.server_views import PAGE, FoldedViews
from tests.spine import graph_of, ids_in

PATIENCE_S = 30.0
A = ids.project_id("a")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FoldedViews]:
    """Views on all servers, with what happened in two projects."""
    random = Random(9)
    with closing(FoldedViews(tmp_path_factory.mktemp("rebuilt"))) as made:
        made.given(interleaved([[library()], *(History(random, name).grow(100) for name in "ab")], random))
        yield made


@pytest.fixture
def made(filled: FoldedViews) -> Iterator[FoldedViews]:
    """The same; what a test leaves half built or of another version is of this version again behind it."""
    yield filled
    mine = {view.name: view.store.version for view in filled.stores}
    left = [view.name for view in filled.views.status() if view.state != "live" or view.version != mine[view.name]]
    for name in filled.folding.begin(left) if left else ():
        assert filled.folding.build(name)
    filled.known.look_again()


def _folding(made: FoldedViews, **applies: Callable[[Any, Any], None]) -> Folding:
    """What another process of another release would fold with: these views are of the next version."""
    views = [_changed(view, applies[view.name]) if view.name in applies else view for view in made.stores]
    topic: Any = made.topic
    return Folding(made.postgres, topic, views, page=PAGE)


def _changed(view: View, apply: Callable[[Any, Any], None]) -> View:
    store: Any = view.store
    return View(replace(store, version=store.version + 1), apply)


def _shouting(rows: Any, events: Any) -> None:
    catalogue.apply(rows, events)
    for event in events:
        document = rows.get(event.subject)
        if document is not None:
            rows.put(event.subject, {**document, "name": document["name"].upper()})


def _status(made: FoldedViews) -> dict[str, ViewStatus]:
    return {view.name: view for view in made.views.status()}


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.mark.parametrize("error", [ZeroDivisionError("no such chord"), Malformed("no such chord")])
def test_a_view_that_cannot_be_built_says_so_holds_up_no_other_and_is_built_once_mended(
    made: FoldedViews, error: Exception
) -> None:
    """Given a new version that fails, then its view answers as before and tells why; other work is done meanwhile."""
    before, mended, stop, expired = made.views.documents.get(A), threading.Event(), threading.Event(), threading.Event()

    def failing(rows: Any, events: Any) -> None:
        if not mended.is_set():
            raise error
        _shouting(rows, events)

    def expire() -> None:
        expired.set()
        raise error

    folding = _folding(made, catalogue=failing, jobs=jobs.apply)
    assert folding.outdated() == [catalogue.NAME, jobs.NAME]
    keeper = Keeper(folding, stop, expire=expire, every_s=0.02, retry_s=0.1)
    keeper.start()
    try:
        _until(lambda: _status(made)[jobs.NAME].version == jobs.VERSION + 1)
        _until(expired.is_set)
        status = _status(made)[catalogue.NAME]
        assert (status.state, status.version, status.lag) == ("failing", catalogue.VERSION, 0)
        assert "no such chord" in str(status.failure)
        made.known.look_again()
        assert made.views.documents.get(A) == before
        mended.set()
        _until(lambda: _status(made)[catalogue.NAME].version == catalogue.VERSION + 1)
        assert (_status(made)[catalogue.NAME].state, _status(made)[catalogue.NAME].failure) == ("live", None)
    finally:
        stop.set()
        keeper.join()
    made.known.look_again()
    assert made.views.documents.get(A)["name"] == str(before["name"]).upper()


def test_reads_in_a_tight_loop_see_the_old_or_the_new_and_never_fail(made: FoldedViews) -> None:
    """Given threads that read, when views are rebuilt, and the catalogue by a new version, then so it is."""
    documents, done = made.views.documents, threading.Event()
    everything, name = ids_in(made.spine.events())[:40], str(made.views.documents.get(A)["name"])
    wanted = [name, name.upper()]
    asks: list[Callable[[], object]] = [
        lambda: graph_of(made.views.graph, everything),
        lambda: [made.views.series.points(name) for name in made.views.series.names()],
        lambda: len(documents.page(Filter(archived=True), first=1000)[0]),
    ]
    same = [ask() for ask in asks]

    def read(number: int) -> None:
        while not done.is_set():
            assert asks[number]() == same[number]

    def read_names() -> list[int]:
        seen: list[int] = []
        while not seen or not done.is_set() or seen[-1] == 0:
            seen.append(wanted.index(str(documents.get(A)["name"])))
        return seen

    folding = _folding(made, catalogue=_shouting)
    with ThreadPoolExecutor(len(asks) + 1) as threads:
        reading, named = [threads.submit(read, number) for number in range(len(asks))], threads.submit(read_names)
        try:
            for view in folding.begin([catalogue.NAME, measurements.NAME, lineage_graph.NAME]):
                assert folding.build(view)
        finally:
            done.set()
        for each in reading:
            each.result()
        seen = named.result()
    assert seen == sorted(seen), "the new one, and then the old one again"
    assert set(seen) == {0, 1}


def test_a_rebuild_that_was_broken_off_goes_on_where_it_was(made: FoldedViews) -> None:
    """Given builds of all views that end in the middle, when others build, then no page that was noted is done again.

    The old generations answer until then, and what is there at the end is what was there before.
    """
    before, taken = made.views.digests(), dict[str, list[int]]()

    def noting(view: View) -> View:
        def apply(rows: Any, events: Any) -> None:
            taken.setdefault(view.name, []).extend(event.position for event in events)
            view.apply(rows, events)

        return replace(view, apply=apply)

    topic: Any = made.topic
    for attempt in (_broken_off_past(3 * PAGE), None):
        folding = Folding(made.postgres, topic, [noting(view) for view in made.stores], page=PAGE)
        for name in folding.begin():
            if attempt is None:
                assert folding.build(name)
            else:
                with pytest.raises(KeyboardInterrupt):
                    folding.build(name, on_progress=attempt)
                assert _status(made)[name].state == "rebuilding"
        made.known.look_again()
        assert made.views.digests() == before
    events = sorted(event.position for event in made.spine.events())
    assert {name: sorted(positions) for name, positions in taken.items()} == dict.fromkeys(before, events)
    assert {view.state for view in made.views.status()} == {"live"}


def _broken_off_past(limit: int) -> Callable[[int, int], None]:
    def on_progress(done: int, total: int) -> None:
        if done >= limit:
            raise KeyboardInterrupt

    return on_progress


def test_what_happens_while_a_view_is_built_is_in_it_when_it_is_switched(made: FoldedViews) -> None:
    """Given events of three projects while each is built, then each new view is what the embedded profile's is.

    Those that nobody had folded when it was switched are folded into the new one.
    """
    start = iter(range(1_000, 9_000, 10))

    def write(done: int, total: int) -> None:
        if done < 2 * PAGE:
            written.append(name)
            for project in "abc":
                made.given(numbered(2, start=next(start), project=ids.project_id(project)))

    written: list[str] = []
    for name in made.folding.begin([catalogue.NAME, jobs.NAME, lineage_graph.NAME]):
        assert made.folding.build(name, on_progress=write)
        made.known.look_again()
        made.spine.append(numbered(3, start=next(start), project=A))
        for partition, records in made.published().items():
            for view in made.stores:
                made.fold(view.name, partition, records)
    made.spine.views.catch_up()
    assert set(written) == {catalogue.NAME, jobs.NAME, lineage_graph.NAME}
    assert made.views.digests() == made.spine.views.digests()
    assert {(view.state, view.lag) for view in made.views.status()} == {("live", 0)}
