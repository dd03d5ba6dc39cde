"""GraphQL over WebSocket: the protocol graphql-transport-ws, no other.

Source: github.com/enisdenjo/graphql-ws, PROTOCOL.md. Beyond it: every message of a subscription
carries its cursor in `extensions.cursor`, and a client that does not read for too long is closed, with 4408 and the
last cursor as the reason where its buffer still has room for that, so that it can go on from there either way.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.access import requires
from api.graphql.context import Context, Shared
from api.graphql.engine import Answer, Engine, Message, asked
from api.graphql.http import MOST_BODY_BYTES
from api.slow import SEND_S, TooSlow, within
from domain.access import Permission
from domain.errors import DiscoError

PROTOCOL = "graphql-transport-ws"
MOST_OPERATIONS = 50
INIT_S = 10.0
CLOSE_S = 1.0
SLOW = 4408


class _Close(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Refused(Exception):
    """An operation was refused before it ran; `errors` is JSON text."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:  # Any: JSON
        super().__init__()
        self.errors = orjson.dumps(errors).decode()


class Connection:
    """One WebSocket: reads what the client asks, runs up to `MOST_OPERATIONS` at once."""

    def __init__(self, socket: WebSocket, engine: Engine, shared: Shared, *, send_s: float) -> None:
        self._socket = socket
        self._engine = engine
        self._shared = shared
        self._send_s = send_s
        self._acknowledged = False
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._last_cursor = ""
        self._ended = asyncio.Event()
        self._end: _Close | None = None

    async def serve(self) -> None:
        """Serve until either side closes."""
        reading = asyncio.create_task(self._read())
        ending = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = [reading, ending, *self._operations.values()]
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            if isinstance(results[0], _Close):
                self._end = results[0]
            if self._end is not None:
                await self._close(self._end)

    async def _close(self, end: _Close) -> None:
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close(end.code, end.reason[:120])
        except (TimeoutError, RuntimeError, WebSocketDisconnect):
            pass  # it is gone, or will not read even this; the server lets go of it

    async def _read(self) -> None:
        deadline = asyncio.timeout(INIT_S)
        try:
            async with deadline:
                await self._take(await self._receive())
        except TimeoutError as error:
            raise _Close(4408, "Connection initialisation timeout") from error
        while True:
            await self._take(await self._receive())

    async def _receive(self) -> dict[str, Any]:  # Any: JSON
        try:
            text = await self._socket.receive_text()
        except (KeyError, TypeError) as error:
            raise _Close(4400, "Messages are text") from error
        if len(text) > MOST_BODY_BYTES:
            raise _Close(4413, "Message too large")
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise _Close(4400, "Messages are JSON") from error
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise _Close(4400, "Messages have a type")
        return message

    async def _take(self, message: dict[str, Any]) -> None:  # Any: JSON
        match message["type"]:
            case "connection_init":
                if self._acknowledged:
                    raise _Close(4429, "Too many initialisation requests")
                self._acknowledged = True
                await self._send('{"type":"connection_ack"}')
            case "ping":
                await self._send('{"type":"pong"}')
            case "pong":
                pass
            case "subscribe":
                self._begin(message)
            case "complete":
                task = self._operations.pop(str(message.get("id")), None)
                if task is not None:
                    task.cancel()
            case other:
                raise _Close(4400, f"Unknown message type {other[:40]!r}")

    def _begin(self, message: dict[str, Any]) -> None:  # Any: JSON
        if not self._acknowledged:
            raise _Close(4401, "Unauthorized")
        id = message.get("id")
        if not isinstance(id, str) or not id or len(id) > 200:
            raise _Close(4400, "An operation has an id")
        if id in self._operations:
            raise _Close(4409, f"Subscriber for {id[:60]} already exists")
        if len(self._operations) >= MOST_OPERATIONS:
            raise _Close(4429, f"No more than {MOST_OPERATIONS} operations at once")
        self._operations[id] = asyncio.create_task(self._run(id, message.get("payload")))

    async def _run(self, id: str, payload: object) -> None:
        """Run one operation; whatever goes wrong ends it, or the connection where the client does not read."""
        name = orjson.dumps(id).decode()
        try:
            await self._answer(name, payload)
            await self._send(f'{{"id":{name},"type":"complete"}}')
        except TooSlow:
            self._end = _Close(SLOW, f"too slow; go on after {self._last_cursor}")
            self._ended.set()
        except _Refused as refusal:
            await self._send(f'{{"id":{name},"type":"error","payload":{refusal.errors}}}')
        except (RuntimeError, WebSocketDisconnect):
            self._ended.set()
        finally:
            if self._operations.get(id) is asyncio.current_task():
                del self._operations[id]

    async def _answer(self, name: str, payload: object) -> None:
        try:
            given = asked(payload)
        except DiscoError as error:
            raise _Refused([{"message": error.message, "extensions": {"code": error.code}}]) from error
        head = f'{{"id":{name},"type":"next","payload":'
        async with aclosing(self._engine.subscribe(given, Context(self._shared))) as messages:  # type: ignore[type-var]  # a generator
            async for message in messages:
                if isinstance(message, Answer):
                    raise _Refused(message.body["errors"])
                await self._send(f"{head}{_with_cursor(message)}}}")
                self._last_cursor = message.cursor or self._last_cursor

    async def _send(self, text: str) -> None:
        async with within(self._send_s):
            await self._socket.send_text(text)


def _with_cursor(message: Message) -> str:
    """The answer, its cursor among the extensions, whether or not the query selects one."""
    if message.cursor is None:
        return message.json
    return f'{message.json[:-1]},"extensions":{{"cursor":"{message.cursor}"}}}}'


class WebSocketEndpoint:
    """The WebSocket at /graphql."""

    def __init__(self, engine: Engine, shared: Shared, *, send_s: float = SEND_S) -> None:
        self._engine = engine
        self._shared = shared
        self._send_s = send_s

    @requires(Permission.READ)
    async def __call__(self, socket: WebSocket) -> None:
        """Serve one client; every field checks its own permission."""
        if PROTOCOL not in socket.scope.get("subprotocols", ()):
            await socket.accept()
            await socket.close(4406, f"Subprotocol not acceptable; speak {PROTOCOL}")
            return
        await socket.accept(PROTOCOL)
        await Connection(socket, self._engine, self._shared, send_s=self._send_s).serve()
