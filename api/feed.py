"""The log as a stream for any number of readers: history first, then live, no gap and no repeat.

One listener hears of appends and one task reads them, once, into a bounded ring that all share. A reader holds nothing
but its cursor and pulls; who falls behind the ring reads the log itself, in pages, and slows nobody.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import structlog

from api.threads import call_in
from domain.errors import Malformed, Unavailable
from domain.ports import ALL, EventLog, Selection
from events.envelope import Recorded

log = structlog.get_logger("api.feed")

PAGE = 256
RING_EVENTS = 4096
RING_BYTES = 32 * 1024 * 1024
HISTORY_READERS = 4
HEARTBEAT_S = 5.0
RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class Page:
    """Events behind a cursor; `cursor` is how far the log was looked through, past the last event where none fits."""

    events: list[Recorded]
    cursor: int


class Feed:
    """Serves a log to many readers in one event loop; starts with the first of them."""

    def __init__(self, source: EventLog, *, ring_events: int = RING_EVENTS, ring_bytes: int = RING_BYTES) -> None:
        self._log = source
        self._ring_events = ring_events
        self._ring_bytes = ring_bytes
        self._events: list[Recorded] = []
        self._positions: list[int] = []
        self._bytes = 0
        self._floor = 0
        self._last = 0
        self._failure: Exception | None = None
        self._moved = asyncio.Event()
        self._heard = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stop_listening: Callable[[], None] | None = None
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="feed")
        self._history = ThreadPoolExecutor(HISTORY_READERS, thread_name_prefix="feed-history")
        self._closed = False

    async def pages(self, after: int, selection: Selection = ALL) -> AsyncIterator[Page]:
        """Yield pages of matching events behind position `after`, for ever; events in a page and pages in order.

        Raises: Malformed, if `after` lies beyond the log; Corrupted, where the log is; Unavailable, on closing.
        """
        await self._start()
        if after > self._last and after > await self._call(self._log.head):
            raise Malformed("this cursor lies beyond the end of the log; it belongs to another one", field="after")
        cursor = after
        while True:
            moved = self._moved
            page = self._from_ring(cursor, selection) if cursor >= self._floor else None
            if page is None:
                page = await self._from_log(cursor, selection)
            if page.cursor > cursor:
                cursor = page.cursor
                if page.events:
                    yield page
            elif self._closed:
                raise Unavailable("the service is closing; connect again with the last cursor")
            elif self._failure is not None:
                raise self._failure
            else:
                await moved.wait()

    @property
    def position(self) -> int | None:
        """How far the log has been read for its readers; None before the first of them."""
        return None if self._pump is None else self._last

    def _from_ring(self, cursor: int, selection: Selection) -> Page:
        start = bisect_right(self._positions, cursor)
        events = self._events[start : start + PAGE]
        return Page([event for event in events if wanted(event, selection)], events[-1].position if events else cursor)

    async def _from_log(self, cursor: int, selection: Selection) -> Page:
        upto = self._last
        loop = asyncio.get_running_loop()
        events = await loop.run_in_executor(
            self._history, lambda: self._log.read(cursor, limit=PAGE, upto=upto, selection=selection)
        )
        return Page(events, events[-1].position if len(events) == PAGE else upto)

    async def _call(self, call: Callable[[], int]) -> int:
        return await asyncio.get_running_loop().run_in_executor(self._reader, call)

    async def _start(self) -> None:
        if self._pump is None:
            if self._starting is None:
                self._starting = asyncio.create_task(self._begin())
            await asyncio.shield(self._starting)

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()

        stop: Callable[[], None] | None = None
        try:
            stop = self._log.on_append(lambda _head: call_in(loop, self._heard.set))
            self._floor = self._last = await self._call(self._log.head)
        except BaseException:
            if stop is not None:
                stop()
            self._starting = None  # the next reader tries again
            raise
        self._stop_listening = stop
        self._pump = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):  # appends are heard of; this only bounds what a lost wake-up could cost
                await asyncio.wait_for(self._heard.wait(), HEARTBEAT_S)
            self._heard.clear()
            try:
                await self._catch_up()
            except Exception as error:  # whatever a log may raise: it is told to every reader, and tried again
                log.error("feed.read_failed", after=self._last, error=str(error))
                self._failure = error
                self._wake()
                await asyncio.sleep(RETRY_S)
                self._heard.set()

    async def _catch_up(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            events = await loop.run_in_executor(self._reader, lambda: self._log.read(self._last, limit=PAGE))
            self._failure = None
            if not events:
                return
            self._add(events)
            self._wake()
            if len(events) < PAGE:
                return

    def _add(self, events: list[Recorded]) -> None:
        self._events.extend(events)
        self._positions.extend(event.position for event in events)
        self._bytes += sum(len(event.raw) for event in events)
        self._last = events[-1].position
        if len(self._events) > 2 * self._ring_events or self._bytes > 2 * self._ring_bytes:
            self._trim()

    def _trim(self) -> None:
        kept, size = 0, 0
        for event in reversed(self._events):
            size += len(event.raw)
            if kept == self._ring_events or size > self._ring_bytes:
                size -= len(event.raw)
                break
            kept += 1
        cut = len(self._events) - kept
        self._floor = self._positions[cut - 1] if cut else self._floor
        self._events, self._positions, self._bytes = self._events[cut:], self._positions[cut:], size

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def close(self) -> None:
        """Stop listening; readers get Unavailable."""
        self._closed = True
        if self._stop_listening is not None:
            self._stop_listening()
        if self._pump is not None:
            self._pump.cancel()
        self._wake()
        self._reader.shutdown(wait=False, cancel_futures=True)
        self._history.shutdown(wait=False, cancel_futures=True)


def wanted(event: Recorded, selection: Selection) -> bool:
    """Whether a reader with this selection wants the event."""
    return (
        (not selection.types or event.type in selection.types)
        and (selection.subject is None or event.subject == selection.subject)
        and (selection.project is None or event.project == selection.project)
        and (selection.correlation is None or event.correlation == selection.correlation)
    )
