"""The line to Kafka cut, slow, silent or half closed, for a moment and for a minute: nothing is lost, all in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from api.app import create_app
from benchmarks.server_room import remove
from domain.errors import Unavailable
from infra.local_servers import LocalServers
from infra.server.disco import ServerDisco
from infra.server.records import Partition
from infra.settings import Settings
from tests.api.client import Client
from tests.crash import cheap
from tests.faults.conftest import Behind
from tests.faults.lines import Lines
from tests.faults.proxy import Proxy
from tests.given import Given
from tests.installations import Installations

SOON_S = 60.0
MINUTE_S = 60.0
FEW = 60
"""So many events may wait for Kafka where the outbox is small."""
CREATE = 'mutation { createProject(name: "One more") { resourceId } }'


@dataclass(frozen=True)
class Silent:
    """A service whose line to Kafka has gone silent: since when, and the writes to it that go on."""

    behind: Behind
    since: float
    writing: Future[int]
    enough: threading.Event


@pytest.fixture(scope="module", autouse=True)
def silent(
    broker: LocalServers, lines: Lines, installations: Installations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Silent]:
    """One whose minute of silence passes while the other tests here are at work by another line."""
    straight = installations.unmade().model_copy(update={"kafka": broker.addresses()["DISCO_KAFKA"]})
    settings = straight.model_copy(update={"kafka": lines.address("far"), "runner": "plain"})
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as thread:
        cheap.install(patch.setattr, profile="server")
        with Given(tmp_path_factory.mktemp("silent") / "home", over=settings) as given:
            behind, enough = Behind(given, {"kafka": lines["far"]}), threading.Event()
            behind.write()
            behind.bring()
            given.settled()
            lines["far"].freeze()
            yield Silent(behind, time.monotonic(), thread.submit(_written, behind, enough), enough)
            enough.set()
            lines["far"].heal()
    remove(straight)


def _written(behind: Behind, enough: threading.Event) -> int:
    """Write and read now and then until it is enough; how often."""
    times = 0
    while not enough.wait(1.0):
        behind.write()
        first = next(iter(behind.names))
        assert behind.given.service.views.documents.get(first)["name"] == behind.names[first]
        times += 1
    return times


@pytest.fixture
def line(lines: Lines) -> Iterator[Proxy]:
    """The line that these tests spoil; it is whole behind each."""
    yield lines["near"]
    lines["near"].heal()
    lines["near"].drop()


@pytest.fixture
def over(over: Settings, lines: Lines) -> Settings:
    """An installation that comes by that line; it has a small outbox, and the plain runner, which begins sooner."""
    return over.model_copy(update={"kafka": lines.address("near"), "outbox_limit": FEW, "runner": "plain"})


def _service(behind: Behind) -> ServerDisco:
    service = behind.given.service
    assert isinstance(service, ServerDisco)
    return service


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def _published_in_order(behind: Behind) -> bool:
    """Whether a reader of Kafka takes every event of the log once, in order, and leaps over none."""
    history = _service(behind).installation.history
    states = {partition: Partition() for partition in history.ends()}
    taken = []
    for partition, records in history.pages(dict.fromkeys(states, 0)):
        taken += [(event.position, event.id) for event in states[partition].take(records)]
    assert not any(state.awaited or state.strangers for state in states.values())
    return sorted(taken) == [(event.position, event.id) for event in behind.given.events()]


def _cut(line: Proxy) -> None:
    line.cut()


def _broken(line: Proxy) -> None:
    line.drop()


def _half_closed(line: Proxy) -> None:
    line.half_close()


def _delayed(line: Proxy) -> None:
    line.delay_s = 0.1


def _frozen(line: Proxy) -> None:
    line.freeze()


def test_a_line_that_fails_in_mid_publish_loses_and_doubles_nothing(running: Behind, line: Proxy) -> None:
    """Given writes without a pause, when the line is cut, broken, half closed, slow and silent, then all is whole.

    Each time something is on its way when it happens; healed, it gets there before the next.
    """
    service = _service(running)
    with ThreadPoolExecutor(1) as thread:
        for fault in (_broken, _half_closed, _cut, _delayed, _frozen):
            writing = thread.submit(running.write, FEW // 4)
            _until(lambda: service.installation.outbox() > 0)
            fault(line)
            writing.result()
            line.heal()
            line.drop()
            _until(lambda: service.installation.outbox() == 0)
    running.bring()
    running.whole()
    assert _published_in_order(running)


def test_past_the_outboxs_limit_writes_are_refused_with_a_hint_and_reads_go_on(running: Behind, line: Proxy) -> None:
    """Given Kafka down, then as many events are taken as may wait, and the next is Unavailable, and says when again.

    What was refused is not there, reads go on, and so does everything once Kafka is back: all of it, in order.
    """
    service, before = _service(running), running.given.service.log.head()
    line.cut()
    running.bring()
    error = None
    while error is None:
        try:
            running.write()
        except Unavailable as refused:
            error = refused
    assert error.details["retry_s"]
    assert "wait for Kafka" in error.message
    assert service.installation.outbox() == FEW == service.log.head() - before
    assert isinstance(running.refused(), Unavailable)
    assert len(service.log.read(before)) == FEW, "what waits can be read"
    assert service.views.documents.get(next(iter(running.names)))["name"] == "P 0"
    with Client(create_app(service, development=False)) as client:
        told = client.post("/graphql", json={"query": CREATE}).json()["errors"][0]["extensions"]
        assert (told["code"], told["retryable"]) == ("unavailable", True)
        assert told["details"]["retry_s"] > 0
        assert client.post("/graphql", json={"query": "{ projects { nodes { name } } }"}).json()["data"]["projects"]
    assert service.log.head() == before + FEW, "what was refused left nothing"
    line.heal()
    _until(lambda: service.installation.outbox() == 0)
    running.write()
    running.bring()
    running.whole()
    assert _published_in_order(running)
    letters, _ = service.views.dead_letters.page(first=100)
    assert "unavailable" not in {letter["code"] for _, letter in letters}, "what had to wait was not given up"


def test_a_silent_minute_costs_a_minute(silent: Silent) -> None:
    """Given a line that was silent for a minute, longer than any client waits, then all that was written comes.

    Writes were taken and reads answered all the while. What the line still held comes to the broker late, from clients
    that have given it up.
    """
    time.sleep(max(0.0, silent.since + MINUTE_S - time.monotonic()))
    silent.behind.bring()
    silent.enough.set()
    assert silent.writing.result() > MINUTE_S / 5
    assert _service(silent.behind).installation.outbox() > MINUTE_S / 5
    silent.behind.proxies["kafka"].heal()
    silent.behind.whole()
    assert _published_in_order(silent.behind)
