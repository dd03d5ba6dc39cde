"""Workers over Kafka keep views: a new version is built by itself, a view that cannot take an event stands alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.server_room import told
from domain import ids
from domain.views import ViewStatus
from events.resources import ProjectCreated
from infra.server.installation import Installation
from infra.server.relay import partition_of
from infra.server.worker import Worker
from projections import catalogue, jobs
from tests.builders import numbered, proposed
from tests.cli.calling import call

if TYPE_CHECKING:
    from tests.installations import Installations

PATIENCE_S = 60.0
PAUSE_S = 0.05
POISONED, OTHER = ids.project_id("one"), ids.project_id("three")


@pytest.fixture
def opened(installations: Installations) -> Iterator[Callable[[], Any]]:
    """Opens an installation with a worker that folds, as of the release that the code is then."""
    with installations.one() as settings:

        @contextmanager
        def working() -> Iterator[Installation]:
            with closing(Installation(settings)) as installation:
                worker = Worker(installation, None, processors=[])
                installation.relay.start()
                worker.start()
                try:
                    yield installation
                finally:
                    worker.stop()

        yield working


def _status(installation: Installation) -> dict[str, ViewStatus]:
    return {view.name: view for view in installation.views.status()}


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(PAUSE_S)


def _write(installation: Installation, project: str, *, start: int = 0) -> int:
    if start == 0:
        installation.log.append([proposed(ProjectCreated(project_id=project, name="new"), project=project)])
    return installation.log.append(numbered(5, start=start, project=project)).token.position


def test_a_worker_of_a_new_release_builds_its_views_and_switches(
    opened: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given views of one version, when a worker with another begins, then the views are of that one, and go on."""
    with opened() as installation:
        installation.views.wait(_write(installation, OTHER), PATIENCE_S)
    apply, version = catalogue.apply, catalogue.VERSION

    def shouting(rows: Any, events: Any) -> None:
        apply(rows, events)
        for event in events:
            rows.put(event.subject, {**rows.get(event.subject), "name": rows.get(event.subject)["name"].upper()})

    monkeypatch.setattr(catalogue, "VERSION", version + 1)
    monkeypatch.setattr(catalogue, "apply", shouting)
    with opened() as installation:
        assert installation.views.documents.get(OTHER)["name"] == "name 4"
        _until(lambda: _status(installation)[catalogue.NAME].version == version + 1)
        installation.views.wait(_write(installation, OTHER, start=5), PATIENCE_S)
        assert installation.views.documents.get(OTHER)["name"] == "NAME 9"
        assert {view.state for view in installation.views.status()} == {"live"}


def test_a_view_that_cannot_take_an_event_stands_still_in_one_partition_until_it_can(
    opened: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a projection that fails at one project, then other partitions and views go on; mended, it goes on too."""
    apply, mended = catalogue.apply, list[bool]()

    def failing(rows: Any, events: Any) -> None:
        if not mended and any(event.project == POISONED for event in events):
            raise ZeroDivisionError("no such chord")
        apply(rows, events)

    monkeypatch.setattr(catalogue, "apply", failing)
    with opened() as installation:
        partitions = installation.settings.partitions
        assert partition_of(POISONED, partitions) != partition_of(OTHER, partitions)
        poisoned, other = _write(installation, POISONED), _write(installation, OTHER)
        _until(lambda: _status(installation)[catalogue.NAME].state == "failing")
        assert "ZeroDivisionError: no such chord" in str(_status(installation)[catalogue.NAME].failure)
        _until(lambda: OTHER in installation.views.documents.many([OTHER, POISONED]))
        _until(lambda: installation.views.documents.get(OTHER)["name"] == "name 4")
        shown = call(installation.settings.home, "views", told=told(installation.settings))
        assert "ZeroDivisionError: no such chord" in shown.out, shown.err
        assert POISONED not in installation.views.documents.many([POISONED])
        _until(lambda: {view.name for view in installation.views.status() if view.lag} == {catalogue.NAME})
        assert _status(installation)[jobs.NAME].state == "live"
        mended.append(True)
        installation.views.wait(max(poisoned, other), PATIENCE_S)
        assert installation.views.documents.get(POISONED)["name"] == "name 4"
        assert (_status(installation)[catalogue.NAME].state, _status(installation)[catalogue.NAME].failure) == (
            "live",
            None,
        )
