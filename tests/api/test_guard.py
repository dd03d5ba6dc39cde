"""A local service answers to its own names, and to its own pages."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.api.client import Client
from tests.api.conftest import Served

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
