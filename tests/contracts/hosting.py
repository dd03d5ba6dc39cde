"""What the hosts' contract is tested with: topics, records, agents that note what they take, and hosts over them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from infra.server.hosting import SupervisedHost
from infra.server.hosts import Runner, make_host
from infra.server.membership import Timing
from infra.server.records import Record
from tests.servers import fresh_name

# as impatient as Kafka allows a member to be
QUICK = Timing(
    session_s=6.0, heartbeat_s=1.0, grace_s=1.0, commit_s=0.5, probe_s=0.5, stalled_s=8.0, pauses_s=(0.05, 1.0)
)
PATIENCE_S = 60.0


def within(seconds: float, condition: Callable[[], bool], what: str = "") -> None:
    """Wait until this holds; fail where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


@dataclass
class Take:
    """One page that an agent was given."""

    partition: int
    offsets: list[int]
    began: float
    ended: float | None = None


@dataclass
class Notes:
    """An agent that notes what it takes; `before` is done first, and may be slow or fail."""

    group: str
    page: int = 50
    before: Callable[[int, Sequence[Record]], object] = lambda _partition, _records: None
    takes: list[Take] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    first: Record | None = None

    async def take(self, partition: int, records: Sequence[Record]) -> None:
        """See `Agent.take`."""
        self.first = self.first or records[0]
        take = Take(partition, [record.offset for record in records], time.monotonic())
        self.takes.append(take)
        await asyncio.to_thread(self.before, partition, records)
        take.ended = time.monotonic()

    async def revoked(self, partitions: Sequence[int]) -> None:
        """See `Agent.revoked`."""
        self.given_up.extend(partitions)

    def offsets(self, partition: int) -> list[int]:
        """What was taken of a partition, in the order in which it was, page after page."""
        return [
            offset
            for take in list(self.takes)
            if take.partition == partition and take.ended is not None
            for offset in take.offsets
        ]

    def count(self) -> int:
        """How many records were taken, each as often as it was."""
        return sum(len(take.offsets) for take in list(self.takes) if take.ended is not None)


class Topic:
    """A topic of a test's own."""

    def __init__(self, brokers: str, partitions: int = 4, *, made: bool = True) -> None:
        self.brokers = brokers
        self.partitions = partitions
        self.name = fresh_name("hosts")
        self._produced = [0] * partitions
        if made:
            self.make()

    def make(self) -> None:
        """Make it."""
        with self.admin() as admin:
            admin.create_topics([NewTopic(self.name, self.partitions, 1)])

    @contextlib.contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        """A client for administration."""
        client = KafkaAdminClient(bootstrap_servers=self.brokers)
        try:
            yield client
        finally:
            client.close()

    def produce(self, count: int, *, partition: int | None = None, value: bytes = b"v") -> None:
        """Add so many records, in turn to each partition, or to one."""
        producer = KafkaProducer(bootstrap_servers=self.brokers, acks="all")
        for number in range(count):
            place = number % self.partitions if partition is None else partition
            headers = [("number", str(self._produced[place]).encode())]
            producer.send(self.name, value, partition=place, headers=headers)
            self._produced[place] += 1
        producer.flush()
        producer.close()

    def whole(self, partition: int) -> list[int]:
        """The offsets there are in a partition."""
        return list(range(self._produced[partition]))

    def total(self) -> int:
        """How many records there are."""
        return sum(self._produced)


class Hosts:
    """Hosts of one kind over one topic, stopped at the end."""

    def __init__(self, kind: Runner) -> None:
        self.kind = kind
        self._started: list[SupervisedHost] = []

    def start(self, agent: Notes, topic: Topic, *, timing: Timing = QUICK) -> SupervisedHost:
        """A host that runs."""
        host = make_host(self.kind, agent, topic.name, topic.brokers, timing=timing)
        host.start()
        self._started.append(host)
        return host

    def close(self) -> None:
        """Stop those that still run."""
        stops = [threading.Thread(target=host.stop, args=(5.0,)) for host in self._started]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()
