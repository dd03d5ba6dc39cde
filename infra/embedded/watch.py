"""Hearing of appends: at once from this process, within milliseconds from others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from infra.embedded.database import Database

POLL_S = 0.015

log = structlog.get_logger("watch")


class Watch:
    """Knows the head of the log. One thread looks whether another process has committed, only while somebody waits."""

    def __init__(self, database: Database, head: Callable[[], int]) -> None:
        self._database = database
        self._read_head = head
        self._head = head()
        self._changed = threading.Condition()
        self._nudged = threading.Event()
        self._listeners: list[Callable[[int], None]] = []
        self._waiting = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def nudge(self) -> None:
        """This process has appended."""
        if self._thread is not None:
            self._nudged.set()

    def wait(self, after: int, timeout_s: float) -> int:
        """Block until the head is past `after` or the time is up; return the head."""
        head = self._read_head()
        if head > after or timeout_s <= 0:
            return head
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._waiting += 1
            self._start()
            self._nudged.set()
            try:
                while self._head <= after and not self._closed:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        break
                    self._changed.wait(left)
            finally:
                self._waiting -= 1
            return self._head

    def listen(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Call `listener(head)` after appends, until the returned function is called."""
        with self._changed:
            self._listeners.append(listener)
            self._start()
        self._nudged.set()

        def stop() -> None:
            with self._changed:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def close(self) -> None:
        """End the thread; whoever waits is let go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._nudged.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="log-watch", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        connection = self._database.watcher()
        version = -1
        while not self._closed:
            nudged = self._nudged.wait(POLL_S if self._listeners or self._waiting else None)
            self._nudged.clear()
            try:
                current = self._database.data_version(connection)
                if not nudged and current == version:
                    continue
                version = current
                self._tell(int(connection.execute("SELECT coalesce(max(position), 0) FROM events").get))
            except Exception as error:  # the next look may go well
                log.error("watch_failed", error=repr(error))
                version = -1

    def _tell(self, head: int) -> None:
        with self._changed:
            if head <= self._head:
                return
            self._head = head
            self._changed.notify_all()
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(head)
            except Exception as error:  # the other listeners must hear all the same
                log.error("listener_failed", head=head, error=repr(error))
