"""Subscriptions over server-sent events, in the "distinct connections" mode of graphql-sse.

Each message is `event: next` with the answer as data and its cursor as `id`, so that a browser's EventSource, which
sends the last id back when it connects again, misses nothing. The end is `event: complete`.
Source: github.com/enisdenjo/graphql-sse, PROTOCOL.md; WHATWG HTML, server-sent events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.access import requires
from api.graphql.context import Context, Shared
from api.graphql.engine import Answer, Asked, Engine
from api.graphql.http import from_body, from_query, refused
from api.slow import SEND_S, TooSlow, within
from domain.access import Permission
from domain.errors import DiscoError

PING_S = 15.0
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
PING = b": ping\n\n"
COMPLETE = b"event: complete\ndata:\n\n"


def encode(data: str, cursor: str | None) -> bytes:
    """One message; JSON has no bare line ends, so it is one line of data."""
    id = f"id: {cursor}\n" if cursor else ""
    return f"event: next\n{id}data: {data}\n\n".encode()


class EventStream(Response):
    """A response that follows a subscription until it ends, the client leaves, or the client stops reading."""

    def __init__(self, engine: Engine, asked: Asked, context: Context, *, send_s: float, ping_s: float) -> None:
        super().__init__()
        self._messages = self._encoded(engine, asked, context)
        self._send_s = send_s
        self._ping_s = ping_s

    @staticmethod
    async def _encoded(engine: Engine, asked: Asked, context: Context) -> AsyncIterator[bytes]:
        async with aclosing(engine.subscribe(asked, context)) as messages:  # type: ignore[type-var]  # a generator
            async for message in messages:
                if isinstance(message, Answer):
                    yield encode(message.json.decode(), None)
                else:
                    yield encode(message.json, message.cursor)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send messages while the client reads them."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send_all(self, send: Send) -> None:
        lock = asyncio.Lock()
        pinging = asyncio.create_task(self._ping(send, lock))
        try:
            async with aclosing(self._messages) as messages:  # type: ignore[type-var]  # a generator
                async for message in messages:
                    await self._send(send, lock, message)
            await self._send(send, lock, COMPLETE, more=False)
        except TooSlow:
            return  # the connection is closed; the last id that arrived tells where to go on
        finally:
            pinging.cancel()

    async def _ping(self, send: Send, lock: asyncio.Lock) -> None:
        while True:
            await asyncio.sleep(self._ping_s)
            await self._send(send, lock, PING)

    async def _send(self, send: Send, lock: asyncio.Lock, body: bytes, *, more: bool = True) -> None:
        async with within(self._send_s), lock:
            await send({"type": "http.response.body", "body": body, "more_body": more})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class SseEndpoint:
    """The route /graphql/stream."""

    def __init__(self, engine: Engine, shared: Shared, *, send_s: float = SEND_S, ping_s: float = PING_S) -> None:
        self._engine = engine
        self._shared = shared
        self._send_s = send_s
        self._ping_s = ping_s

    @requires(Permission.READ)
    async def __call__(self, request: Request) -> Response:
        """Follow a subscription; a Last-Event-ID takes the place of its `after`, whatever the query says."""
        try:
            given = from_query(request) if request.method == "GET" else await from_body(request)
        except DiscoError as error:
            return refused(error)
        context = Context(self._shared, last_event_id=request.headers.get("last-event-id") or None)
        return EventStream(self._engine, given, context, send_s=self._send_s, ping_s=self._ping_s)
