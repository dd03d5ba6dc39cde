"""A local service answers to its own names, and to its own pages."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from api.app import create_app
from api.guard import LOOPBACK
from infra.disco import Disco
from tests.api.client import Client
from tests.api.conftest import Served
from tests.cli.calling import begin

QUERY = {"query": "{ projects { nodes { id } } }"}


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1:1", "[::1]:8765", "LOCALHOST"])
def test_it_answers_to_its_own_names(client: Client, host: str) -> None:
    """Given a request under a loopback name, when sent, then it is answered."""
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "", "[::2]"])
def test_it_does_not_answer_to_other_names(client: Client, host: str) -> None:
    """Given a name that was rebound to this machine, when sent, then it is forbidden, with a problem document."""
    answer = client.get("/healthz", headers={"host": host})
    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:99"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_other_pages_may_not_use_it(client: Client, served: Served, headers: dict[str, str]) -> None:
    """Given a request from another page, when sent, then it is forbidden, and so is a WebSocket."""
    assert client.post("/graphql", json=QUERY, headers=headers).status_code == 403
    protocols = [Subprotocol("graphql-transport-ws")]
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(served.socket, subprotocols=protocols, additional_headers=headers),
    ):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("studio.local", "studio.local:8765"),
        ("Studio.Local:8765", "STUDIO.local"),
        ("::1", "[::1]:8765"),
        ("[FD00::A]", "[fd00::a]"),
        ("fd00:0:0:0:0:0:0:a", "[fd00::a]:1"),
        ("192.168.1.7", "192.168.1.7:8765"),
        ("*", "anything.example"),
    ],
)
def test_further_names_are_answered_as_told(service: Disco, allowed: str, host: str) -> None:
    """Given a further name, with or without port or brackets, when called by, then it is answered, others are not."""
    with Client(create_app(service, development=False, allowed_hosts=[*LOOPBACK, allowed])) as client:
        assert client.get("/healthz", headers={"host": host}).status_code == 200
        assert client.get("/healthz", headers={"host": "localhost"}).status_code == 200
        other = client.get("/healthz", headers={"host": "[fd00::b]:8765"})
        assert allowed == "*" or other.status_code == 403
        assert allowed == "*" or "--allow-host" in other.json()["detail"]


def test_serve_takes_further_names(tmp_path: Path) -> None:
    """Given names by --allow-host, when served, then each of them is answered and no other."""
    with begin(tmp_path, "serve", "--port", 0, "--allow-host", "a.lan", "--allow-host", "fd00::a", "--json") as process:
        try:
            assert process.stdout is not None
            health = json.loads(process.stdout.readline())["serving"]["health"]
            told = {name: httpx.get(health, headers={"host": name}).status_code for name in ("a.lan", "[fd00::a]", "b")}
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
    assert told == {"a.lan": 200, "[fd00::a]": 200, "b": 403}


def test_its_own_page_may(client: Client) -> None:
    """Given a request from its own page, when sent, then it is answered."""
    assert client.post("/graphql", json=QUERY, headers={"origin": "http://localhost"}).status_code == 200


def test_nothing_is_sniffed_or_framed(client: Client) -> None:
    """Given any answer, when looked at, then it forbids sniffing and framing."""
    headers = client.get("/healthz").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_what_is_not_there_is_a_problem(client: Client) -> None:
    """Given a path that leads nowhere, when fetched, then a problem document says so."""
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"
