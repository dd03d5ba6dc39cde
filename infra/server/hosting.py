"""What both hosts do alike: be a member of the group for as long as they run, and see that the work gets somewhere.

A host has a thread with an event loop of its own. In it a member of the consumer group feeds the lanes. A member that
ends, whatever the reason, is followed by a new one after a pause; so is one that has stood still for too long although
there are records, it has none of them at hand, and Kafka answers. An agent shares the event loop: what takes long it
does in threads or processes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import ClassVar

import structlog

from domain.errors import DiscoError, Unavailable
from infra.server.consuming import Agent, Lag
from infra.server.lanes import Lanes
from infra.server.membership import Member, Place, Timing
from infra.server.probe import Probe

LEAVE_S = 10.0
WELL_S = 60.0
SWEEP_S = 1.0

log = structlog.get_logger("hosting")


class SupervisedHost:
    """Runs one agent; a subclass names the kind of member. See `Host`.

    failure: why there is no member now; None while there is one, and before the first. members: how many there were.
    """

    kind: ClassVar[type[Member]]

    def __init__(self, agent: Agent, topic: str, brokers: str, *, timing: Timing | None = None) -> None:
        self._agent = agent
        self._place = Place(brokers, topic, agent.group, timing or Timing())
        self._thread = threading.Thread(target=self._run, name=f"host {agent.group}", daemon=True)
        self._stop = threading.Event()
        self._deadline = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._lanes: Lanes | None = None
        self._member: Member | None = None
        self.failure: BaseException | None = None
        self.members = 0

    def start(self) -> None:
        """See `Host.start`."""
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """See `Host.stop`."""
        self._deadline = time.monotonic() + timeout_s
        self._stop.set()
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None and self._thread.is_alive():
            loop.call_soon_threadsafe(stopping.set)
        if self._thread.ident is not None:
            self._thread.join(timeout_s + 2 * LEAVE_S)
            if self._thread.is_alive():
                log.error("not_stopped", group=self._place.group, what="it is left to the end of the process")

    def lag(self) -> dict[int, Lag]:
        """See `Host.lag`."""
        now = time.monotonic()
        found = {}
        for lane in self._lanes or ():
            behind = max(0, lane.end - lane.taken)
            found[lane.partition] = Lag(behind, now - lane.moved_at if behind else 0.0)
        return found

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._supervise())
            loop.run_until_complete(sweep())
        finally:  # `asyncio.run` would wait for what the agent has left in threads
            loop.close()

    async def _supervise(self) -> None:
        self._stopping = stopping = asyncio.Event()
        self._lanes = lanes = Lanes(self._agent, self._place.timing.pauses_s)
        self._loop = asyncio.get_running_loop()
        first, longest = self._place.timing.pauses_s
        pause = first
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                await self._membership(lanes, stopping)
            except (Exception, asyncio.CancelledError) as error:  # whatever a library may raise: we go on while we run
                self.failure = error
                code = error.code if isinstance(error, DiscoError) else "internal"
                pause = first if time.monotonic() - began > WELL_S else pause
                log.error("member_ended", group=self._place.group, code=code, error=_told(error), again_in_s=pause)
                await _either(stopping, pause)
                pause = min(2 * pause, longest)
            if self._member is not None and not self._member.left:
                await self._member.abandon()
        await lanes.close(max(0.0, self._deadline - time.monotonic()))

    async def _membership(self, lanes: Lanes, stopping: asyncio.Event) -> None:
        """One member, from joining to leaving. Raises: whatever ended it, unless the host is to stop."""
        async with Probe(self._place.brokers, self._place.topic, self._place.group) as probe:
            member = self._member = self.kind(self._place, lanes, probe)
            self.members += 1
            works = [member.run(), member.watch(), self._commits(member), member.unbroken(), stopping.wait()]
            tasks = [asyncio.create_task(work) for work in works]
            self.failure = None
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done() and not task.cancelled():
                        task.result()
                if not stopping.is_set():
                    raise Unavailable("the member ended by itself")
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._leave(member, lanes)

    async def _commits(self, member: Member) -> None:
        while True:
            await asyncio.sleep(self._place.timing.commit_s)
            await member.commit_taken()

    async def _leave(self, member: Member, lanes: Lanes) -> None:
        patience = self._place.timing.grace_s
        if self._stop.is_set():
            patience = max(0.0, self._deadline - time.monotonic())
        member.leaving = True
        await lanes.rest(patience)
        for step in (member.commit_taken, member.leave):
            try:
                async with asyncio.timeout(LEAVE_S):
                    await step()
                member.left = step == member.leave
            except Exception as error:  # it is gone all the same; what was not committed comes again
                log.warning("not_left_well", group=self._place.group, step=step.__name__, error=repr(error))


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__


async def _either(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return


async def sweep() -> None:
    """Cancel what was left in this event loop, and wait a little."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=SWEEP_S)


def break_off(*packages: str) -> None:
    """Cancel what these libraries have left running in this event loop."""
    for task in asyncio.all_tasks():
        code = getattr(task.get_coro(), "cr_code", None)
        if code is not None and any(f"/{package}/" in code.co_filename for package in packages):
            task.cancel()
