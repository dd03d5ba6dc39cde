"""Progress among all processes of an installation: a topic that is read from its end, and kept for an hour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from domain.ports import Progress
from infra.server.brokers import reached
from infra.telling import Listeners, Teller

POLL_MS = 250
PAUSE_S = 1.0
SEND_MS = 2000
CLOSE_MS = 2 * SEND_MS

log = structlog.get_logger("progress")


class KafkaProgress:
    """`ProgressFeed` over a topic. Listeners of this process are called at once; what is lost on the way is lost."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._brokers = brokers
        self._topic = topic
        self._me = f"{id(self):x}-{time.time_ns():x}".encode()
        self._listeners = Listeners()
        self._teller = Teller(self._send)
        self._producer: KafkaProducer | None = None
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def tell(self, progress: Progress) -> None:
        """See `ProgressFeed.tell`."""
        self._listeners.heard(progress)
        self._teller.say(progress)

    def listen(self, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """See `ProgressFeed.listen`."""
        self._listeners.add(listener)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="progress-listener", daemon=True)
                self._thread.start()
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        """See `ProgressFeed.close`."""
        self._listeners.clear()
        self._teller.close()
        self._closed.set()
        if self._producer is not None:
            with suppress(KafkaError):  # what is not told by now is of no interest any more
                self._producer.close(timeout=CLOSE_MS / 1000)
        if self._thread is not None:
            self._thread.join(PAUSE_S)

    def _send(self, message: bytes) -> None:
        """Called in the teller's thread alone."""
        if self._producer is None:
            self._producer = KafkaProducer(
                **reached(self._brokers),
                acks=1,
                linger_ms=5,
                max_block_ms=SEND_MS,
                request_timeout_ms=SEND_MS,
                delivery_timeout_ms=SEND_MS + 100,  # given up soon, so that closing waits for none
            )
        self._producer.send(self._topic, message, key=self._me)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except KafkaError as error:  # until it is back; what was told meanwhile is of no interest any more
                log.warning("progress_unheard", error=str(error))
                self._closed.wait(PAUSE_S)

    def _listen(self) -> None:
        consumer = KafkaConsumer(**reached(self._brokers), enable_auto_commit=False, auto_offset_reset="latest")
        try:
            place = TopicPartition(self._topic, 0)
            consumer.assign([place])
            consumer.seek_to_end(place)
            while not self._closed.is_set():
                for records in consumer.poll(timeout_ms=POLL_MS).values():
                    for record in records:
                        if record.key != self._me and record.value is not None and not self._closed.is_set():
                            self._listeners.read(record.value)
        finally:
            consumer.close()
