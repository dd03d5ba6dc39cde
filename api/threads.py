"""Where blocking calls run: a few threads for reads, others for waits, so that who waits keeps nobody from reading."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

READERS = 6
WAITERS = 32


class Threads:
    """Runs blocking calls beside the event loop."""

    def __init__(self) -> None:
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="api-read")
        self._waiters = ThreadPoolExecutor(WAITERS, thread_name_prefix="api-wait")

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await a blocking read or write."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: call(*args, **kwargs))

    async def wait(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await a call that may block for seconds."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._waiters, lambda: call(*args, **kwargs))

    def close(self) -> None:
        """Let running calls end, take no more."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._waiters.shutdown(wait=False, cancel_futures=True)
