"""Waiting for a job, whichever process does its work."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from api.cli.progress import bar
from domain.errors import NotFound

if TYPE_CHECKING:
    from api.cli.shell import Shell
    from domain.ports import Progress
    from infra.base import BaseDisco

POLL_S = 0.05
VIEWS_S = 600.0


class Heard:
    """What was heard of a job: the share of the work at hand that is done, and how long the rest may take."""

    def __init__(self, job: str) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._at_hand: dict[tuple[str, str], float] = {}
        self._ends_s: float | None = None

    def __call__(self, progress: Progress) -> None:
        """Take it in, from any thread."""
        if progress.job != self._job:
            return
        with self._lock:
            if progress.done < progress.total:
                self._at_hand[progress.resource_id, progress.step] = progress.pieces * progress.done / progress.total
            else:
                self._at_hand.pop((progress.resource_id, progress.step), None)
            self._ends_s = None if progress.eta_s is None else time.monotonic() + progress.eta_s

    def done(self) -> float:
        """How many pieces of the work at hand are done."""
        with self._lock:
            return sum(self._at_hand.values())

    def eta_s(self) -> float | None:
        """What is left of the time that was told last; None where none was, or it has run out."""
        with self._lock:
            left_s = 0.0 if self._ends_s is None else self._ends_s - time.monotonic()
            return left_s if left_s > 0 else None


def wait_for(shell: Shell, service: BaseDisco, job: str, what: str) -> int:
    """Return when nothing more will come of a job and the views know all of it; returns how much of it failed."""
    heard = Heard(job)
    service.attend()
    stop = service.on_progress(heard)
    try:
        with bar(shell, what) as progress:
            while True:
                head = service.log.head()
                service.views.wait(head, VIEWS_S)
                left, done, failed = standing(service, job)
                progress(done + min(heard.done(), left), done + left, heard.eta_s())
                if left == 0 and service.log.head() == head:
                    return failed
                time.sleep(POLL_S)
    finally:
        stop()


def standing(service: BaseDisco, job: str) -> tuple[int, int, int]:
    """How many pieces of a job are still to come, how many are done, how many failed."""
    try:
        found = service.views.jobs.get(job)
    except NotFound:  # nothing was written: all was known already
        return 0, 0, 0
    return service.pending(job), sum(found["answered"].values()), found["failed"]
