"""The command line over servers while a view cannot take an event: it is told, and nothing else is held up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile

from benchmarks.server_room import told
from domain import ids
from infra.pool import WorkerPool
from infra.server.relay import partition_of
from projections import catalogue
from tests.cli.conftest import Disco
from tests.given import RATE_HZ, lent, sine

if TYPE_CHECKING:
    from tests.installations import Installations

POISONED, OTHER = ids.project_id("one"), ids.project_id("three")


def test_a_view_that_stands_still_is_told_and_holds_up_no_verb(
    installations: Installations,
    disco: Disco,
    workers: WorkerPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given a projection that fails at one project, then verbs answer of the other one, and views and verify say why.

    The rows that there are, are right. Mended, the rest is there without being asked for.
    """
    apply, mended = catalogue.apply, list[bool]()

    def failing(rows: Any, events: Any) -> None:
        if not mended and any(event.project == POISONED for event in events):
            raise ZeroDivisionError("no such chord")
        apply(rows, events)

    monkeypatch.setattr("infra.server.disco.WorkerPool", lambda *_, **__: lent(workers))
    monkeypatch.setattr("api.cli.shell.SETTLE_S", 0.1)
    monkeypatch.setattr(catalogue, "apply", failing)
    soundfile.write(tmp_path / "tone.wav", sine(440.0, seconds=0.3), RATE_HZ)
    with installations.one() as settings:
        assert partition_of(POISONED, settings.partitions) != partition_of(OTHER, settings.partitions)
        for name, value in told(settings.model_copy(update={"runner": "plain"})).items():
            monkeypatch.setenv(name, value)
        for project in ("one", "three"):
            brought = disco(settings.home, "import", tmp_path / "tone.wav", "--project", project, "--no-wait")
            assert brought.status == 0, brought.err
        assert [project["name"] for project in disco(settings.home, "projects", "--json").json] == ["three"]
        views = {view["name"]: view for view in disco(settings.home, "views", "--json").json}
        assert {name for name, view in views.items() if view["state"] == "failing"} == {catalogue.NAME}
        assert "ZeroDivisionError: no such chord" in views[catalogue.NAME]["failure"]
        verified = disco(settings.home, "verify", "--json").json
        assert verified["clean"]
        assert list(verified["standing_still"]) == [catalogue.NAME]
        assert "catalogue stands still: " in disco(settings.home, "verify").out
        mended.append(True)
        assert len(disco(settings.home, "projects", "--json").json) == 2
        assert disco(settings.home, "verify", "--json").json["standing_still"] == {}
