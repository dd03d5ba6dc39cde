"""Subscriptions over real sockets: WebSocket and server-sent events, resumed, and let go when not read."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from api.graphql.subscriptions import RESULTS
from domain.ports import ALL, Selection
from events.resources import ResourceDescribed, ResourceRenamed
from tests.api.conftest import Served
from tests.api.making import Catalogue

EVENTS = "subscription($after: Cursor) { events(after: $after) { cursor event { position type } } }"
SUBJECT = "00000000-0000-0000-0000-00000000000a"


@contextmanager
def opened(served: Served, query: str = EVENTS, **variables: Any) -> Iterator[ClientConnection]:
    """A WebSocket that has subscribed."""
    with connect(served.socket, subprotocols=["graphql-transport-ws"], close_timeout=0.5) as ws:  # type: ignore[list-item]
        ws.send(json.dumps({"type": "connection_init"}))
        assert json.loads(ws.recv(5)) == {"type": "connection_ack"}
        ws.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query, "variables": variables}}))
        yield ws


def messages(ws: ClientConnection) -> Iterator[dict[str, Any]]:
    """What it is told."""
    while True:
        message = json.loads(ws.recv(5))
        assert message["type"] == "next", message
        yield message["payload"]["data"]


def rename(made: Catalogue, count: int = 1) -> None:
    """Append events."""
    made.append(*(ResourceRenamed(resource_id=SUBJECT, name=f"n{index}") for index in range(count)))


def test_history_comes_first_then_what_happens(served: Served, made: Catalogue) -> None:
    """Given a log, when followed from its beginning, then all of it comes, then what is appended, each once."""
    head = made.service.log.head()
    with opened(served) as ws:
        told = messages(ws)
        seen = [int(next(told)["events"]["event"]["position"]) for _ in range(head)]
        rename(made, 3)
        seen += [int(next(told)["events"]["event"]["position"]) for _ in range(3)]
    assert seen == list(range(1, head + 4))


def test_a_subscription_killed_at_random_and_resumed_misses_nothing(served: Served, made: Catalogue) -> None:
    """Given a reader that is cut off again and again, when it resumes, then nothing is lost or repeated."""
    chance, seen, cursor, target = random.Random(3), [], None, made.service.log.head() + 60
    while len(seen) < target:
        rename(made, min(5, max(0, target - made.service.log.head())))
        with opened(served, after=cursor) as ws:
            told = messages(ws)
            for _ in range(min(chance.randint(1, 15), target - len(seen), made.service.log.head() - len(seen))):
                message = next(told)["events"]
                seen.append(int(message["event"]["position"]))
                cursor = message["cursor"]
            ws.socket.close()
    assert seen == list(range(1, target + 1))


def test_results_are_followed_per_project(served: Served, made: Catalogue) -> None:
    """Given findings, a generated file and a failure, when a project's results are followed, then each comes once."""
    query = "subscription($p: ID!) { results(project: $p) { kind resourceId facts cursor event { processor } } }"
    with opened(served, query, p=made.project) as ws:
        told = messages(ws)
        found = [next(told)["results"] for _ in range(10)]
    kinds = [one["kind"] for one in found]
    assert kinds == [
        "loudness",
        "beats",
        "key",
        "embedding",
        "midi",
        "loudness",
        "beats",
        "key",
        "embedding",
        "failure",
    ]
    assert found[0]["facts"]["integrated_lufs"] == -14.0


def test_progress_is_told_to_who_asks(served: Served, made: Catalogue) -> None:
    """Given a job's progress, when followed, then steps of that job come and of no other."""
    from domain.ports import Progress

    query = 'subscription { progress(job: "j-1") { job step done total etaS } }'
    with opened(served, query) as ws:
        feed = made.service.progress  # type: ignore[attr-defined]  # the embedded one
        deadline = time.monotonic() + 5
        while not feed._listeners and time.monotonic() < deadline:
            time.sleep(0.01)
        for job in ("j-2", "j-1"):
            feed.tell(Progress(job, made.project, "decode", 1, 2, eta_s=2.5))  # type: ignore[arg-type]  # an id
        assert next(messages(ws))["progress"] == {"job": "j-1", "step": "decode", "done": 1, "total": 2, "etaS": 2.5}


def test_only_the_new_protocol_is_spoken(served: Served) -> None:
    """Given the legacy protocol, when a client offers it, then the connection is closed with 4406."""
    with connect(served.socket, subprotocols=["graphql-ws"]) as ws, pytest.raises(ConnectionClosed) as closed:  # type: ignore[list-item]
        ws.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4406


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (["{"], 4400),
        (['{"type": "unknown"}'], 4400),
        (['{"id": "1", "type": "subscribe", "payload": {"query": "{ projects { nodes { id } } }"}}'], 4401),
        (['{"type": "connection_init"}', '{"type": "connection_init"}'], 4429),
    ],
)
def test_what_breaks_the_protocol_is_closed_with_its_code(served: Served, sent: list[str], code: int) -> None:
    """Given messages that the protocol forbids, when sent, then the connection is closed with the protocol's code."""
    with connect(served.socket, subprotocols=["graphql-transport-ws"]) as ws:  # type: ignore[list-item]
        for message in sent:
            ws.send(message)
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  # whichever message is the last
            while True:
                ws.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def test_queries_go_over_the_socket_and_refusals_end_them(served: Served, made: Catalogue) -> None:
    """Given a query, a wrong one and a bad cursor, when sent over the socket, then an answer, an error, an error."""
    with connect(served.socket, subprotocols=["graphql-transport-ws"]) as ws:  # type: ignore[list-item]
        ws.send('{"type": "connection_init"}')
        ws.recv(5)
        for id, query in (("a", "{ projects { nodes { name } } }"), ("b", "{ nothing }")):
            ws.send(json.dumps({"id": id, "type": "subscribe", "payload": {"query": query}}))
        told = [json.loads(ws.recv(5)) for _ in range(3)]
        by_id = {(message["id"], message["type"]): message for message in told}
        assert by_id["a", "next"]["payload"]["data"] == {"projects": {"nodes": [{"name": "Demo"}]}}
        assert by_id["b", "error"]["payload"][0]["extensions"]["code"] == "malformed"
        ws.send(json.dumps({"id": "c", "type": "subscribe", "payload": {"query": EVENTS, "variables": {"after": "?"}}}))
        refused = json.loads(ws.recv(5))
        errors = refused["payload"] if refused["type"] == "error" else refused["payload"]["errors"]
        assert errors[0]["extensions"]["code"] == "malformed"


def test_who_does_not_read_is_let_go_and_told_where_it_was(served: Served, made: Catalogue) -> None:
    """Given a client that stops reading beside one that reads, then the first is dropped, the second is not slowed."""
    query = "subscription { events { cursor event { position data } } }"
    raw = socket.create_connection(("127.0.0.1", int(served.host.rpartition(":")[2])))
    with connect(
        served.socket, sock=raw, subprotocols=["graphql-transport-ws"], max_queue=1, close_timeout=0.5
    ) as slow:  # type: ignore[list-item]
        slow.send('{"type": "connection_init"}')
        slow.recv(5)
        slow.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
        with opened(served) as quick:
            told = messages(quick)
            for _ in range(made.service.log.head()):
                next(told)
            text = "x" * 200_000
            for index in range(60):
                made.append(ResourceDescribed(resource_id=SUBJECT, changes={f"k{index}": text}))
            began = time.monotonic()
            for _ in range(60):
                next(told)
            assert time.monotonic() - began < 5
        time.sleep(1.5)
        last = ""
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  # whichever message is the last
            while True:
                message = json.loads(slow.recv(5))
                last = message["payload"]["extensions"]["cursor"]
    assert last
    assert closed.value.rcvd is None or closed.value.rcvd.code in (1005, 1006, 4408)
    with opened(served, after=last) as again:
        assert next(messages(again))["events"]["cursor"] != last


def test_a_fault_inside_ends_a_subscription_masked(served: Served, made: Catalogue, monkeypatch: Any) -> None:
    """Given a fault of our own in a subscription, when met, then a masked error comes and the end; nothing hangs."""

    def fault(*_: Any, **__: Any) -> Any:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(served.app.state.mounted.shared.feed, "pages", fault)
    with opened(served) as ws:
        first, second = json.loads(ws.recv(5)), json.loads(ws.recv(5))
    assert first["payload"]["errors"][0]["extensions"]["code"] == "internal"
    assert "hunter2" not in json.dumps(first)
    assert second["type"] == "complete"


def test_server_sent_events_resume_by_their_last_id(served: Served, made: Catalogue) -> None:
    """Given a stream by GET that is cut off, when fetched again with Last-Event-ID, then it goes on behind it."""
    seen: list[int] = []
    last = None
    for _ in range(3):
        headers = {"accept": "text/event-stream", **({"last-event-id": last} if last else {})}
        with httpx.stream("GET", f"{served.http}/graphql/stream", params={"query": EVENTS}, headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            count = 0
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    last = line[4:]
                if line.startswith("data: "):
                    seen.append(int(json.loads(line[6:])["data"]["events"]["event"]["position"]))
                if not line:
                    count += 1
                    if count == 4:
                        break
    assert seen == list(range(1, 13))


def streamed(served: Served, query: str, *, most: int, last: str | None = None, **variables: Any) -> list[Any]:
    """The first messages of a stream, each with its id; `last` is all that tells it where to go on."""
    params = {"query": query, "variables": json.dumps(variables)}
    headers = {"accept": "text/event-stream", **({"last-event-id": last} if last else {})}
    found: list[Any] = []
    id = ""
    with httpx.stream("GET", f"{served.http}/graphql/stream", params=params, headers=headers) as answer:
        for line in answer.iter_lines():
            if line.startswith("id: "):
                id = line[4:]
            elif line.startswith("data: "):
                found.append((id, json.loads(line[6:])))
                if len(found) == most:
                    break
    return found


@pytest.mark.parametrize("root", ["events", "events(after: $begin)", "results(project: $p)"])
def test_the_last_id_alone_resumes_whatever_the_query_says(served: Served, made: Catalogue, root: str) -> None:
    """Given a stream cut off at random while things happen, when resumed by its last id alone, each comes once."""
    takes = {"$p": "$p: ID!", "$begin": "$begin: Cursor"}
    needed = ", ".join(declared for name, declared in takes.items() if name in root)
    query = f"subscription{f'({needed})' if needed else ''} {{ {root} {{ cursor event {{ position type }} }} }}"
    variables = {"p": made.project} if "$p" in root else {}
    chance, seen, last = random.Random(5), list[int](), None
    for _ in range(8):
        made.analysed(made.audio(f"song {len(seen)}"))
        for id, message in streamed(served, query, most=chance.randint(1, 3), last=last, **variables):
            (body,) = message["data"].values()
            assert body["cursor"] == id
            seen.append(int(body["event"]["position"]))
            last = id
    wanted = Selection(types=RESULTS, project=made.project) if "results" in root else ALL
    assert seen == [event.position for event in made.service.log.read(0, selection=wanted)][: len(seen)]


@pytest.mark.parametrize(
    ("query", "last"),
    [
        ("subscription { events { cursor } }", "no cursor"),
        ('subscription { progress(job: "j") { done } }', "ZToxMg"),
        ("{ projects { nodes { name } } }", "ZToxMg"),
    ],
)
def test_a_last_id_that_cannot_be_gone_on_from_is_refused(served: Served, query: str, last: str) -> None:
    """Given a last id that is no cursor, or for what has none, when streamed, then an error says so, and the end."""
    text = httpx.get(
        f"{served.http}/graphql/stream", params={"query": query}, headers={"last-event-id": last}, timeout=10
    ).text
    first, second, _ = text.split("\n\n")
    (error,) = json.loads(first.partition("data: ")[2])["errors"]
    assert error["extensions"]["code"] == "malformed"
    assert "Last-Event-ID" in error["message"] or "cursor" in error["message"]
    assert second == "event: complete\ndata:"


def test_a_query_streamed_completes(served: Served, made: Catalogue) -> None:
    """Given a query and a wrong one by POST, when streamed, then one answer comes, then the end."""
    for query, key in (("{ projects { nodes { name } } }", "data"), ("{ nothing }", "errors")):
        text = httpx.post(f"{served.http}/graphql/stream", json={"query": query}).text
        first, second, _ = text.split("\n\n")
        assert first.startswith("event: next\ndata: ")
        assert key in json.loads(first.partition("data: ")[2])
        assert second == "event: complete\ndata:"
