"""What hosts the work on the server profile: something that hands records to agents, partition by partition.

Two hosts serve this port: Faust, and plain aiokafka. A host is trusted with little: it may hand records over again, or
from further on than an agent has come, and several hosts may do so at once after a rebalance or a long pause. Where an
agent stands is kept with what it wrote, and an agent takes nothing twice and leaps over nothing (see
`infra.server.records.Partition`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.server.records import Record


class Agent(Protocol):
    """What is done with the records of a topic, by one group of consumers."""

    @property
    def group(self) -> str:
        """The name of its consumer group: each partition goes to one member of it at a time."""

    @property
    def page(self) -> int:
        """The most records it wants at once."""

    async def take(self, partition: int, records: Sequence[Record]) -> None:
        """Do all that follows from these records, durably; their offsets may be committed when it returns.

        Records of a partition come in order, one page at a time; pages of different partitions may come at once. It may
        take minutes: meanwhile the partition is paused, and its owner stays in the group.
        Raises: DiscoError, and is then given the same records again after a pause.
        """

    async def revoked(self, partitions: Sequence[int]) -> None:
        """These partitions go to another member: forget what is remembered of them."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a host is behind: records it has not taken yet, and for how long it has got nowhere with them."""

    records: int
    stalled_s: float


class Host(Protocol):
    """Runs one agent over one topic until it is told to stop."""

    def start(self) -> None:
        """Join the group and begin; returns at once. It connects again by itself for as long as it runs."""

    def stop(self, timeout_s: float = 30.0) -> None:
        """Finish the pages at hand, commit, and leave the group."""

    def lag(self) -> dict[int, Lag]:
        """By assigned partition."""
