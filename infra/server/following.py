"""Following the log by partitions: what a host hands over is taken once, in order, and what it leaps over is read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from events.envelope import Recorded
from infra.server import ledger
from infra.server.postgres import Postgres
from infra.server.records import Partition, Record
from infra.server.replay import History

TURNS = 5
log = structlog.get_logger("following")

Position = Callable[[int], int]
"""Partition -> how far it was done, as it is kept with what was done."""

Apply = Callable[[int, int, Sequence[Recorded]], int]
"""(partition, previous, events) -> how far it is done now; below `previous` where nothing was done for want of more."""

DeadLetters = Callable[[Sequence[tuple[Record, str]]], None]
"""Takes records that are no events of ours, each with why."""


class Follower:
    """An `Agent` that keeps to the log's order, whatever its host does.

    dead_letters: where records go that are no events of ours; one of the groups that read a topic is enough.
    """

    def __init__(
        self,
        group: str,
        page: int,
        postgres: Postgres,
        history: History,
        *,
        position: Position,
        apply: Apply,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        self.group = group
        self.page = page
        self._postgres = postgres
        self._history = history
        self._position = position
        self._apply = apply
        self._dead_letters = dead_letters
        self._states: dict[int, Partition] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(8, thread_name_prefix=group)

    async def take(self, partition: int, records: Sequence[Record]) -> None:
        """See `Agent.take`."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._take, partition, records)

    async def revoked(self, partitions: Sequence[int]) -> None:
        """See `Agent.revoked`."""
        with self._lock:
            for partition in partitions:
                self._states.pop(partition, None)

    def make_up(self, committed: Mapping[int, int], stop: threading.Event) -> None:
        """Do what its group has committed and is not known as done, as where PostgreSQL was restored from a backup.

        The host hands over nothing of it: it goes on behind what was committed. committed: partition -> offset.
        """
        reached = {partition: self._position(partition) for partition in committed}
        with self._postgres.read() as connection:
            starts = dict.fromkeys(committed, 0) | ledger.offsets_behind(connection, reached)
        behind = {partition: upto for partition, upto in committed.items() if starts[partition] < upto}
        states = {partition: Partition(reached[partition]) for partition in behind}
        found = self._history.pages({each: starts[each] for each in behind}, behind) if behind else ()
        for partition, records in found:
            for at in range(0, len(records), self.page):
                if stop.is_set():
                    return
                self._done(partition, states[partition], records[at : at + self.page])

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _take(self, partition: int, records: Sequence[Record]) -> None:
        with self._lock:
            state = self._states.pop(partition, None)
        if state is None:
            state = Partition(self._position(partition))
        for _ in range(TURNS):
            if self._done(partition, state, records):
                break
            self._fill(partition, state, records[0].offset)
        if state.strangers:
            if self._dead_letters is not None:
                self._dead_letters(state.strangers)
            state.strangers = []
        if state.awaited:
            log.warning("hole", group=self.group, partition=partition, behind=state.last, found=state.awaited)
        with self._lock:
            self._states[partition] = state

    def _done(self, partition: int, state: Partition, records: Sequence[Record]) -> bool:
        """Do what is next of these records; False where something before it is still to be done."""
        previous = state.last
        events = state.take(records)
        if events:
            state.last = self._apply(partition, previous, events)
            return state.last >= events[-1].position and not state.awaited
        return not state.awaited

    def _fill(self, partition: int, state: Partition, upto: int) -> None:
        """Read what lies between what was done and what the host gave."""
        with self._postgres.read() as connection:
            start = ledger.offsets_behind(connection, {partition: state.last}).get(partition, 0)
        state.awaited = 0
        for _, records in self._history.pages({partition: start}, {partition: max(upto, start)}):
            for at in range(0, len(records), self.page):
                if not self._done(partition, state, records[at : at + self.page]):
                    return
