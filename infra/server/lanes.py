"""Lanes: each partition's records on their way to the agent, in order, one page at a time.

Both hosts feed these. A lane knows which offset must come next: what it has had it drops, and where records are missing
it asks to be given them again, so that nothing is ever committed that was leapt over.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import structlog

from domain.errors import DiscoError
from infra.server.consuming import Agent
from infra.server.records import Record

PAGES = 4
PAGE_BYTES = 8 << 20
REWIND_S = 1.0

log = structlog.get_logger("lanes")


class Gate(Protocol):
    """What can be done about the flow from Kafka; asking for it twice, or for a partition that has gone, is no harm."""

    def pause(self, partition: int) -> None:
        """Give no more of this partition for now."""

    def resume(self, partition: int) -> None:
        """Go on with it."""

    def rewind(self, partition: int, offset: int) -> None:
        """Give this partition again, from this offset on."""


class Lane:
    """One partition.

    next: the offset that must come next; taken: up to which, exclusive, the agent has taken; end: the offset that the
    next record in Kafka will have, as last heard; moved_at: when it last got somewhere, by `time.monotonic`.
    """

    def __init__(
        self,
        agent: Agent,
        partition: int,
        start: int,
        *,
        opened: asyncio.Event,
        after: asyncio.Future[None] | None,
        pauses_s: tuple[float, float],
    ) -> None:
        self.partition = partition
        self.next = self.taken = self.end = start
        self.moved_at = time.monotonic()
        self.rewound_at = 0.0
        self._occupied = False
        self.quiet = asyncio.Event()
        self.quiet.set()
        self._agent = agent
        self._opened = opened
        self._pauses_s = pauses_s
        self._waiting: deque[Record] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._closed = False
        self.gate: Gate | None = None
        self.paused = False
        self.task = asyncio.create_task(self._run(after), name=f"lane {agent.group} {partition}")

    @property
    def at_hand(self) -> bool:
        """Whether a page is being taken, or is to be tried again after a pause that nobody else has to end."""
        return self._occupied and (self._opened.is_set() or not self.quiet.is_set())

    @property
    def full(self) -> bool:
        """Whether enough is waiting."""
        return len(self._waiting) >= PAGES * self._agent.page or self._bytes >= PAGES * PAGE_BYTES

    def can_go_on(self, start: int) -> bool:
        """Whether nobody else has brought the group further than this lane has."""
        return start <= self.taken and not self.task.done()

    def heard(self, end: int) -> None:
        """Kafka says where this partition ends; a lane that has come there has nothing to wait for."""
        self.end = end
        if self.taken >= end:
            self.moved_at = time.monotonic()

    def put(self, records: Iterable[Record]) -> bool:
        """Add what comes next of these; False where records between are missing."""
        for record in records:
            if record.offset > self.next:
                return False
            if record.offset == self.next:
                self._waiting.append(record)
                self._bytes += len(record.value or b"")
                self._more.set()
                self.next += 1
        return True

    def close(self) -> None:
        """End after the page that the agent has, if it has one."""
        self._closed = True
        if self.quiet.is_set():
            self.task.cancel()

    async def _run(self, after: asyncio.Future[None] | None) -> None:
        self._occupied = after is not None
        if after is not None:
            await after
        while not self._closed:
            self._occupied = False
            await self._opened.wait()
            page = self._page()
            if not page:
                await self._more.wait()
                continue
            self._occupied = True
            await self._take(page)
            self.taken, self.moved_at = page[-1].offset + 1, time.monotonic()

    def _page(self) -> list[Record]:
        page, size = list[Record](), 0
        while self._waiting and len(page) < self._agent.page and size < PAGE_BYTES:
            record = self._waiting.popleft()
            page.append(record)
            size += len(record.value or b"")
        self._bytes -= size
        if not self._waiting:
            self._more.clear()
        if self.paused and self.gate is not None and len(self._waiting) <= self._agent.page:
            self.paused = False
            self.gate.resume(self.partition)
        return page

    async def _take(self, page: Sequence[Record]) -> None:
        """Hand a page to the agent until it is taken."""
        pause, longest = self._pauses_s
        while True:
            await self._opened.wait()
            self.quiet.clear()
            try:
                return await self._agent.take(self.partition, page)
            except DiscoError as error:
                self._failed(page, error.code, error, pause)
            except Exception as error:  # whatever an agent may raise: the same page again, never the next one
                self._failed(page, "internal", error, pause)
            finally:
                self.quiet.set()
            if self._closed:
                raise asyncio.CancelledError
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    def _failed(self, page: Sequence[Record], code: str, error: Exception, pause: float) -> None:
        where = {"group": self._agent.group, "partition": self.partition, "offset": page[0].offset}
        log.warning("page_failed", **where, records=len(page), code=code, error=str(error), again_in_s=pause)


class Lanes:
    """The partitions that are assigned to this host.

    They outlive a member of the group: a page at hand is finished, whatever becomes of the connection.
    """

    def __init__(self, agent: Agent, pauses_s: tuple[float, float]) -> None:
        self._agent = agent
        self._pauses_s = pauses_s
        self._lanes: dict[int, Lane] = {}
        self._ending: set[Lane] = set()
        self._endings: dict[int, asyncio.Task[None]] = {}
        self._opened = asyncio.Event()

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))  # a copy: another thread may ask for the lag

    def assign(self, starts: Mapping[int, int], gate: Gate) -> None:
        """These partitions are assigned now, and no others; each begins where the group has come to.

        A lane is kept, page at hand and all, where nobody else has gone on in it meanwhile.
        """
        kept = {
            partition: self._lanes[partition]
            for partition, start in starts.items()
            if partition in self._lanes and self._lanes[partition].can_go_on(start)
        }
        self._end([lane for partition, lane in self._lanes.items() if partition not in kept])
        fresh = {
            partition: self._lane(partition, start) for partition, start in starts.items() if partition not in kept
        }
        self._lanes = {**kept, **fresh}
        for lane in self._lanes.values():
            lane.gate, lane.paused = gate, False
        self._opened.set()

    def _lane(self, partition: int, start: int) -> Lane:
        after = self._endings.get(partition)
        return Lane(self._agent, partition, start, opened=self._opened, after=after, pauses_s=self._pauses_s)

    def _end(self, lanes: Sequence[Lane]) -> None:
        """Close lanes; the agent is told once it has none of their pages any more."""
        for lane in lanes:
            lane.close()
        self._ending.update(lanes)
        earlier = [ending for lane in lanes if (ending := self._endings.get(lane.partition))]
        if lanes:
            ending = asyncio.create_task(self._ended(lanes, earlier), name=f"ending {self._agent.group}")
            self._endings.update(dict.fromkeys((lane.partition for lane in lanes), ending))

    async def _ended(self, lanes: Sequence[Lane], earlier: Sequence[asyncio.Task[None]]) -> None:
        await asyncio.gather(*earlier, *(lane.task for lane in lanes), return_exceptions=True)
        self._ending.difference_update(lanes)
        try:
            await self._agent.revoked([lane.partition for lane in lanes])
        except Exception as error:  # its memory is its own affair; the partitions are gone all the same
            log.error("revoked_failed", group=self._agent.group, error=repr(error))

    def put(self, partition: int, records: Sequence[Record]) -> None:
        """Add records of a partition; those of one that has gone are dropped."""
        lane = self._lanes.get(partition)
        if lane is None:
            return
        if not lane.put(records):
            self._rewind(lane, records[-1].offset)
        if lane.full and lane.gate is not None:
            lane.paused = True
            lane.gate.pause(partition)

    def _rewind(self, lane: Lane, found: int) -> None:
        """Ask for what is missing, once a second: what was on its way already does not count."""
        now = time.monotonic()
        if lane.gate is None or now - lane.rewound_at < REWIND_S:
            return
        lane.rewound_at = now
        where = {"group": self._agent.group, "partition": lane.partition}
        log.warning("records_missing", **where, awaited=lane.next, found=found, what="asking for them again")
        lane.gate.rewind(lane.partition, lane.next)

    def hold(self) -> None:
        """Begin no page until partitions are assigned anew."""
        self._opened.clear()

    async def rest(self, timeout_s: float) -> bool:
        """Begin no page, and wait until the agent has none; False where it still has one when the time is up."""
        self.hold()
        try:
            async with asyncio.timeout(timeout_s):
                for lane in self:
                    await lane.quiet.wait()
        except TimeoutError:
            return False
        return True

    def positions(self) -> dict[int, int]:
        """Up to which offset, exclusive, each partition was taken."""
        return {lane.partition: lane.taken for lane in self}

    async def close(self, timeout_s: float) -> None:
        """End every lane; what the agent still has after this time is broken off."""
        self._end(list(self))
        self._lanes = {}
        endings = set(self._endings.values())
        if endings:
            await asyncio.wait(endings, timeout=timeout_s)
        for lane in self._ending:
            lane.task.cancel()
        await asyncio.gather(*endings, return_exceptions=True)
