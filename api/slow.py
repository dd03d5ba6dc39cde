"""A client that does not read what it asked for is let go, so that it holds up nobody and no memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SEND_S = 10.0


class TooSlow(Exception):
    """The client did not read for too long."""


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Give what is sent this long. Raises: TooSlow."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TooSlow from error
