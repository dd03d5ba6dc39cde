"""Kafka away, killed and back, members that come and go, strangers' records, a clock that jumps: nothing is lost."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest
from kafka import KafkaConsumer, KafkaProducer

from infra.clock import SystemClock
from infra.local_servers import LocalServers
from infra.server.disco import ServerDisco
from infra.server.topics import dead_letters_topic, events_topic
from infra.server.worker import Worker
from infra.settings import Settings
from tests.crash import cheap
from tests.faults.conftest import Behind

HOUR_US = 3_600_000_000


def test_while_kafka_is_down_writes_and_reads_go_on_and_all_is_published_afterwards(
    running: Behind, broker: LocalServers
) -> None:
    """Given Kafka stopped, then writes are acknowledged and answered for; started again, all comes, in order."""
    service = running.given.service
    broker.stop("kafka")
    before = service.views.position()
    running.write(5)
    assert service.log.head() == before + 15
    assert len(service.log.read(before)) == 15, "what waits can be read"
    assert service.views.documents.get(next(iter(running.names)))["name"] == "P 0", "views answer as before"
    broker.start("kafka")
    running.bring()
    running.whole()


def test_a_broker_killed_in_mid_publish_loses_and_doubles_nothing(running: Behind, broker: LocalServers) -> None:
    """Given writes without a pause, when the broker is killed -9 twice and comes back, then all is whole."""
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            running.write()

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(2):
        time.sleep(0.7)
        broker.kill("kafka")
        time.sleep(0.3)
        broker.start("kafka")
    time.sleep(0.5)
    stop.set()
    writer.join()
    running.whole()


def test_members_that_come_and_go_all_the_time_disturb_nothing(running: Behind) -> None:
    """Given workers that join and leave while events come, then each event is answered and folded once."""
    service = running.given.service
    assert isinstance(service, ServerDisco)
    for _ in range(3):
        with ExitStack() as working:
            for _ in range(2):
                other = Worker(service.installation, cheap.ThreadPool(2))  # type: ignore[arg-type]  # as the pool
                other.start()
                working.callback(other.stop)
                running.write(2)
                running.bring()
    running.whole()


def test_records_of_strangers_are_dead_lettered_with_their_cause_and_the_rest_goes_on(
    running: Behind, over: Settings
) -> None:
    """Given records on the topic that are no events of ours, then they are set aside, and what follows is done."""
    assert over.kafka is not None
    producer = KafkaProducer(bootstrap_servers=over.kafka)
    for partition in range(over.partitions):
        producer.send(events_topic(over), b"not JSON", partition=partition).get(10)
    producer.close()
    running.write(2)
    running.bring()
    running.whole()
    consumer = KafkaConsumer(dead_letters_topic(over), bootstrap_servers=over.kafka, auto_offset_reset="earliest")
    letters = []
    end = time.monotonic() + 20
    while len({dict(letter.headers)["disco_from"] for letter in letters}) < over.partitions:
        assert time.monotonic() < end, letters
        letters += [record for page in consumer.poll(500).values() for record in page]
    consumer.close()
    assert all(letter.value == b"not JSON" for letter in letters)
    assert all(b"not one of our events" in dict(letter.headers)["disco_cause"] for letter in letters)


def test_a_clock_that_jumps_by_an_hour_changes_no_order(running: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a clock an hour ahead, then an hour behind, then events keep their order, and all is whole."""
    real = SystemClock().now_us
    for jump in (HOUR_US, -HOUR_US):
        monkeypatch.setattr(SystemClock, "now_us", lambda self, jump=jump: real() + jump)
        running.write(2)
        running.bring()
    positions = [event.position for event in running.given.events()]
    assert positions == list(range(1, len(positions) + 1))
    running.whole()
