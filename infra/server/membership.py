"""A membership of a consumer group: what is alike whichever library holds it."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from domain.errors import Unavailable
from infra.server.lanes import Lane, Lanes
from infra.server.probe import Probe
from infra.server.records import Record

log = structlog.get_logger("membership")


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient a host is.

    session_s: a member that Kafka has not heard of for so long is out of the group; heartbeat_s: how often it is heard;
    rebalance_s: how long the group waits for a member to join anew; grace_s: how long pages at hand are waited for when
    partitions move; commit_s: how often offsets are committed; probe_s: how often the ends of partitions are asked for;
    stalled_s: after so long without any progress a member is replaced; pauses_s: the first and the longest pause before
    something is tried again.
    """

    session_s: float = 30.0
    heartbeat_s: float = 3.0
    rebalance_s: float = 60.0
    grace_s: float = 2.0
    commit_s: float = 1.0
    probe_s: float = 2.0
    stalled_s: float = 60.0
    pauses_s: tuple[float, float] = (0.2, 30.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member works, and how patiently."""

    brokers: str
    topic: str
    group: str
    timing: Timing


class Member(ABC):
    """One membership, from joining to leaving; used once. It is the `Gate` of its lanes."""

    def __init__(self, place: Place, lanes: Lanes, probe: Probe) -> None:
        self.place = place
        self.lanes = lanes
        self.joined = self.leaving = self.left = False
        self._since = time.monotonic()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready = asyncio.Event()
        self._probe = probe
        self._committed: dict[int, int] = {}

    @abstractmethod
    async def run(self) -> None:
        """Join, and feed the lanes until cancelled. It returns, or raises, where the library has given up."""

    @abstractmethod
    async def leave(self) -> None:
        """Leave the group, whatever `run` has come to."""

    @abstractmethod
    async def abandon(self) -> None:
        """Leaving has failed: see that nothing is left that Kafka would take for a living member."""

    @abstractmethod
    async def commit(self, positions: Mapping[int, int]) -> bool:
        """Commit that partitions were taken up to these offsets, exclusive; False where the group has moved on."""

    @abstractmethod
    def pause(self, partition: int) -> None:
        """See `Gate.pause`."""

    @abstractmethod
    def resume(self, partition: int) -> None:
        """See `Gate.resume`."""

    @abstractmethod
    def rewind(self, partition: int, offset: int) -> None:
        """See `Gate.rewind`."""

    async def revoking(self) -> None:
        """The group shares its partitions anew: finish what is short, and commit it; what is long goes on."""
        self._ready.clear()
        try:
            await self.lanes.rest(self.place.timing.grace_s)
            await self.commit_taken()
        except Exception as error:  # the libraries swallow what is raised here
            self._break(error)

    async def assigned(self, partitions: Collection[int]) -> None:
        """These partitions are ours now, and no others."""
        try:
            starts, ends = await self._probe.starts(partitions), await self._probe.ends(partitions)
        except Exception as error:  # the libraries swallow what is raised here
            return self._break(error)
        if self.leaving:
            return None
        self._committed = dict(starts)
        self.joined, self._since = True, time.monotonic()
        self.lanes.assign(starts, self)
        self._hear(ends)
        self._ready.set()
        log.info("assigned", group=self.place.group, partitions=sorted(partitions))
        return None

    def _hear(self, ends: Mapping[int, int]) -> None:
        for lane in self.lanes:
            lane.heard(ends.get(lane.partition, lane.end))

    def _break(self, error: Exception) -> None:
        if not self._broken.done():
            self._broken.set_exception(error)

    async def unbroken(self) -> None:
        """Wait for ever. Raises: what went wrong while partitions were shared anew."""
        await self._broken

    async def feed(self, partition: int, records: Sequence[Record]) -> None:
        """Put records into a lane; both libraries give the first ones before they have told all of what is ours."""
        await self._ready.wait()
        self.lanes.put(partition, records)

    async def commit_taken(self) -> None:
        """Commit what was taken since the last time."""
        positions = self.lanes.positions()
        due = {partition: at for partition, at in positions.items() if at > self._committed.get(partition, at)}
        if due and await self.commit(due):
            self._committed.update(due)

    async def watch(self) -> None:
        """Tell the lanes how much there is. Raises: Unavailable, where this member stands still without a reason."""
        while True:
            await asyncio.sleep(self.place.timing.probe_s)
            try:
                self._hear(await self._probe.ends(self._committed))
            except Exception as error:  # while Kafka is away there is nothing to say about a member
                log.warning("not_probed", group=self.place.group, error=str(error))
                self._since = time.monotonic()
                continue
            since_s = time.monotonic() - self._since
            if since_s > self.place.timing.stalled_s:
                if not self.joined:
                    raise Unavailable(f"no partitions were assigned to {self.place.group} in {since_s:.0f} s")
                for lane in self.lanes:
                    self._check(lane)

    def _check(self, lane: Lane) -> None:
        still_s = time.monotonic() - lane.moved_at
        if lane.taken < lane.end and not lane.at_hand and still_s > self.place.timing.stalled_s:
            raise Unavailable(
                f"{self.place.group} stands at offset {lane.taken} of {self.place.topic}[{lane.partition}], which ends"
                f" at {lane.end}, and has done nothing for {still_s:.0f} s"
            )
