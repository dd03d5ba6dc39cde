"""Requests as spans: beneath their caller's, above what they set off, and never saying what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.app import create_app
from infra.disco import Disco, open_disco
from infra.settings import Settings
from tests.api.client import Client
from tests.api.conftest import Served
from tests.api.test_subscriptions import messages, opened
from tests.collector import Collector, Traced

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLED = f"00-{TRACE}-{SPAN}-01"
ONE = 'mutation { createProject(name: "One") { job } }'
TWO = 'mutation { a: createProject(name: "One") { job } b: createProject(name: "Two") { job } }'
SERVER = 2


class Asked:
    """A service, its client, and what a collector was told once both have ended."""

    def __init__(self, client: Client, collector: Collector) -> None:
        self.client = client
        self._collector = collector

    def ask(self, query: str, **headers: str) -> None:
        """Ask a query that must be answered."""
        answer = self.client.post("/graphql", json={"query": query}, headers=headers).json()
        assert "errors" not in answer, answer

    def named(self, name: str) -> list[Traced]:
        """The spans of a name, in the order of their beginning."""
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.began_ns)

    @property
    def spans(self) -> list[Traced]:
        """All that were told."""
        return self._collector.spans


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of this test's own."""
    with Collector() as made:
        yield made


@pytest.fixture
def service(tmp_path: Path, collector: Collector) -> Iterator[Disco]:
    """A service that is traced; nothing is processed."""
    disco = open_disco(Settings(home=tmp_path / "home", workers=1, otlp_endpoint=collector.address), run=False)
    yield disco
    disco.close()


@contextmanager
def _asking(home: Path) -> Iterator[Asked]:
    with Collector() as collector:
        service = open_disco(Settings(home=home, workers=1, otlp_endpoint=collector.address), run=False)
        with Client(create_app(service, development=False)) as client:
            asked = Asked(client, collector)
            yield asked
        service.close()


def _one(asked: Asked, name: str) -> Traced:
    (found,) = asked.named(name)
    return found


def test_a_request_is_its_callers_child_and_linked_with_its_job(tmp_path: Path) -> None:
    """Given a W3C traceparent, then the request is beneath it, and the job's trace and it are linked both ways."""
    with _asking(tmp_path) as asked:
        asked.ask(ONE, traceparent=CALLED)
    request, operation = _one(asked, "POST /graphql"), _one(asked, "graphql mutation")
    command = _one(asked, "command CreateProject")
    assert (request.trace, request.parent, request.kind) == (TRACE, SPAN, SERVER)
    assert (operation.trace, operation.parent) == (TRACE, request.id)
    assert command.trace != TRACE
    assert not command.parent
    assert command.links == {operation.place}
    assert request.links == {command.place}


def test_a_request_without_a_caller_is_the_root_of_its_job(tmp_path: Path) -> None:
    """Given two commands in one request, then it is above the first, and linked with the second, of another job."""
    with _asking(tmp_path) as asked:
        asked.ask(TWO)
    request, operation = _one(asked, "POST /graphql"), _one(asked, "graphql mutation")
    first, second = asked.named("command CreateProject")
    assert not request.parent
    assert {request.trace} == {operation.trace, first.trace}
    assert (operation.parent, first.parent, second.parent) == (request.id, operation.id, "")
    assert second.trace != first.trace
    assert second.links == {operation.place}
    assert request.links == {second.place}


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        (CALLED, True),
        (f"01-{TRACE}-{SPAN}-01-of-a-version-to-come", True),
        (f"00-{TRACE}-{SPAN}-00", False),  # not recorded: nobody would find what it is beneath
        (f"00-{TRACE}-{SPAN}-01-more", False),
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_only_a_traceparent_by_the_standard_is_followed(tmp_path: Path, sent: str, taken: bool) -> None:
    """Given headers that W3C Trace Context allows and forbids, then the first are followed and the others left."""
    with _asking(tmp_path) as asked:
        asked.ask("{ projects { nodes { name } } }", traceparent=sent)
    request = _one(asked, "POST /graphql")
    assert (request.trace == TRACE, request.parent == SPAN) == (taken, taken)


def test_requests_are_told_by_their_pattern_and_probes_not_at_all(tmp_path: Path) -> None:
    """Given requests for an id, for nothing, as a stranger and for health, then no path, query or stranger is told."""
    with _asking(tmp_path) as asked:
        asked.client.get("/secret-place?secret=1")
        asked.client.request("BREW", "/secret-place")
        asked.client.get("/api/lineage/7e0ea0a6-0000-4000-8000-000000000000/prov.json?asOf=1")
        asked.client.get("/graphql", headers={"host": "evil.example"})
        for probe in ("/healthz", "/readyz", "/metrics"):
            assert asked.client.get(probe).status_code == 200
    requests = [span for span in asked.spans if span.kind == SERVER]
    assert {span.name for span in requests} == {"GET", "_OTHER", "GET /api/lineage/{id}/{format}.json"}
    assert not any("secret" in str(span) or "7e0ea0a6" in str(span) for span in asked.spans)


def test_what_comes_by_websocket_is_traced_from_its_operation(served: Served, collector: Collector) -> None:
    """Given a mutation over a WebSocket, which is no request of its own, then its operation is the root of its job."""
    with opened(served, ONE) as socket:
        assert next(messages(socket))["createProject"]["job"]
    assert collector.wait_for(lambda span: span.name == "graphql mutation")
    (operation,) = (span for span in collector.spans if span.name == "graphql mutation")
    (command,) = (span for span in collector.spans if span.name == "command CreateProject")
    assert (operation.parent, command.parent, command.trace) == ("", operation.id, operation.trace)


def test_what_fails_is_told_by_its_code(tmp_path: Path) -> None:
    """Given a command that cannot be, then its span and the operation's have failed, and say which code, not what."""
    with _asking(tmp_path) as asked:
        asked.ask(ONE)
        answer = asked.client.post("/graphql", json={"query": ONE}).json()
        assert answer["errors"][0]["extensions"]["code"] == "conflict"
    (_, command), (done, operation) = asked.named("command CreateProject"), asked.named("graphql mutation")
    assert (command.failed, command.attributes["error.type"]) == (True, "conflict")
    assert (done.failed, operation.failed) == (False, True)
    assert (command.trace, command.parent) == (operation.trace, operation.id)
