"""The ledger made anew from Kafka: whatever was lost of PostgreSQL, the log is the one it was, and goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import pytest

from domain import ids
from domain.errors import Conflict, Corrupted, Unavailable
from domain.ports import EventLog
from events.envelope import Proposed, Recorded
from infra.server import ledger
from infra.server.following import Follower
from infra.server.recovery import mismatches, rebuild_ledger
from infra.server.relay import Relay, partition_of
from infra.server.replay import History
from infra.server.topics import events_topic
from tests.builders import History as Story
from tests.builders import interleaved, library, numbered
from tests.contracts.server_log import PARTITIONS, ServerLogAdapter

PROJECTS = [ids.project_id(name) for name in "abcdefgh"]
TABLES = ("ledger", "outbox", "published", "partitions", "projects", "sequencer")
LONG_S = 60.0


class Lost(ServerLogAdapter):
    """An installation whose PostgreSQL is lost, in part or whole; its relay runs when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, relay=False)
        assert self.settings.kafka is not None
        self.history = History(self.settings.kafka, events_topic(self.settings))
        self.log = self.open()

    def relay(self) -> Relay:
        """A relay, to be started."""
        assert self.settings.kafka is not None
        return Relay(self.postgres, self.settings.kafka, events_topic(self.settings), PARTITIONS)

    def published(self) -> None:
        """Bring all that is written to Kafka."""
        relay = self.relay()
        relay.start()
        until(self.drained)
        relay.stop()

    def drained(self) -> bool:
        """Whether Kafka has all there is."""
        with self.postgres.read() as connection:
            return ledger.published(connection) == ledger.head(connection)

    def empty(self) -> None:
        """Lose what the ledger's tables hold."""
        with self.postgres.transaction() as connection:
            connection.execute(f"TRUNCATE {', '.join(TABLES)}")

    def saved(self) -> dict[str, list[tuple[Any, ...]]]:  # Any: rows of any table
        """A backup of the ledger's tables."""
        with self.postgres.read(snapshot=True) as connection:
            return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}  # noqa: S608  # ours

    def restored(self, backup: dict[str, list[tuple[Any, ...]]]) -> None:  # Any: as above
        """Put a backup in the place of what there is."""
        self.empty()
        with self.postgres.transaction() as connection:
            for table, rows in backup.items():
                for row in rows:
                    connection.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", row)  # noqa: S608  # ours

    def rebuilt(self) -> int:
        """Make the ledger anew; how many events Kafka has."""
        return rebuild_ledger(self.postgres, self.history).events


def until(condition: Any) -> None:  # Any: a function that says whether
    """Wait until this holds."""
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Lost]:
    """A fresh installation."""
    made = Lost(tmp_path)
    yield made
    made.close()


def _stories(count: int) -> list[list[Proposed]]:
    """Events of every kind, findings among them, in appends of one project each."""
    random = Random(4)
    events = interleaved([[library()], *(Story(random, name).grow(count) for name in "abc")], random)
    return [list(together) for _, together in groupby(events, key=lambda event: event.project)]


def _everything(log: EventLog) -> list[Recorded]:
    return log.read(0, limit=1_000_000)


def _told(log: EventLog) -> list[tuple[object, ...]]:
    """Every event, with all that the log says of it."""
    names = [name for name in Recorded.__slots__ if not name.startswith("_")]
    return [tuple(getattr(event, name) for name in names) for event in _everything(log)]


def test_the_ledger_made_of_kafka_alone_is_the_one_there_was(lost: Lost) -> None:
    """Given events of many projects in Kafka, when the tables are emptied and made anew, then all is as before.

    Heads, ids, sequences, payloads and places: what is read back, and the tables row by row.
    """
    for together in _stories(60):
        lost.log.append(together)
    lost.published()
    before, tables = _told(lost.log), lost.saved()
    lost.empty()
    assert lost.rebuilt() == len(before)
    assert _told(lost.open()) == before
    after = lost.saved()
    for table in ("ledger", "outbox", "projects", "sequencer", "partitions"):
        assert sorted(after[table]) == sorted(tables[table]), table
    assert list(mismatches(lost.postgres, lost.history)) == []


def test_commands_go_on_and_an_old_append_is_recognised(lost: Lost) -> None:
    """Given a ledger made anew, then old ids write nothing and answer as ever, and new events follow the last."""
    appends = _stories(30)
    answers = [lost.log.append(together) for together in appends]
    lost.published()
    head = lost.log.head()
    lost.empty()
    lost.rebuilt()
    for together, answer in zip(appends, answers, strict=True):
        again = lost.log.append(together)
        assert (again.positions, again.sequences, again.written) == (answer.positions, answer.sequences, 0)
    subject = PROJECTS[0]
    first = lost.log.append(numbered(1, start=1, project=subject))
    assert first.positions == (head + 1,)
    assert first.sequences[0] == max(event.sequence for event in _everything(lost.log) if event.project == subject)
    with pytest.raises(Conflict):
        lost.log.append(numbered(1, start=2, project=subject), expected={ids.ResourceId(subject): 0})
    lost.published()
    assert len(_everything(lost.log)) == head + 1


def test_what_waits_for_kafka_stays_at_its_place(lost: Lost) -> None:
    """Given events that Kafka has and some that it has not, when made anew, then they wait still, and get there."""
    for number in range(20):
        lost.log.append(numbered(5, start=10 * number, project=PROJECTS[number % 8]))
    lost.published()
    for number in range(20):
        lost.log.append(numbered(5, start=10 * number + 5, project=PROJECTS[number % 8]))
    before = _told(lost.log)
    assert lost.rebuilt() == 100
    assert _told(lost.log) == before
    lost.published()
    lost.empty()
    assert lost.rebuilt() == 200
    assert _told(lost.open()) == before


def test_a_batch_that_came_to_kafka_in_part_is_no_hole(lost: Lost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a relay broken off when some partitions had their rows, when made anew, then all is there and published."""
    for number in range(40):
        lost.log.append(numbered(2, start=2 * number, project=PROJECTS[number % 8]))
    before, real, cut = _told(lost.log), Relay._send, partition_of(PROJECTS[0], PARTITIONS)

    async def failing(self: Relay, producer: Any, partition: int, *rest: Any) -> None:  # Any: as in the relay
        if partition != cut:
            return await real(self, producer, partition, *rest)
        await asyncio.sleep(1)
        raise Unavailable("cut off")

    monkeypatch.setattr(Relay, "_send", failing)
    relay = lost.relay()
    relay.start()
    until(lambda: sum(lost.history.ends().values()) > 0)
    relay.stop()
    monkeypatch.setattr(Relay, "_send", real)
    assert list(mismatches(lost.postgres, lost.history)) == [], "the ledger knows them, though they are not cleared"
    assert lost.rebuilt() == 0, "the first event is not in Kafka"
    assert _told(lost.log) == before
    lost.published()
    lost.empty()
    assert lost.rebuilt() == 80
    assert _told(lost.open()) == before


def test_a_ledger_older_than_kafka_is_told_and_publishes_nothing(lost: Lost) -> None:
    """Given a restored backup, then it is a Conflict that says what to run, and no relay publishes over what is there.

    What was written in its ignorance comes behind what Kafka has.
    """
    lost.log.append(numbered(10, project=PROJECTS[0]))
    lost.published()
    backup = lost.saved()
    lost.log.append(numbered(10, start=10, project=PROJECTS[0]))
    lost.published()
    known = [event.id for event in _everything(lost.log)]
    lost.restored(backup)
    (told,) = mismatches(lost.postgres, lost.history)
    assert isinstance(told, Conflict)
    assert "disco rebuild-ledger" in told.message
    late = lost.open().append(numbered(3, start=100, project=PROJECTS[0]))
    assert late.positions == (11, 12, 13)
    ends, relay = lost.history.ends(), lost.relay()
    relay.start()
    time.sleep(1.5)
    relay.stop()
    assert lost.history.ends() == ends
    assert lost.rebuilt() == 20
    assert list(mismatches(lost.postgres, lost.history)) == []
    lost.published()
    events = _everything(lost.open())
    assert [event.id for event in events[:20]] == known
    assert [event.id for event in events[20:]] == [event.id for event in numbered(3, start=100, project=PROJECTS[0])]
    assert [event.sequence for event in events] == list(range(1, 24))


def test_a_kafka_that_lost_events_is_told(lost: Lost) -> None:
    """Given a ledger that says what Kafka had, when Kafka has it no more, then it is told as damage, by partition."""
    lost.log.append(numbered(10, project=PROJECTS[0]))
    lost.published()
    other = Lost(Path())
    try:
        found = list(mismatches(lost.postgres, other.history))
    finally:
        other.close()
    assert [type(each) for each in found] == [Corrupted]
    assert "ends at 0, and had 10" in found[0].message


def test_what_was_committed_but_is_not_known_as_done_is_made_up(lost: Lost) -> None:
    """Given a group that is past what PostgreSQL knows as done, then it is done without waiting for another event."""
    for number in range(30):
        lost.log.append(numbered(10, start=10 * number, project=PROJECTS[number % 4]))
    lost.published()
    done: dict[int, list[int]] = {}

    def apply(partition: int, previous: int, events: Sequence[Recorded]) -> int:
        done.setdefault(partition, []).extend(event.position for event in events)
        return events[-1].position

    follower = Follower("g", 7, lost.postgres, lost.history, position=lambda _: 0, apply=apply)
    follower.make_up(lost.history.ends(), threading.Event())
    follower.close()
    assert sorted(position for positions in done.values() for position in positions) == list(range(1, 301))
    assert all(positions == sorted(positions) for positions in done.values())
