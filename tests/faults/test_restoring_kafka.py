"""Kafka's data put back from a copy: of the last moment, older than the ledger, with what was lost in it or not."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from domain.commands import RenameResource
from domain.errors import Corrupted
from infra.local_servers import LocalServers
from infra.opening import rebuild_ledger
from infra.server.disco import ServerDisco
from infra.settings import Settings
from tests.faults.conftest import Behind
from tests.given import ADA

SOON_S = 60.0


@pytest.fixture
def over(over: Settings) -> Settings:
    """The plain runner begins and ends sooner."""
    return over.model_copy(update={"runner": "plain"})


@contextmanager
def _stopped(broker: LocalServers) -> Iterator[Path]:
    """Kafka's folder of data while it does not run."""
    broker.stop("kafka")
    try:
        yield broker.places.run / "kafka" / "data"
    finally:
        broker.start("kafka")


def _copied(broker: LocalServers, into: Path) -> Path:
    with _stopped(broker) as data:
        return Path(shutil.copytree(data, into))


def _put_back(broker: LocalServers, copy: Path) -> None:
    with _stopped(broker) as data:
        shutil.rmtree(data)
        shutil.copytree(copy, data)


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def _service(running: Behind) -> ServerDisco:
    service = running.given.service
    assert isinstance(service, ServerDisco)
    return service


def _told_by(service: ServerDisco) -> str:
    """What the one server that is at fault is said to lack."""
    (fault,) = [server.fault for server in service.servers() if server.fault is not None]
    return fault


def _dense(running: Behind) -> bool:
    positions = [event.position for event in running.given.events()]
    return positions == list(range(1, len(positions) + 1))


def _places(running: Behind) -> list[tuple[object, ...]]:
    return [(event.position, event.project, event.sequence, event.id) for event in running.given.events()]


def test_a_copy_of_the_last_moment_is_as_good_as_what_was_lost(
    running: Behind, broker: LocalServers, tmp_path: Path
) -> None:
    """Given all of Kafka's data lost, when its newest copy is put back, then nothing is missing, positions go on."""
    head = running.given.service.log.head()
    with _stopped(broker) as data:
        shutil.copytree(data, tmp_path / "copy")
        shutil.rmtree(data)
        shutil.copytree(tmp_path / "copy", data)
    assert list(running.given.service.differences()) == []
    running.write()
    running.bring()
    running.sound()
    assert running.given.service.log.head() > head
    assert _dense(running)


def test_what_the_ledger_holds_whole_goes_to_kafka_again_at_its_place(
    running: Behind, broker: LocalServers, over: Settings, tmp_path: Path
) -> None:
    """Given a copy that lacks people's own acts, when the ledger is made anew, then every event is where it was.

    No cursor and no token means anything else than before.
    """
    copy = _copied(broker, tmp_path / "copy")
    running.write(3)
    running.given.settled()
    before = _places(running)
    _put_back(broker, copy)
    running.given.service.close()
    made = rebuild_ledger(over, give_up_lost=True)
    assert (made.waiting, made.given_up) == (9, 0)
    running.given.reopened()
    running.sound()
    assert _places(running) == before


def test_a_copy_that_lacks_findings_is_told_and_nothing_is_published_behind_the_hole(
    running: Behind, broker: LocalServers, over: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given Kafka put back older under a running service, then writing goes on, and all who ask are told what to do.

    The relay stops at the first sign, verify says it, a damaged read says it, no ledger is made anew by mistake. Given
    up by name, what people did is all there, findings are made again, and every view is whole by itself.
    """
    copy = _copied(broker, tmp_path / "copy")
    running.bring(3)
    running.write()
    running.given.settled()
    ends = _service(running).installation.history.ends()
    _put_back(broker, copy)
    monkeypatch.setattr("infra.server.relay.CHECK_S", 0.5)
    monkeypatch.setattr("infra.server.archive.DEADLINE_S", 1.0)
    running.write(2)
    _until(lambda: _service(running).installation.relay.refused is not None)
    assert "Kafka has lost events" in _told_by(_service(running))
    running.write()
    told = list(running.given.service.differences())
    assert told
    assert {(each.view, each.kind) for each in told} == {("events", "damaged")}
    assert all("disco rebuild-ledger --give-up-lost" in each.detail for each in told)
    with pytest.raises(Corrupted, match=r"lost events|damaged|missing"):
        running.given.events()
    after = _service(running).installation.history.ends()
    assert sum(after.values()) < sum(ends.values()), "one batch at most came behind the hole"
    _give_up(running, over, lambda: _put_back(broker, copy))


def _give_up(running: Behind, over: Settings, put_back: Callable[[], None]) -> None:
    """The way out, as the manual says it; all must be whole by itself."""
    running.given.service.close()
    put_back()  # what was brought there meanwhile, to partitions that lack nothing, is in the ledger
    with pytest.raises(Corrupted, match="give-up-lost"):
        rebuild_ledger(over)
    made = rebuild_ledger(over, give_up_lost=True)
    assert made.waiting > 0
    assert made.given_up > 0
    running.given.reopened()
    running.given.settled()
    _until(lambda: list(running.given.service.differences()) == [])
    assert _dense(running)
    name = next(iter(running.names))
    running.given.service.execute(RenameResource(resource_id=name, name="after all"), actor=ADA)
    running.names[name] = "after all"
    running.whole()
