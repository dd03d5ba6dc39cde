"""Several API nodes on one installation: any of them answers, and who loses one goes on at another."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from benchmarks.server_room import told
from infra.settings import Settings
from tests.cli.calling import PATIENCE_S, begin

if TYPE_CHECKING:
    from tests.installations import Installations

EVENTS = "subscription($after: Cursor) { events(after: $after) { cursor event { position } } }"
CREATE = "mutation($name: String!) { createProject(name: $name) { resourceId token } }"
READ = """query($id: ID!, $after: Cursor) {
    resource(id: $id, after: $after) { name history(first: 1) { nodes { position } } } }"""
PATIENT = httpx.Timeout(PATIENCE_S)


@dataclass(frozen=True)
class Node:
    """A process that serves, and where."""

    process: subprocess.Popen[str]
    at: dict[str, str]

    def post(self, query: str, **variables: object) -> Any:  # Any: JSON
        """Ask by GraphQL."""
        body = {"query": query, "variables": variables}
        return httpx.post(self.at["graphql"], json=body, timeout=PATIENT).json()

    def ask(self, query: str, **variables: object) -> Any:  # Any: JSON
        """Ask by GraphQL; errors fail the test."""
        answer = self.post(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    def write(self, name: str) -> dict[str, str]:
        """Make a project; its id, and the token that a read can wait for."""
        made: dict[str, str] = self.ask(CREATE, name=name)["createProject"]
        return made

    def read(self, made: dict[str, str]) -> dict[str, Any]:  # Any: JSON
        """The project that an answer to a write tells of, by its id and token."""
        found: dict[str, Any] = self.ask(READ, id=made["resourceId"], after=made["token"])["resource"]
        return found

    def position(self, made: dict[str, str]) -> int:
        """Where in the log it was made."""
        return int(self.read(made)["history"]["nodes"][0]["position"])

    @contextmanager
    def followed(self, after: str | None = None) -> Iterator[Iterator[tuple[int, str]]]:
        """By WebSocket: the position and the cursor of each event behind a cursor."""
        with connect(self.at["subscriptions"], subprotocols=["graphql-transport-ws"], close_timeout=0.5) as ws:  # type: ignore[list-item]
            ws.send(json.dumps({"type": "connection_init"}))
            assert json.loads(ws.recv(PATIENCE_S)) == {"type": "connection_ack"}
            payload = {"query": EVENTS, "variables": {"after": after}}
            ws.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            yield _heard(ws)

    @contextmanager
    def streamed(self, last: str | None = None) -> Iterator[Iterator[tuple[int, str]]]:
        """By server-sent events: the position and the id of each event behind the last id."""
        headers = {"accept": "text/event-stream", **({"last-event-id": last} if last else {})}
        asked = {"url": self.at["sse"], "params": {"query": EVENTS}, "headers": headers, "timeout": PATIENT}
        with httpx.stream("GET", **asked) as answer:  # type: ignore[arg-type]  # arguments of several types
            yield _read(answer.iter_lines())


def _heard(ws: ClientConnection) -> Iterator[tuple[int, str]]:
    while True:
        message = json.loads(ws.recv(PATIENCE_S))
        assert message["type"] == "next", message
        found = message["payload"]["data"]["events"]
        yield int(found["event"]["position"]), found["cursor"]


def _read(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    id = ""
    for line in lines:
        if line.startswith("id: "):
            id = line[4:]
        elif line.startswith("data: "):
            yield int(json.loads(line[6:])["data"]["events"]["event"]["position"]), id


class Nodes:
    """Starts nodes on one installation whose views a worker keeps; each has a folder of its own, as other machines."""

    def __init__(self, settings: Settings, folder: Path, opened: ExitStack) -> None:
        self._settings = settings
        self._folder = folder
        self._opened = opened
        self._worker, _ = self.begin("worker", "worker", "--processors", "")

    def begin(self, name: str, *arguments: object) -> tuple[subprocess.Popen[str], Any]:  # Any: JSON
        """A process, and the first line that it says."""
        process = begin(self._folder / name, *arguments, "--json", told=told(self._settings))
        self._opened.enter_context(process)
        self._opened.callback(process.kill)
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        return process, line

    def one(self, name: str) -> Node:
        """A node that answers."""
        process, line = self.begin(name, "serve", "--profile", "server", "--port", 0)
        return Node(process, json.loads(line)["serving"])

    @contextmanager
    def views_stand_still(self) -> Iterator[None]:
        """While the worker is halted."""
        self._worker.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._worker.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def nodes(installations: Installations, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """An installation whose views a worker keeps."""
    with installations.one() as settings, ExitStack() as opened:
        yield Nodes(settings, tmp_path_factory.mktemp("nodes"), opened)


@pytest.fixture(scope="module")
def node(nodes: Nodes) -> Node:
    """A node that stays."""
    return nodes.one("stays")


@pytest.fixture
def mortal(nodes: Nodes, tmp_path: Path) -> Node:
    """Another, to be killed."""
    return nodes.one(tmp_path.name)


def test_what_one_node_wrote_another_reads_by_its_token(nodes: Nodes, node: Node, mortal: Node) -> None:
    """Given a write through a node while the views stand still, when another reads after its token, then it is there.

    Without the token it is not: the read by token waited for the view.
    """
    for writer, reader in ((node, mortal), (mortal, node)):
        name = f"By token {writer.process.pid}"
        with ThreadPoolExecutor(1) as thread:
            with nodes.views_stand_still():
                made = writer.write(name)
                refused = reader.post(READ, id=made["resourceId"])
                assert refused["errors"][0]["extensions"]["code"] == "not_found"
                reading = thread.submit(reader.read, made)
            assert reading.result()["name"] == name


def test_who_loses_a_node_goes_on_at_another(node: Node, mortal: Node) -> None:
    """Given followers of one node, written to through another, when theirs is killed, then each reconnects once.

    By WebSocket from a cursor, by server-sent events from the last id: what is written before, while and after they are
    cut off comes once, in order.
    """
    name = f"Followed {mortal.process.pid}"
    with mortal.followed() as by_socket, mortal.streamed() as by_events:
        cut = max(node.position(node.write(f"{name} {number}")) for number in range(10)) - 2
        all_seen = [list(islice(heard, cut)) for heard in (by_socket, by_events)]
        mortal.process.kill()
        mortal.process.wait()
    missed = node.position(node.write(f"{name} missed"))
    (_, cursor), (_, last_id) = (seen[-1] for seen in all_seen)
    with node.followed(cursor) as by_socket, node.streamed(last_id) as by_events:
        for seen, heard in zip(all_seen, (by_socket, by_events), strict=True):
            seen += islice(heard, missed - cut)
        head = node.position(node.write(f"{name} again"))
        for seen, heard in zip(all_seen, (by_socket, by_events), strict=True):
            seen += islice(heard, head - missed)
            assert [position for position, _ in seen] == list(range(1, head + 1))
