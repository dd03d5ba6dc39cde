"""A proxy between us and a server, on loopback, that can cut, delay and half-close what goes through it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

CHUNK_BYTES = 1 << 16


class Proxy:
    """Listens on a port of its own and passes bytes both ways, in a thread of its own, until it is told otherwise.

    target: where new connections go on to. delay_s: how long each chunk is held back. refused: connections while it was
    cut. Used as a context manager.
    """

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.host = "127.0.0.1"
        self.port = 0
        self.delay_s = 0.0
        self.passed_bytes = 0
        self.refused = 0
        self._refusing = False
        self._frozen = asyncio.Event()
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy to {port}", daemon=True)

    @classmethod
    def before(cls, url: str) -> Proxy:
        """A proxy before the server of an address."""
        parts = urlsplit(url if "//" in url else f"//{url}")
        assert parts.hostname is not None
        assert parts.port is not None
        return cls(parts.hostname, parts.port)

    def instead_of(self, url: str) -> str:
        """The address with this proxy in the server's place."""
        parts = urlsplit(url)
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return urlunsplit(parts._replace(netloc=f"{user}{self.host}:{self.port}"))

    def cut(self) -> None:
        """Break every connection and take no new one, as a server that is down."""
        self.refuse()
        self._do(self._break)

    def refuse(self) -> None:
        """Take no new connection, and leave those that are."""
        self._refusing = True

    def freeze(self) -> None:
        """Pass nothing on and close nothing, as a network that swallows everything."""
        self._do(self._set, False)

    def half_close(self) -> None:
        """Close the way to the server and leave that back from it open."""
        self._do(self._half)

    def drop(self) -> None:
        """Break every connection there is now; new ones are taken."""
        self._do(self._break)

    def heal(self) -> None:
        """Pass everything on again, at once."""
        self._refusing = False
        self.delay_s = 0.0
        self._do(self._set, True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._refusing = True
        self._do(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _do(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        asyncio.run_coroutine_threadsafe(work(*arguments), self._loop).result(10)

    async def _listen(self) -> None:
        self._frozen.set()
        self._server = await asyncio.start_server(self._link, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        self._frozen.set()
        await self._break()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _set(self, passing: bool) -> None:
        if passing:
            self._frozen.set()
        else:
            self._frozen.clear()

    async def _break(self) -> None:
        for link in list(self._links):
            for writer in link:
                writer.transport.abort()

    async def _half(self) -> None:
        for _, there in list(self._links):
            with contextlib.suppress(OSError):
                there.write_eof()

    async def _link(self, reader: asyncio.StreamReader, here: asyncio.StreamWriter) -> None:
        if self._refusing:
            self.refused += 1
            here.transport.abort()
            return
        try:
            back, there = await asyncio.open_connection(*self.target)
        except OSError:
            here.transport.abort()
            return
        link = (here, there)
        self._links.add(link)
        try:
            await asyncio.gather(self._pass(reader, there), self._pass(back, here))
        finally:
            self._links.discard(link)
            for writer in link:
                writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._frozen.wait()
                writer.write(chunk)
                await writer.drain()
                self.passed_bytes += len(chunk)
            writer.write_eof()
