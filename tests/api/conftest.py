"""A service over each profile, without processors, and the ways to ask it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from api.app import create_app
from infra.base import BaseDisco
from infra.opening import open_service
from infra.settings import Settings
from tests.api.client import Client
from tests.api.making import Catalogue, catalogue

if TYPE_CHECKING:
    from tests.installations import Installations

Ask = Callable[..., dict[str, Any]]

ON_BOTH = {f"test_{name}" for name in ("access", "feed", "mutations", "past", "provenance", "reads", "subscriptions")}
"""Modules whose tests run on both profiles, for what they promise rests on what the stores answer.

The others ask the embedded one: about what comes before any store (limits, plans, the schema, guards, probes), or about
what the same fields in these modules have shown of both.
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have each test that asks a service ask one of each profile that its module is for."""
    if "profile" in metafunc.fixturenames:
        profiles = ["embedded", "server"] if metafunc.module.__name__.rpartition(".")[2] in ON_BOTH else ["embedded"]
        metafunc.parametrize("profile", profiles, indirect=True, scope="module")


@pytest.fixture(scope="module")
def profile(request: pytest.FixtureRequest) -> str:
    """The profile to test."""
    found: str = request.param
    return found


@dataclass
class Kept:
    """A service, its catalogue, if it has one, and where its log was when the first test came."""

    service: BaseDisco
    opened: ExitStack
    made: Catalogue | None = None
    head: int = field(init=False)

    def __post_init__(self) -> None:
        self.head = self.service.log.head()

    @property
    def fresh(self) -> bool:
        """Whether no test has written to it."""
        return self.service.log.head() == self.head

    def fill(self) -> None:
        """Give it a catalogue."""
        self.made = _filled(self.service)
        self.head = self.service.log.head()


class Shelf:
    """Services of one profile, lent to test after test: beginning one takes seconds.

    Who asks for a catalogue gets one that nobody has written to; to all others any will do.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[BaseDisco]]) -> None:
        self._begin = begin
        self._kept: dict[bool, Kept] = {}  # by whether it holds a catalogue and nothing else

    @contextmanager
    def lent(self, *, filled: bool) -> Iterator[Kept]:
        """One with a catalogue and nothing else, or any."""
        kept = self._kept.pop(filled, None) or (None if filled else self._kept.pop(True, None)) or self._begun()
        if filled and kept.made is None:
            kept.fill()
        try:
            yield kept
        finally:
            place = kept.made is not None and kept.fresh
            if place in self._kept:
                kept.opened.close()
            else:
                self._kept[place] = kept

    def _begun(self) -> Kept:
        with ExitStack() as opening:
            service = opening.enter_context(self._begin())
            return Kept(service, opening.pop_all())

    def close(self) -> None:
        """Close those that are kept."""
        for kept in self._kept.values():
            kept.opened.close()


@pytest.fixture(scope="module")
def shelf(profile: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Services of the profile, their views kept up with their log."""

    def begin() -> AbstractContextManager[BaseDisco]:
        if profile == "server":
            return _on_servers(request.getfixturevalue("installations"))
        return _embedded(tmp_path_factory.mktemp("service"))

    with closing(Shelf(begin)) as made:
        yield made


@contextmanager
def _embedded(home: Path) -> Iterator[BaseDisco]:
    with open_service(Settings(home=home, workers=1), run=False) as disco:
        stop = disco.log.on_append(lambda head: disco.catch_up())
        yield disco
        stop()


@contextmanager
def _on_servers(installations: Installations) -> Iterator[BaseDisco]:
    how = {"runner": "plain", "workers": 1}
    with installations.one() as settings, open_service(settings.model_copy(update=how)) as disco:
        disco.work(processors=())
        yield disco


@pytest.fixture
def kept(shelf: Shelf, request: pytest.FixtureRequest) -> Iterator[Kept]:
    """A service with a catalogue, where the test asks for one (`made`)."""
    with shelf.lent(filled="made" in request.fixturenames) as kept:
        yield kept


@pytest.fixture
def service(kept: Kept) -> BaseDisco:
    """A service whose views follow its log; nothing is processed. Without `made`, others may have written to it."""
    return kept.service


@pytest.fixture
def made(kept: Kept) -> Catalogue:
    """A catalogue with an analysed asset, what was generated from it, and a dead letter."""
    assert kept.made is not None
    return kept.made


def _filled(service: BaseDisco) -> Catalogue:
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
def client(service: BaseDisco) -> Iterator[Client]:
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
def served(service: BaseDisco) -> Iterator[Served]:
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
