"""A host on Faust.

Faust is given one thing to do: to be a member of the group and to hand over what it reads. It keeps no table, opens no
port, makes no topic and no folder, and its own counting of what was acknowledged is not used: it forgets it when
partitions are shared anew. What its stream gives goes to the lanes, and the lanes say what to commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.types import TP
from mode.threads import WorkerThread

from domain.errors import Unavailable
from infra.server.brokers import Security, security_of
from infra.server.farewell import end, say_farewell
from infra.server.hosting import SWEEP_S, SupervisedHost, break_off, sweep
from infra.server.lanes import Lanes
from infra.server.membership import Member, Place, log
from infra.server.probe import Probe

A_DAY_S = 86_400.0
LOOK_S = 0.2


class _Boot(BootStrategy):
    enable_web = False


class _App(faust.App):
    BootStrategy = _Boot

    def __init__(self, *args: Any, **options: Any) -> None:  # Any: as the library has them
        """begun: it can be stopped now; what is half started cannot, its thread would stay in the group."""
        super().__init__(*args, **options)
        self.begun = asyncio.Event()

    async def on_first_start(self) -> None:
        """Faust would make folders for its tables; there are none."""

    async def on_started(self) -> None:
        """All parts have started; what follows waits for partitions, maybe for long."""
        self.begun.set()
        await super().on_started()


class _Thread(WorkerThread):
    """The thread of Faust's consumer; whatever was left in its event loop has an end with it."""

    service: Any  # Any: a thread of aiokafka's, of no part of whose inside there are types

    def run(self) -> None:
        """Serve until the consumer is stopped, or this thread's event loop is."""
        loop = self.service.thread_loop
        try:
            super().run()
        except (RuntimeError, asyncio.CancelledError) as error:
            log.warning("thread_broken_off", error=repr(error))
        finally:
            loop.run_until_complete(self._end())
            loop.close()

    async def _end(self) -> None:
        await sweep()
        if self.service._consumer is not None:
            await self.service._consumer._client.close()


class _Unread(dict[TP, int | None]):
    """What Faust remembers of the offsets it has handed over: nothing.

    It would drop records that it was asked for again while later ones were still on their way; lanes know better.
    """

    def __getitem__(self, place: TP) -> None:
        """Nothing was read."""

    def __setitem__(self, place: TP, offset: int | None) -> None:
        """Forget it."""


def _credentials(security: Security) -> Credentials | None:
    if security.signs_in:
        return SASLCredentials(
            username=security.user,
            password=security.password.get_secret_value(),
            mechanism=security.mechanism,
            ssl_context=security.context(),
        )
    context = security.context()
    return None if context is None else SSLCredentials(context)


def _app(place: Place) -> _App:
    timing = place.timing
    return _App(
        place.group,
        broker=";".join(f"kafka://{broker}" for broker in place.brokers.split(",")),
        processing_guarantee="at_least_once",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,  # there are none; partitions are shared by round robin
        stream_wait_empty=False,  # a rebalance must not wait for a page of minutes
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=timing.session_s,
        broker_credentials=_credentials(security_of(place.brokers)),
        broker_heartbeat_interval=timing.heartbeat_s,
        broker_rebalance_timeout=timing.rebalance_s,
        broker_request_timeout=max(90.0, timing.session_s),
        broker_max_poll_interval=A_DAY_S,  # the watchdog sees better whether it gets on
        broker_commit_interval=A_DAY_S,
        broker_commit_livelock_soft_timeout=A_DAY_S,
        stream_processing_timeout=A_DAY_S,
    )


class FaustMember(Member):
    """A Faust app in this thread's event loop; Faust itself adds a thread for its consumer."""

    def __init__(self, place: Place, lanes: Lanes, probe: Probe) -> None:
        super().__init__(place, lanes, probe)
        self._app = _app(place)
        self._starting: asyncio.Task[None] | None = None
        topic = self._app.topic(
            place.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )
        self._app.agent(topic, name=f"{place.group}.hand_over")(self._hand_over)
        self._app.on_partitions_revoked.connect(self._on_revoked)
        self._app.on_partitions_assigned.connect(self._on_assigned)

    async def _hand_over(self, stream: Any) -> None:  # Any: a stream of raw events
        async for event in stream.noack().events():
            await self.feed(event.message.partition, [event.message])

    async def _on_revoked(self, _app: object, /, *_: Iterable[TP], **__: object) -> None:
        await self.revoking()

    async def _on_assigned(self, _app: object, /, *assigned: Iterable[TP], **_: object) -> None:
        await self.assigned([place.partition for places in assigned for place in places])

    @property
    def _consumer(self) -> Any:  # Any: what is used of it is no part of its interface
        return self._app.consumer

    async def run(self) -> None:
        """See `Member.run`."""
        self._consumer._read_offset = _Unread()
        self._consumer._thread.Worker = _Thread
        self._consumer._thread._close_thread_loop_on_stop = False
        self._starting = asyncio.create_task(self._app.start())
        self._starting.add_done_callback(lambda _: self._app.begun.set())
        await asyncio.shield(self._starting)
        while not self._app.should_stop:
            await asyncio.sleep(LOOK_S)
        raise Unavailable(f"Faust has ended by itself: {self._app.crash_reason!r}") from self._app.crash_reason

    async def leave(self) -> None:
        """See `Member.leave`."""
        self._app.on_partitions_revoked.disconnect(self._on_revoked)
        self._app.on_partitions_assigned.disconnect(self._on_assigned)
        if self._starting is not None:
            await self._app.begun.wait()
        await end(self._app.stop(), self._farewell)

    async def _farewell(self) -> None:
        thread = self._consumer._thread
        if thread._consumer is not None and thread.thread_loop.is_running():
            said = asyncio.run_coroutine_threadsafe(say_farewell(thread._consumer), thread.thread_loop)
            await asyncio.wrap_future(said)

    async def abandon(self) -> None:
        """See `Member.abandon`."""
        thread = self._consumer._thread
        if thread.thread_loop.is_running():
            thread.thread_loop.call_soon_threadsafe(thread.thread_loop.stop)
        if thread._thread is not None:
            await asyncio.to_thread(thread._thread.join, 2 * SWEEP_S)
        break_off("faust", "mode", "aiokafka")

    async def commit(self, positions: Mapping[int, int]) -> bool:
        """See `Member.commit`."""
        due = {self._place(partition): at for partition, at in positions.items() if self._ours(partition)}
        done = bool(due) and bool(await self._consumer._thread.commit(due))
        if not done:
            log.info("not_committed", group=self.place.group)
        return done

    def pause(self, partition: int) -> None:
        """See `Gate.pause`.

        By the name that Faust has for a full buffer: what its own `pause_partitions` finds already fetched is dropped,
        and then taken for a gap that may be committed.
        """
        if self._ours(partition):
            self._consumer.on_buffer_full(self._place(partition))

    def resume(self, partition: int) -> None:
        """See `Gate.resume`."""
        if self._ours(partition):
            self._consumer.on_buffer_drop(self._place(partition))

    def rewind(self, partition: int, offset: int) -> None:
        """See `Gate.rewind`."""
        if self._ours(partition):
            self._app.add_future(self._seek(partition, offset))

    async def _seek(self, partition: int, offset: int) -> None:
        try:
            await self._consumer.seek_wait({self._place(partition): offset})
        except Exception as error:  # most likely the partition has gone; else the watchdog will see
            log.warning("not_rewound", group=self.place.group, partition=partition, error=repr(error))

    def _ours(self, partition: int) -> bool:
        return self._place(partition) in self._consumer.assignment()

    def _place(self, partition: int) -> TP:
        return TP(self.place.topic, partition)


class FaustHost(SupervisedHost):
    """See `Host`."""

    kind = FaustMember
