"""A service over the embedded profile, without processors, and the ways to ask it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api.app import create_app
from infra.disco import Disco, open_disco
from infra.settings import Settings
from tests.api.client import Client
from tests.api.making import Catalogue, catalogue

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Disco]:
    """A service whose views follow its log; nothing is processed."""
    disco = open_disco(Settings(home=tmp_path / "home", workers=1), run=False)
    stop = disco.log.on_append(lambda head: disco.views.catch_up())
    yield disco
    stop()
    disco.close()


@pytest.fixture
def made(service: Disco) -> Catalogue:
    """A catalogue with an analysed asset, what was generated from it, and a dead letter."""
    made = catalogue(service)
    song = made.audio("song")
    findings = made.analysed(song)
    made.generated("band", [song], analyses=tuple(findings[:2]), seed=2**60)
    other = made.audio("other")
    made.analysed(other, lufs=-20.0, seed=1)
    made.failed(other)
    service.views.wait(service.log.head())
    return made


@pytest.fixture
def client(service: Disco) -> Iterator[Client]:
    """The app in this process."""
    with Client(create_app(service, development=False), base_url="http://localhost") as client:
        yield client


@pytest.fixture
def ask(client: Client) -> Ask:
    """Ask a query and get its data; errors fail the test."""

    def ask(query: str, **variables: Any) -> dict[str, Any]:
        body = client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in body, body
        return body["data"]

    return ask


@pytest.fixture
def refuse(client: Client) -> Ask:
    """Ask a query and get its first error; an answer without one fails the test."""

    def refuse(query: str, **variables: Any) -> dict[str, Any]:
        body = client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert body.get("errors"), body
        error = body["errors"][0]
        return {**error, **error.get("extensions", {}), "data": body.get("data")}

    return refuse


@dataclass(frozen=True)
class Served:
    """A server on a loopback port."""

    host: str
    app: Any

    @property
    def http(self) -> str:
        """Its address."""
        return f"http://{self.host}"

    @property
    def socket(self) -> str:
        """Its WebSocket."""
        return f"ws://{self.host}/graphql"


@pytest.fixture
def served(service: Disco) -> Iterator[Served]:
    """The app behind a real server; a client that does not read is let go after half a second."""
    app = create_app(service, development=False, send_s=0.5)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws_per_message_deflate=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(f"127.0.0.1:{port}", app)
    server.should_exit = True
    thread.join(10)
