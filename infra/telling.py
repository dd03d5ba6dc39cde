"""What every feed of progress does: call listeners, and pass on the newest of each step in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict

import orjson
import structlog

from domain.ports import Progress

MOST_WAITING = 256
CLOSE_S = 2.0

Listener = Callable[[Progress], None]
Step = tuple[str, str, str]

log = structlog.get_logger("progress")


class Listeners:
    """Those of this process who listen."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: Listener) -> None:
        """Call this one from now on."""
        with self._lock:
            self._listeners = [*self._listeners, listener]

    def remove(self, listener: Listener) -> None:
        """Call it no more."""
        with self._lock:
            self._listeners = [other for other in self._listeners if other is not listener]

    def clear(self) -> None:
        """Call nobody any more."""
        with self._lock:
            self._listeners = []

    def heard(self, progress: Progress) -> None:
        """Call them all."""
        for listener in self._listeners:
            try:
                listener(progress)
            except Exception as error:  # who listens must not stop the work that is told of
                log.error("progress_listener_failed", error=repr(error))

    def read(self, message: bytes) -> None:
        """Call them all with what a message of another process says."""
        try:
            progress = Progress(**orjson.loads(message))
        except (ValueError, TypeError) as error:  # another release's, which has more to tell
            log.warning("progress_not_understood", error=str(error))
        else:
            self.heard(progress)


class Teller:
    """Passes the newest of each step on, in a thread that begins with the first word. tell: sends one message."""

    def __init__(self, tell: Callable[[bytes], None]) -> None:
        self._tell = tell
        self._changed = threading.Condition()
        self._waiting: OrderedDict[Step, Progress] = OrderedDict()
        self._closed = False
        self._ends_s = float("inf")
        self._thread: threading.Thread | None = None

    def say(self, progress: Progress) -> None:
        """Have it said soon."""
        with self._changed:
            if self._closed:
                return
            step = (progress.job, progress.resource_id, progress.step)
            self._waiting[step] = progress
            self._waiting.move_to_end(step)
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="progress-teller", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Say what is left, within a bounded time."""
        with self._changed:
            self._closed = True
            self._ends_s = time.monotonic() + CLOSE_S
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while (progress := self._next()) is not None:
            try:
                self._tell(orjson.dumps(asdict(progress)))
            except Exception as error:  # nobody can be told now; the work goes on
                log.warning("progress_not_told", error=str(error))

    def _next(self) -> Progress | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            late = time.monotonic() > self._ends_s
            return self._waiting.popitem(last=False)[1] if self._waiting and not late else None
