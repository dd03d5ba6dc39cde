"""The embedded runner: one thread folds events into the views, one has them answered.

Only the process that holds the lease runs; another one takes over within a second when the holder ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import structlog

from domain.errors import DiscoError
from domain.ports import EventLog
from infra.embedded.checkpoints import Checkpoints
from infra.embedded.lease import Lease
from infra.embedded.views import SqliteViews
from infra.processing import Processing, asked
from infra.wiring import PROCESSORS

PAGE = 500
PAUSE_S = (0.2, 30.0)
LEASE_POLL_S = 0.25
WAIT_S = 1.0
BUSY_S = 0.02
CHECKPOINT_S = 0.5

log_ = structlog.get_logger("runner")


class Runner:
    """Processes and projects in the background."""

    def __init__(
        self, log: EventLog, views: SqliteViews, processing: Processing, checkpoints: Checkpoints, lease: Lease
    ) -> None:
        self._log = log
        self._views = views
        self._processing = processing
        self._checkpoints = checkpoints
        self._lease = lease
        self._lease_lock = threading.Lock()
        self._stop = threading.Event()
        self._open: set[int] = set()  # positions of events that are still to be answered
        self._open_lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._guarded(self._project), name="projections", daemon=True),
            threading.Thread(target=self._guarded(self._process), name="processors", daemon=True),
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def ask_to_stop(self) -> None:
        """Have it end after the page or the answers at hand; returns at once."""
        self._stop.set()

    def stop(self) -> None:
        """End after the page or the answers at hand; what is not done is done after the next start."""
        self.ask_to_stop()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join()
        self._lease.release()

    @property
    def leads(self) -> bool:
        """Whether this process holds the lease."""
        return self._lease.held

    def _guarded(self, run: Callable[[], None]) -> Callable[[], None]:
        """Run while the lease is held; an error is logged and the work goes on from what is recorded."""

        def guarded() -> None:
            pause = PAUSE_S[0]
            while not self._stop.is_set():
                if not self._lease_held():
                    self._stop.wait(LEASE_POLL_S)
                    continue
                try:
                    run()
                except Exception as error:  # what fails here is tried again from the last checkpoint
                    code = error.code if isinstance(error, DiscoError) else "internal"
                    log_.error("runner_failed", what=run.__name__.strip("_"), code=code, error=str(error))
                    self._stop.wait(pause)
                    pause = min(pause * 2, PAUSE_S[1])

        return guarded

    def _lease_held(self) -> bool:
        with self._lease_lock:
            return self._lease.acquire()

    # Projecting

    def _project(self) -> None:
        position = self._views.catch_up(stop=self._stop)
        while not self._stop.is_set():
            self._views.sweep()
            head = self._log.wait(position, WAIT_S)
            if head > position or self._views.unfinished():
                position = self._views.catch_up(stop=self._stop)

    # Processing

    def _process(self) -> None:
        self._processing.halt()
        self._open.clear()
        positions = self._checkpoints.read(tuple(PROCESSORS))
        read = min(positions.values())
        saved, saved_at = read, time.monotonic()
        while not self._stop.is_set():
            page = self._log.read(read, limit=PAGE)
            for event in page:
                wanted = [name for name in asked(event) if positions.get(name, 0) < event.position]
                self._note(event.position, self._processing.take(event, wanted, self._stop))
                read = event.position
                if self._stop.is_set():
                    break
            done = self._watermark(read)
            if done > saved and (not page or time.monotonic() - saved_at > CHECKPOINT_S):
                self._checkpoints.write(dict.fromkeys(PROCESSORS, done))
                saved, saved_at = done, time.monotonic()
            if not page:
                # while work is under way, look every few milliseconds whether it is done
                self._log.wait(read, BUSY_S if done > saved or self._open else WAIT_S)
        self._processing.halt()
        self._checkpoints.write(dict.fromkeys(PROCESSORS, self._watermark(read)))

    def _note(self, position: int, answered: Future[None] | None) -> None:
        """Remember that an event is open until it is answered; one that was broken off stays open."""
        if answered is None:
            return
        with self._open_lock:
            self._open.add(position)
        answered.add_done_callback(lambda future: None if future.cancelled() else self._close(position))

    def _close(self, position: int) -> None:
        with self._open_lock:
            self._open.discard(position)

    def _watermark(self, read: int) -> int:
        """The position up to which everything is answered."""
        with self._open_lock:
            return min(self._open, default=read + 1) - 1
