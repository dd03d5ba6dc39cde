"""Checkpoints of the write-ahead log in a thread of their own, so that no writer waits while pages go into the file."""

from __future__ import annotations

import threading
from collections.abc import Callable

import apsw
import structlog

BEGIN_PAGES = 24_000
MOST_PAGES = 100_000
"""From here on the writer itself checkpoints: the thread cannot keep up, and the log must not grow without bound."""

log_ = structlog.get_logger("checkpoints")


class Checkpointer:
    """Copies pages into the file when a commit has left enough of them; the thread begins with the first need."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._wanted = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def watch(self, writer: apsw.Connection) -> None:
        """Take over from the writer's own automatic checkpoints."""
        writer.set_wal_hook(self._committed)

    def _committed(self, writer: apsw.Connection, name: str, pages: int) -> int:
        if pages >= MOST_PAGES:
            writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        elif pages >= BEGIN_PAGES and not self._closed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
                self._thread.start()
            self._wanted.set()
        return apsw.SQLITE_OK

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        connection = self._connect()
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closed:
                return
            try:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error as error:  # nothing is lost: what was not copied is copied by the next
                log_.warning("checkpoint_failed", error=str(error))
