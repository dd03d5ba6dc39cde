"""An httpx client of an application in this process, its lifespan run around it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from fastapi import FastAPI

T = TypeVar("T")


class _Transport(httpx.BaseTransport):
    """Hands requests to an application that runs in an event loop of its own; answers come whole."""

    def __init__(self, app: FastAPI) -> None:
        self._app = httpx.ASGITransport(app)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the application's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.BaseTransport`."""
        return self.run(self._handle(request, request.read()))

    async def _handle(self, request: httpx.Request, body: bytes) -> httpx.Response:
        request.stream = httpx.ByteStream(body)
        answer = await self._app.handle_async_request(request)
        content = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=content, request=request)

    def close(self) -> None:
        """End the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)


class Client(httpx.Client):
    """As `httpx.Client`; a fault that the application does not answer is raised here."""

    def __init__(self, app: FastAPI, base_url: str = "http://localhost") -> None:
        self.app = app
        self._own = _Transport(app)
        self._lifespan: AbstractAsyncContextManager[Any] = app.router.lifespan_context(app)
        super().__init__(transport=self._own, base_url=base_url, follow_redirects=True, timeout=60)

    def __enter__(self) -> Self:
        self._own.run(self._begin())
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._own.run(self._end())
        super().__exit__(kind, error, trace)

    async def _begin(self) -> None:
        await self._lifespan.__aenter__()

    async def _end(self) -> None:
        await self._lifespan.__aexit__(None, None, None)
