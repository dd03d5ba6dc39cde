"""Hearing of appends, from whatever process: PostgreSQL notifies at each commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import structlog

from domain.errors import Unavailable
from infra.server import ledger
from infra.server.postgres import Pg, Postgres

PAUSE_S = 0.5
BREATH_S = 0.25

log = structlog.get_logger("heads")


class Heads:
    """Knows the head of the log. One thread listens, from when the first asks; it connects again by itself."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self.channel = f"{postgres.schema}_head"
        self._head = 0
        self._changed = threading.Condition()
        self._listeners: list[Callable[[int], None]] = []
        self._closed = False
        self._thread: threading.Thread | None = None

    def wait(self, after: int, timeout_s: float) -> int:
        """Block until the head is past `after` or the time is up; return the head."""
        if self._head <= after:
            self._tell(self._read())
        if self._head > after or timeout_s <= 0:
            return self._head
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._start()
            while self._head <= after and not self._closed:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
        return self._head

    def listen(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Call `listener(head)` after appends, until the returned function is called."""
        with self._changed:
            self._listeners = [*self._listeners, listener]
            self._start()

        def stop() -> None:
            with self._changed:
                self._listeners = [other for other in self._listeners if other is not listener]

        return stop

    def close(self) -> None:
        """End the thread; whoever waits is let go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="heads", daemon=True)
            self._thread.start()

    def _read(self) -> int:
        with self._postgres.read() as connection:
            return ledger.head(connection)

    def _run(self) -> None:
        while not self._closed:
            try:
                with self._postgres.session() as connection:
                    self._hear(connection)
            except (psycopg.Error, Unavailable) as error:  # until the server is back
                log.warning("not_listening", error=str(error))
                time.sleep(PAUSE_S)

    def _hear(self, connection: Pg) -> None:
        connection.execute(f"LISTEN {self.channel}")
        self._tell(ledger.head(connection))  # what was appended before we listened
        while not self._closed:
            for notice in connection.notifies(timeout=BREATH_S):
                self._tell(int(notice.payload))
                if self._closed:
                    return

    def _tell(self, head: int) -> None:
        with self._changed:
            if head <= self._head:
                return
            self._head = head
            self._changed.notify_all()
            listeners = self._listeners
        for listener in listeners:
            try:
                listener(head)
            except Exception as error:  # the other listeners must hear all the same
                log.error("listener_failed", head=head, error=repr(error))
