"""The feed: history first, then live, every event once, whoever reads and however slowly."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.feed import Feed
from api.threads import call_in
from domain.errors import Malformed, Unavailable
from domain.ids import ResourceId
from domain.ports import ALL, Selection
from events.resources import ResourceRenamed
from infra.base import BaseDisco
from tests.api.making import Catalogue, catalogue
from tests.servers import fresh_name


def write(made: Catalogue, count: int, subject: str = "00000000-0000-0000-0000-00000000000a") -> None:
    """Append so many events in pages of up to a hundred."""
    for start in range(0, count, 100):
        made.append(
            *(ResourceRenamed(resource_id=subject, name=f"n{index}") for index in range(start, min(start + 100, count)))
        )


async def take(
    feed: Feed, after: int, until: int, selection: Selection = ALL, pause: Callable[[], float] = lambda: 0
) -> list[int]:
    """The positions a reader meets up to a position."""
    seen: list[int] = []
    async for page in feed.pages(after, selection):
        seen += [event.position for event in page.events]
        await asyncio.sleep(pause())
        if seen and seen[-1] >= until:
            return seen
    return seen


def run(service: BaseDisco, work: Callable[[Feed], Any], **options: int) -> Any:
    """Run work over a feed and close it."""

    async def whole() -> Any:
        feed = Feed(service.log, **options)
        try:
            async with asyncio.timeout(30):
                return await work(feed)
        finally:
            await feed.close()

    return asyncio.run(whole())


def test_a_thousand_readers_lose_and_repeat_nothing(service: BaseDisco) -> None:
    """Given readers that begin anywhere, some slow, when much is appended, then each meets every event once."""
    made = catalogue(service, fresh_name())
    write(made, 300)
    begun = service.log.head()
    chance = random.Random(1)

    async def work(feed: Feed) -> None:
        starts = [chance.randrange(begun) for _ in range(1000)]
        end = begun + 600
        writing = asyncio.get_running_loop().run_in_executor(None, write, made, 600)
        pauses = [(lambda: chance.random() * 0.05) if index % 10 == 0 else (lambda: 0) for index in range(1000)]
        readers = [
            asyncio.create_task(take(feed, start, end, pause=pause))
            for start, pause in zip(starts, pauses, strict=True)
        ]
        for start, seen in zip(starts, await asyncio.gather(*readers), strict=True):
            assert seen == list(range(start + 1, end + 1))
        await writing

    run(service, work, ring_events=128)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(ring=st.integers(1, 60), before=st.integers(1, 80), after=st.integers(1, 400), start=st.integers(0, 80))
def test_the_seam_between_history_and_live_is_tight(
    tmp_path_factory: pytest.TempPathFactory, ring: int, before: int, after: int, start: int
) -> None:
    """Given any ring, history and beginning, when more is appended while reading, then no gap and no repeat."""
    from infra.disco import open_disco
    from infra.settings import Settings

    with open_disco(Settings(home=tmp_path_factory.mktemp("seam"), workers=1), run=False) as service:
        made = catalogue(service)
        write(made, before)
        begin = min(start, service.log.head())
        end = service.log.head() + after

        async def work(feed: Feed) -> list[int]:
            writer = threading.Thread(target=write, args=(made, after))
            reader = asyncio.create_task(take(feed, begin, end))
            await asyncio.sleep(0)
            writer.start()
            return await reader

        assert run(service, work, ring_events=ring) == list(range(begin + 1, end + 1))


def test_a_reader_gets_what_it_selects(service: BaseDisco) -> None:
    """Given two subjects, when one is followed through history and live, then only its events come."""
    made = catalogue(service, fresh_name())
    mine, other = "00000000-0000-0000-0000-00000000000b", "00000000-0000-0000-0000-00000000000c"
    write(made, 10, mine)
    write(made, 10, other)

    async def work(feed: Feed) -> list[int]:
        reading = asyncio.create_task(
            take(feed, 0, service.log.head() + 5, Selection(subject=ResourceId(mine), types=(ResourceRenamed.TYPE,)))
        )
        await asyncio.sleep(0.1)
        write(made, 5, mine)
        return await reading

    seen = run(service, work)
    assert [event.position for event in service.log.about(ResourceId(mine))] == seen


def test_the_ring_stays_bounded(service: BaseDisco) -> None:
    """Given a small ring and a reader that does not read on, when much is appended, then the ring keeps its bound."""
    made = catalogue(service, fresh_name())

    async def work(feed: Feed) -> int:
        pages = feed.pages(0)
        await anext(pages)
        await asyncio.to_thread(write, made, 3000)
        await take(feed, 0, service.log.head())
        return len(feed._events)

    assert run(service, work, ring_events=200) <= 400 + 256


def test_a_feed_that_could_not_begin_begins_with_the_next_reader(
    service: BaseDisco, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a log that fails once, when read, then that reader is told, nothing goes on listening, the next reads."""
    made = catalogue(service, fresh_name())
    write(made, 5)
    true_head, failures, listening = service.log.head, [Unavailable("the disk is away")], []
    true_listen = service.log.on_append

    def head() -> int:
        if failures and threading.current_thread().name.startswith("feed"):
            raise failures.pop()
        return true_head()

    def listen(listener: Callable[[int], None]) -> Callable[[], None]:
        stop = true_listen(listener)
        listening.append(listener)

        def stopped() -> None:
            listening.remove(listener)
            stop()

        return stopped

    monkeypatch.setattr(service.log, "head", head)
    monkeypatch.setattr(service.log, "on_append", listen)

    async def work(feed: Feed) -> list[int]:
        with pytest.raises(Unavailable):
            await anext(feed.pages(0))
        assert listening == []
        return await take(feed, 0, true_head())

    assert run(service, work) == list(range(1, true_head() + 1))


def test_telling_a_closed_loop_is_no_fault() -> None:
    """Given a loop that has closed, when told something from another thread, then nothing is raised."""
    loop = asyncio.new_event_loop()
    loop.close()
    call_in(loop, print, "nobody hears this")


def test_a_cursor_of_another_log_is_refused(service: BaseDisco) -> None:
    """Given a cursor beyond the end, when followed, then it is malformed, not silently empty."""
    catalogue(service, fresh_name())

    async def work(feed: Feed) -> None:
        with pytest.raises(Malformed):
            await anext(feed.pages(10**9))

    run(service, work)
