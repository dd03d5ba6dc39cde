"""A host on aiokafka and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import CommitFailedError, InconsistentGroupProtocolError

from domain.errors import Unavailable
from infra.server.brokers import reached
from infra.server.farewell import end, say_farewell
from infra.server.hosting import SupervisedHost, break_off
from infra.server.lanes import Lanes
from infra.server.membership import Member, Place, log
from infra.server.probe import Probe

A_DAY_MS = 86_400_000
POLL_MS = 500


class PlainMember(Member):
    """A consumer whose partitions stay where they are as far as can be when others join and leave."""

    def __init__(self, place: Place, lanes: Lanes, probe: Probe) -> None:
        super().__init__(place, lanes, probe)
        timing = place.timing
        # the assignor remembers in its class: each consumer needs one of its own
        sticky = type("Sticky", (StickyPartitionAssignor,), {})
        self._consumer = AIOKafkaConsumer(
            **reached(place.brokers),
            group_id=place.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(timing.session_s * 1000),
            heartbeat_interval_ms=int(timing.heartbeat_s * 1000),
            rebalance_timeout_ms=int(timing.rebalance_s * 1000),
            max_poll_interval_ms=A_DAY_MS,  # the watchdog sees better whether it gets on
            partition_assignment_strategy=(sticky,),  # of two, aiokafka joins with each in turn, and never settles
        )
        self._consumer.subscribe([place.topic], listener=_Listener(self))

    async def run(self) -> None:
        """See `Member.run`."""
        try:
            await self._consumer.start()
        except InconsistentGroupProtocolError as error:
            message = f"{self.place.group} has members with another DISCO_RUNNER; this one waits until they have ended"
            raise Unavailable(message) from error
        while True:
            found = await self._consumer.getmany(timeout_ms=POLL_MS)
            for place, records in found.items():
                await self.feed(place.partition, records)

    async def leave(self) -> None:
        """See `Member.leave`."""
        await end(self._consumer.stop(), partial(say_farewell, self._consumer))

    async def abandon(self) -> None:
        """See `Member.abandon`."""
        break_off("aiokafka")
        await self._consumer._client.close()

    async def commit(self, positions: Mapping[int, int]) -> bool:
        """See `Member.commit`."""
        assigned = self._consumer.assignment()
        due = {self._place(partition): at for partition, at in positions.items() if self._place(partition) in assigned}
        try:
            await self._consumer.commit(due)
        except CommitFailedError as error:  # the group has moved on without us; what it does again changes nothing
            log.info("not_committed", group=self.place.group, error=str(error))
            return False
        return True

    def pause(self, partition: int) -> None:
        """See `Gate.pause`."""
        if self._place(partition) in self._consumer.assignment():
            self._consumer.pause(self._place(partition))

    def resume(self, partition: int) -> None:
        """See `Gate.resume`."""
        if self._place(partition) in self._consumer.assignment():
            self._consumer.resume(self._place(partition))

    def rewind(self, partition: int, offset: int) -> None:
        """See `Gate.rewind`."""
        if self._place(partition) in self._consumer.assignment():
            self._consumer.seek(self._place(partition), offset)

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self.place.topic, partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    def __init__(self, member: Member) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called before the partitions are shared anew."""
        await self._member.revoking()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called after."""
        await self._member.assigned([place.partition for place in assigned])


class PlainHost(SupervisedHost):
    """See `Host`."""

    kind = PlainMember
