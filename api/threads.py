"""Where blocking calls run: some threads read, others wait, others hand work to the workers; none holds up another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

READERS = 6
WAITERS = 32
WORKERS = 16


class Threads:
    """Runs blocking calls beside the event loop."""

    def __init__(self) -> None:
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="api-read")
        self._waiters = ThreadPoolExecutor(WAITERS, thread_name_prefix="api-wait")
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="api-work")

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await a blocking read or write."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, _within(call, *args, **kwargs))

    async def wait(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await a call that may block for seconds."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._waiters, _within(call, *args, **kwargs))

    async def work(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await a call that waits for the worker processes, which may take minutes."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, _within(call, *args, **kwargs))

    def close(self) -> None:
        """Let running calls end, take no more."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._waiters.shutdown(wait=False, cancel_futures=True)
        self._workers.shutdown(wait=False, cancel_futures=True)


def _within(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
    """The call, to be made in another thread as a part of the same request."""
    context = copy_context()
    return lambda: context.run(call, *args, **kwargs)


def call_in(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *args: object) -> None:
    """Let an event loop call something soon, from any thread; never raises.

    A loop that has closed has nobody left to tell, and it may close at any time: asking it before proves nothing.
    """
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *args)
