"""Following a partition: whatever a host hands over, each event is taken once, in order, and none is leapt over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from random import Random

import pytest
from kafka import KafkaProducer

from domain import ids
from domain.errors import Unavailable
from events.envelope import Recorded
from infra.server import ledger
from infra.server.following import Follower
from infra.server.records import Record
from infra.server.relay import partition_of
from infra.server.replay import History
from infra.server.topics import events_topic
from tests.builders import numbered
from tests.contracts.server_log import PARTITIONS, ServerLogAdapter

PROJECT = ids.project_id("followed")
PARTITION = partition_of(PROJECT, PARTITIONS)
COUNT = 300


class Notes:
    """What a follower has done of a partition, and how far; `checkpoint` outlives it."""

    def __init__(self) -> None:
        self.checkpoint = 0
        self.taken: list[int] = []
        self.refusals = 0

    def position(self, partition: int) -> int:
        """See `Position`."""
        return self.checkpoint

    def apply(self, partition: int, previous: int, events: Sequence[Recorded]) -> int:
        """See `Apply`."""
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("not now")
        if self.checkpoint < previous:
            return self.checkpoint
        due = [event.position for event in events if event.position > self.checkpoint]
        self.taken += due
        self.checkpoint = due[-1] if due else self.checkpoint
        return self.checkpoint


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerLogAdapter]:
    """An installation with one project's events in Kafka, and some of another's."""
    made = ServerLogAdapter(tmp_path_factory.mktemp("followed"))
    log = made.open()
    for number in range(0, COUNT, 10):
        log.append(numbered(10, start=number, project=PROJECT))
        log.append(numbered(3, start=number, project=ids.project_id(f"other {number % 40}")))
    end = time.monotonic() + 30
    while True:
        with made.postgres.read() as connection:
            if ledger.published(connection) == ledger.head(connection):
                break
        assert time.monotonic() < end
        time.sleep(0.05)
    yield made
    made.close()


@pytest.fixture(scope="module")
def history(adapter: ServerLogAdapter) -> History:
    """What Kafka has of it."""
    assert adapter.settings.kafka is not None
    return History(adapter.settings.kafka, events_topic(adapter.settings))


@pytest.fixture(scope="module")
def records(history: History) -> list[Record]:
    """The records of the project's partition."""
    return [record for _, page in history.pages({PARTITION: 0}) for record in page]


@pytest.fixture(scope="module")
def wanted(records: list[Record]) -> list[int]:
    """Their positions, each once."""
    return sorted({int(dict(record.headers)["ce_position"]) for record in records})


def _follower(
    adapter: ServerLogAdapter, history: History, notes: Notes, strangers: list[str] | None = None
) -> Follower:
    def keep(found: Sequence[tuple[Record, str]]) -> None:
        assert strangers is not None
        strangers.extend(why for _, why in found)

    return Follower(
        "followers", 50, adapter.postgres, history, position=notes.position, apply=notes.apply, dead_letters=keep
    )


def _take(follower: Follower, records: Sequence[Record]) -> None:
    asyncio.run(follower.take(PARTITION, records))


def test_pages_in_order_are_taken_as_they_come(
    adapter: ServerLogAdapter, history: History, records: list[Record], wanted: list[int]
) -> None:
    """Given every page once, in order, then every event is taken once, in order."""
    notes = Notes()
    follower = _follower(adapter, history, notes)
    for at in range(0, len(records), 37):
        _take(follower, records[at : at + 37])
    assert notes.taken == wanted


def test_what_a_host_leaps_over_is_read_and_what_it_repeats_is_left(
    adapter: ServerLogAdapter, history: History, records: list[Record], wanted: list[int]
) -> None:
    """Given pages from anywhere, again and backwards, and followers that come anew, then each event is taken once."""
    notes, random = Notes(), Random(5)
    follower = _follower(adapter, history, notes)
    for _ in range(12):
        at = random.randrange(len(records))
        _take(follower, records[at : at + random.randint(1, 60)])
        if random.random() < 0.3:
            follower = _follower(adapter, history, notes)
    _take(follower, records[-1:])
    assert notes.taken == wanted


def test_a_follower_that_begins_late_begins_at_the_beginning(
    adapter: ServerLogAdapter, history: History, records: list[Record], wanted: list[int]
) -> None:
    """Given nothing done yet and the last record alone, then all that lies before it is done first."""
    notes = Notes()
    _take(_follower(adapter, history, notes), records[-1:])
    assert notes.taken == wanted


def test_where_the_checkpoint_went_back_what_is_missing_is_done_again(
    adapter: ServerLogAdapter, history: History, records: list[Record], wanted: list[int]
) -> None:
    """Given a store restored from a backup behind a follower's back, then it goes on from the store's checkpoint."""
    notes = Notes()
    follower = _follower(adapter, history, notes)
    _take(follower, records[:200])
    notes.checkpoint, notes.taken = wanted[50], notes.taken[:51]
    _take(follower, records[200:])
    assert notes.taken == wanted


def test_what_fails_is_taken_again(
    adapter: ServerLogAdapter, history: History, records: list[Record], wanted: list[int]
) -> None:
    """Given a store that is away, then the page is refused, and taken when it is handed over again."""
    notes = Notes()
    follower = _follower(adapter, history, notes)
    for at in range(0, len(records), 50):
        notes.refusals = 2
        for _ in range(2):
            with pytest.raises(Unavailable):
                _take(follower, records[at : at + 50])
        _take(follower, records[at : at + 50])
    assert notes.taken == wanted


def test_records_of_strangers_are_set_aside_and_the_rest_goes_on(
    adapter: ServerLogAdapter, history: History, wanted: list[int]
) -> None:
    """Given records that are no events of ours among those that are, then they go to the dead letters, with why."""
    assert adapter.settings.kafka is not None
    log, notes, strangers = adapter.open(), Notes(), list[str]()
    producer = KafkaProducer(bootstrap_servers=adapter.settings.kafka)
    producer.send(events_topic(adapter.settings), b"\xff\xfe", partition=PARTITION).get(10)
    producer.send(events_topic(adapter.settings), b"{}", partition=PARTITION, headers=[("ce_id", b"x")]).get(10)
    producer.close()
    log.append(numbered(5, start=COUNT, project=PROJECT))
    end = time.monotonic() + 20
    found: list[Record] = []
    while time.monotonic() < end and log.head() not in notes.taken:
        found = [record for _, page in history.pages({PARTITION: 0}) for record in page]
        _take(_follower(adapter, history, notes, strangers), found)
    assert notes.taken[: len(wanted)] == wanted
    assert len(notes.taken) == len(wanted) + 5
    assert len(set(strangers)) == 2
    assert all(f"[{PARTITION}]@" in why for why in strangers), "each names its place"
