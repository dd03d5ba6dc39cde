"""Workers of two releases on one installation: the newer one's views replace the older one's, and never the reverse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from domain import ids
from domain.errors import NewerVersion, Unavailable
from domain.views import ViewStatus
from events.envelope import Recorded
from events.resources import ProjectCreated
from infra.server import registry
from infra.server.folding import Folding
from infra.server.installation import Installation
from infra.server.records import Partition
from infra.server.store import View
from infra.server.worker import Worker
from projections import catalogue
from tests.builders import library, numbered, proposed
from tests.contracts.server_views import PAGE, FoldedViews

if TYPE_CHECKING:
    from infra.settings import Settings
    from tests.installations import Installations

PATIENCE_S = 60.0
OLD, NEW = catalogue.VERSION, catalogue.VERSION + 1
A = ids.project_id("a")


older_apply = catalogue.apply


def _echoing(rows: Any, events: Any) -> None:
    """The catalogue as a newer release has it: one field more."""
    older_apply(rows, events)
    for event in events:
        document = rows.get(event.subject)
        if document is not None:
            rows.put(event.subject, {**document, "echo": document["name"].upper()})


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


# One fold at a time


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FoldedViews]:
    """Views of the older release, with a project in them."""
    with closing(FoldedViews(tmp_path_factory.mktemp("upgraded"))) as views:
        views.given([library(), proposed(ProjectCreated(project_id=A, name="a"), project=A), *numbered(10, project=A)])
        yield views


@pytest.fixture
def made(filled: FoldedViews) -> Iterator[FoldedViews]:
    """The same; behind each test its catalogue is the older release's again, by the way back that there is."""
    yield filled
    filled.folding.begin([catalogue.NAME])
    assert filled.folding.build(catalogue.NAME)
    filled.known.look_again()


@pytest.fixture
def newer(made: FoldedViews) -> Folding:
    """What a worker of the newer release folds with."""
    topic: Any = made.topic
    views = [_newer(view) if view.name == catalogue.NAME else view for view in made.stores]
    return Folding(made.postgres, topic, views, page=PAGE)


def _newer(view: View) -> View:
    store: Any = view.store
    return View(replace(store, version=NEW), _echoing)


def _catalogue(made: FoldedViews) -> ViewStatus:
    made.known.look_again()
    return next(view for view in made.views.status() if view.name == catalogue.NAME)


def _names(made: FoldedViews) -> tuple[str, str | None]:
    """A's name, and its echo, which only the newer release has."""
    made.known.look_again()
    document = made.views.documents.get(A)
    return document["name"], document.get("echo")


def _generations(made: FoldedViews) -> list[tuple[int, str]]:
    with made.postgres.read() as connection:
        return [(each.version, each.state) for each in registry.generations(connection, catalogue.NAME)][-2:]


@dataclass(frozen=True)
class Page:
    """Events that no view has had yet, as a worker is handed them, and the name they give."""

    partition: int
    previous: int
    events: Sequence[Recorded]
    name: str

    def folded(self, folding: Folding) -> int:
        """Have them folded into the catalogue."""
        return folding.fold(catalogue.NAME, self.partition, self.previous, self.events)


def _next_page(made: FoldedViews) -> Page:
    start = made.spine.log.head()
    made.spine.append(numbered(3, start=start, project=A))
    ((partition, records),) = made.published().items()
    for view in made.stores:
        if view.name != catalogue.NAME:
            made.fold(view.name, partition, records)
    previous = int(dict(records[0].headers)["ce_previous"])
    return Page(partition, previous, Partition(previous).take(records), f"name {start + 2}")


def test_an_older_release_leaves_what_a_newer_one_made_and_says_so(made: FoldedViews, newer: Folding) -> None:
    """Given a view that a newer release has built, then an older worker builds nothing in its place and folds nothing.

    It says why, until a newer worker has taken what it left; then nothing is missing.
    """
    name, _ = _names(made)
    assert newer.outdated() == [catalogue.NAME]
    assert newer.build(catalogue.NAME)
    assert made.folding.outdated() == newer.outdated() == []
    assert made.folding.build(catalogue.NAME)
    assert (_catalogue(made).version, _names(made)) == (NEW, (name, name.upper()))
    page = _next_page(made)
    with pytest.raises(NewerVersion, match=f"version {NEW}, which a newer release made.*upgrade"):
        page.folded(made.folding)
    assert _catalogue(made).state == "failing"
    assert "a newer release made" in str(_catalogue(made).failure)
    made.folding.catch_up()
    assert _names(made) == (name, name.upper()), "a verb that brings views up leaves it alone likewise"
    page.folded(newer)
    assert (_catalogue(made).state, _catalogue(made).lag) == ("live", 0)
    assert _names(made) == (page.name, page.name.upper())
    assert list(made.views.differences()) == [], "what another release made is compared by that release"


def test_an_older_worker_that_comes_too_late_finds_that_all_is_done(made: FoldedViews, newer: Folding) -> None:
    """Given a page that a newer worker has folded, when an older one is handed it too, then there is no complaint."""
    assert newer.build(catalogue.NAME)
    page = _next_page(made)
    assert page.folded(newer) == page.folded(made.folding)
    assert _catalogue(made).state == "live"


def test_a_complaint_that_comes_too_late_is_not_heard(made: FoldedViews) -> None:
    """Given a page that one worker failed at and another has taken meanwhile, then the view is not said to stand."""
    page = _next_page(made)
    reached = page.folded(made.folding)
    for short_of, state in ((reached, "live"), (reached + 1, "failing")):
        with made.postgres.transaction() as connection:
            live = registry.live_locked(connection, catalogue.NAME)
            assert live is not None
            registry.stand_still(connection, live.name, live.number, page.partition, "no", short_of=short_of)
        assert _catalogue(made).state == state


def test_a_newer_release_folds_nothing_into_the_old_rows_and_all_into_its_own(
    made: FoldedViews, newer: Folding
) -> None:
    """Given a view that the newer release has yet to build, then the old one answers as it was, and is of one version.

    An older worker may still fold into it. Built, the new one has what came meanwhile.
    """
    before, page = _names(made), _next_page(made)
    with pytest.raises(Unavailable, match=f"until version {NEW} is built"):
        page.folded(newer)
    assert (_names(made), _catalogue(made).failure) == (before, None)
    page.folded(made.folding)
    assert _names(made) == (page.name, None)
    assert newer.build(catalogue.NAME)
    assert (_names(made), _catalogue(made).lag) == ((page.name, page.name.upper()), 0)


def test_where_nobody_works_a_newer_release_that_brings_views_up_builds_its_own(
    made: FoldedViews, newer: Folding
) -> None:
    """Given no worker, when views are brought up by a newer release, then they are of its version, and whole."""
    page = _next_page(made)
    newer.catch_up()
    assert (_catalogue(made).version, _names(made)) == (NEW, (page.name, page.name.upper()))


def test_what_a_newer_release_is_building_an_older_one_neither_drops_nor_begins_anew(
    made: FoldedViews, newer: Folding
) -> None:
    """Given a build by a newer release that was broken off, then an older one leaves it, and refuses to build by hand.

    The newer one goes on with it.
    """
    newer.begin([catalogue.NAME])
    assert made.folding.outdated() == []
    assert made.folding.build(catalogue.NAME)
    with pytest.raises(NewerVersion, match="newer release is building"):
        made.folding.begin([catalogue.NAME])
    assert _generations(made) == [(OLD, "live"), (NEW, "building")]
    assert newer.outdated() == [catalogue.NAME]
    assert newer.build(catalogue.NAME)
    assert _generations(made) == [(OLD, "retired"), (NEW, "live")]


def test_a_release_that_was_gone_back_to_builds_its_views_when_it_is_told_to(made: FoldedViews, newer: Folding) -> None:
    """Given a newer release that was given up, when the older one builds by hand, then the view is its own again.

    It goes on from there. A newer one that comes after all builds it once more.
    """
    assert newer.build(catalogue.NAME)
    page = _next_page(made)
    assert made.folding.begin([catalogue.NAME]) == [catalogue.NAME]
    assert made.folding.build(catalogue.NAME)
    page.folded(made.folding)
    assert (_catalogue(made).version, _catalogue(made).state, _catalogue(made).lag) == (OLD, "live", 0)
    assert _names(made) == (page.name, None)
    assert list(made.views.differences()) == []
    assert newer.outdated() == [catalogue.NAME]


def test_replaced_rows_of_a_view_that_this_release_lacks_are_left_to_who_has_it(
    made: FoldedViews, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a replaced generation of a view unknown here, then sweeping does not forget where its rows lie."""
    monkeypatch.setattr(registry, "RETIRED_S", -1)
    topic: Any = made.topic
    made.folding.begin([catalogue.NAME])
    assert made.folding.build(catalogue.NAME)
    Folding(made.postgres, topic, [view for view in made.stores if view.name != catalogue.NAME]).sweep()
    assert _generations(made) == [(OLD, "retired"), (OLD, "live")]
    made.folding.sweep()
    assert _generations(made) == [(OLD, "live")]


# Two workers over Kafka


@pytest.fixture
def placed(installations: Installations) -> Iterator[Settings]:
    """An installation; the plain runner begins and ends sooner."""
    with installations.one() as settings:
        yield settings.model_copy(update={"runner": "plain"})


def _working(settings: Settings, opened: ExitStack) -> tuple[Installation, Worker]:
    """A worker that folds, of the release that the code is now."""
    installation = opened.enter_context(closing(Installation(settings)))
    worker = Worker(installation, None, processors=[])
    installation.relay.start()
    worker.start()
    return installation, worker


def _write(installation: Installation, names: list[str], number: int) -> int:
    for name in names:
        project = ids.project_id(name)
        if number == 0:
            installation.log.append([proposed(ProjectCreated(project_id=project, name="new"), project=project)])
        installation.log.append(numbered(1, start=number, project=project))
    return installation.log.head()


def _standing(installation: Installation) -> ViewStatus:
    return next(view for view in installation.views.status() if view.name == catalogue.NAME)


def test_workers_of_two_releases_do_not_replace_each_others_views(
    placed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given workers of two releases side by side, then the newer's catalogue is built once, and stays.

    What the older one holds of the partitions waits, and says for what; when it has left, all is taken.
    """
    names = list("abcdefgh")
    with ExitStack() as opened:
        old, older = _working(placed, opened)
        leaving = opened.enter_context(ExitStack())
        leaving.callback(older.stop)
        old.views.wait(_write(old, names, 0), PATIENCE_S)
        with monkeypatch.context() as patch:
            patch.setattr(catalogue, "VERSION", NEW)
            patch.setattr(catalogue, "apply", _echoing)
            new, worker = _working(placed, opened)
        opened.callback(worker.stop)
        _until(lambda: _standing(new).version == NEW)
        _until(lambda: _shared(older, worker))
        _write(new, names, 1)
        _until(lambda: _standing(new).state == "failing")
        assert "upgrade" in str(_standing(new).failure)
        assert old.folding.outdated() == new.folding.outdated() == []
        leaving.close()
        new.views.wait(new.log.head(), PATIENCE_S)
        assert {view.state for view in new.views.status()} == {"live"}
        assert {new.views.documents.get(ids.project_id(name))["echo"] for name in names} == {"NAME 1"}
        with new.postgres.read() as connection:
            made = [each.version for each in registry.generations(connection, catalogue.NAME)]
        assert made == [OLD, NEW], "each was built once"


def _shared(*workers: Worker) -> bool:
    """Whether each of these workers has partitions of the catalogue's group."""
    hosts = [host for worker in workers for group, host in worker.hosts.items() if group.endswith(catalogue.NAME)]
    return all(host.lag() for host in hosts)
