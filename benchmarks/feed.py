"""Subscriptions: how soon an event is with everybody, and whether anybody misses one."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from statistics import median
from typing import cast

from api.feed import Feed
from api.graphql.context import Context, Shared
from api.graphql.engine import Asked, Engine, Message
from api.threads import Threads
from api.tokens import event_text
from benchmarks.catalogue import START_US
from benchmarks.figures import Bench, Measured
from benchmarks.timing import percentile
from domain import ids
from domain.ids import EventId
from domain.ports import EventLog
from domain.service import Service
from events.base import Event
from events.envelope import Proposed
from events.resources import ProjectCreated, ResourceTagged
from infra.disco import Disco
from infra.settings import Settings

FEW, MANY = 100, 1_000
EVENTS = 300
PAUSE_S = (0.005, 0.035)
BURST = 20
BURSTS = 10
ROUNDS = 3
WAIT_S = 120
SUBSCRIPTION = "subscription ($after: Cursor) { events(after: $after) { cursor event { id type subject position } } }"


@dataclass(slots=True)
class Writer:
    """Appends events of one project; `cursors` are theirs, `committed` when each was durable."""

    log: EventLog
    count: int = 0
    cursors: list[str] = field(default_factory=list)
    committed: list[float] = field(default_factory=list)

    def append(self, size: int = 1) -> None:
        """Append some events, and remember when they were durable."""
        events = [self._event() for _ in range(size)]
        done = self.log.append(events)
        self.committed += [time.perf_counter()] * size
        self.cursors += [event_text(position) for position in done.positions]

    def _event(self) -> Proposed:
        self.count += 1
        project = ids.project_id("feed")
        data: Event = ResourceTagged(resource_id=project, added=(f"tag-{self.count % 50}",))
        if self.count == 1:
            data = ProjectCreated(project_id=project, name="feed")
        id = EventId(ids.derived("feed", self.count))
        return Proposed(id, project, data, START_US + self.count, "/commands", "ada", project)


@dataclass(slots=True)
class Room:
    """A service, its subscribers, and who writes what they are to hear of."""

    service: Service
    writer: Writer
    shared: Shared
    engine: Engine

    @classmethod
    def of(cls, service: Service) -> Room:
        """With one event in its log."""
        shared = Shared(service, Feed(service.log), Threads())
        room = cls(service, Writer(service.log), shared, Engine(development=False))
        room.writer.append()
        return room

    def messages(self, after: str | None) -> AsyncGenerator[Message, None]:
        """A subscription from a cursor on."""
        found = self.engine.subscribe(Asked(SUBSCRIPTION, {"after": after}), Context(self.shared))
        return cast(AsyncGenerator[Message, None], found)

    async def follow(self, after: str | None, count: int) -> list[tuple[str | None, float]]:
        """The next messages' cursors, and when each came."""
        arrived: list[tuple[str | None, float]] = []
        async with aclosing(self.messages(after)) as messages:
            async for message in messages:
                arrived.append((message.cursor, time.perf_counter()))
                if len(arrived) == count:
                    break
        return arrived

    async def gathered(self, subscribers: int, write: Callable[[], None], count: int) -> list[list[float]]:
        """What each subscriber's messages took from commit to arrival, `write` appending `count` events in a thread.

        Raises: AssertionError, where anybody lost or repeated one.
        """
        after, begin = self.writer.cursors[-1], len(self.writer.cursors)
        followers = [asyncio.create_task(self.follow(after, count)) for _ in range(subscribers)]
        await asyncio.sleep(0.3)
        writer = threading.Thread(target=write)
        writer.start()
        async with asyncio.timeout(WAIT_S):
            found = await asyncio.gather(*followers)
        writer.join()
        expected, committed = self.writer.cursors[begin:], self.writer.committed[begin:]
        for arrived in found:
            assert [cursor for cursor, _ in arrived] == expected, "a subscriber lost or repeated an event"
        return [[max(0.0, at - since) for (_, at), since in zip(one, committed, strict=True)] for one in found]

    async def leave(self) -> None:
        """Let go of the feed; the service goes on."""
        await self.shared.feed.close()
        self.shared.threads.close()


async def _room(bench: Bench, name: str) -> Room:
    return Room.of(cast(Service, Disco(Settings(home=bench.fresh(name)), run=True)))


async def _leave(room: Room) -> None:
    await room.leave()
    cast(Disco, room.service).close()


def p99(bench: Bench) -> Measured:
    """From commit to the JSON text of a message for each of 100 subscribers."""
    count = bench.scaled(EVENTS, least=50)
    taken, bare = asyncio.run(_p99(bench, count))
    note = f"{len(taken):,} messages, median {1e3 * median(taken):.1f} ms"
    return Measured(1e3 * percentile(taken, 0.99), 1e3 * percentile(bare, 0.99), note)


async def _p99(bench: Bench, count: int) -> tuple[list[float], list[float]]:
    room = await _room(bench, "feed")

    def write() -> None:
        for pause in pauses(count):
            time.sleep(pause)
            room.writer.append()

    found = await room.gathered(FEW, write, count)
    await _leave(room)
    return [one for arrived in found for one in arrived], await _bare(count)


def pauses(count: int) -> Sequence[float]:
    """What lies between so many appends, in seconds."""
    chance = random.Random(4)
    return [chance.uniform(*PAUSE_S) for _ in range(count)]


async def _bare(count: int) -> list[float]:
    """What a thread needs to wake 100 tasks, with no log, no feed and no message."""
    loop, taken = asyncio.get_running_loop(), list[float]()
    waiting: list[asyncio.Queue[float]] = [asyncio.Queue() for _ in range(FEW)]

    async def follow(queue: asyncio.Queue[float]) -> None:
        for _ in range(count):
            sent = await queue.get()
            taken.append(time.perf_counter() - sent)

    def tell(sent: float) -> None:
        for queue in waiting:
            queue.put_nowait(sent)

    def write() -> None:
        for pause in pauses(count):
            time.sleep(pause)
            loop.call_soon_threadsafe(tell, time.perf_counter())

    writer = threading.Thread(target=write)
    writer.start()
    await asyncio.gather(*(follow(queue) for queue in waiting))
    writer.join()
    return taken


def thousand(bench: Bench) -> Measured:
    """Messages a second to 1,000 subscribers while one more has stopped reading."""
    subscribers = bench.scaled(MANY, least=50)
    beside, alone = asyncio.run(_thousand(bench, subscribers))
    messages = subscribers * BURST * BURSTS
    note = f"{messages:,} messages to {subscribers:,} subscribers {2 * ROUNDS} times, 0 lost, 0 repeated"
    return Measured(messages / beside, messages / alone, note)


async def _thousand(bench: Bench, subscribers: int) -> tuple[float, float]:
    room = await _room(bench, "feed1000")

    def write() -> None:
        for _ in range(BURSTS):
            room.writer.append(BURST)

    async def timed() -> float:
        count = BURST * BURSTS
        begin = len(room.writer.cursors)
        found = await room.gathered(subscribers, write, count)
        last = max(arrived[-1] for arrived in found) + room.writer.committed[-1]
        return last - room.writer.committed[begin]

    beside, alone = [], []
    for _ in range(ROUNDS):
        alone.append(await timed())
        idle = room.messages(room.writer.cursors[0])
        await anext(idle)
        beside.append(await timed())
        await idle.aclose()
    await _leave(room)
    return median(beside), median(alone)
