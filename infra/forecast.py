"""How long jobs will still take: from the pieces that each is known to have, and the pace at which they get done."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.errors import DiscoError
from domain.pace import Pace

MOST_JOBS = 64
LOOK_S = 0.2


@dataclass(slots=True)
class _Job:
    """finished: pieces of work that has ended here; under_way: of each work at hand, how many pieces are done.

    pending: how many were to come when `looked_s` was and `finished` stood at `then`.
    """

    pace: Pace = field(default_factory=Pace)
    finished: int = 0
    under_way: dict[object, float] = field(default_factory=dict)
    pending: int | None = None
    then: int = 0
    looked_s: float = float("-inf")


class Forecast:
    """Estimates per job, in the process that does the work; the jobs that were heard of last are remembered.

    pending: how many of a job's pieces are still to come, as far as they are known; asked a few times a second at most.
    """

    def __init__(self, pending: Callable[[str], int], clock_s: Callable[[], float]) -> None:
        self._pending = pending
        self._clock_s = clock_s
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._lock = threading.Lock()

    def eta_s(self, job: str, work: object, done: float) -> float | None:
        """Seconds that are left of a job, now that `done` pieces of a work at hand are done; None where nobody knows.

        What follows from pieces that are still to come is not known, and not in it.
        """
        with self._lock:
            known = self._known(job)
            known.under_way[work] = done
            now_s = self._clock_s()
            at_hand = sum(known.under_way.values())
            known.pace.seen(known.finished + at_hand, now_s)
            if now_s - known.looked_s >= LOOK_S:
                known.pending, known.looked_s, known.then = self._asked(job), now_s, known.finished
            if known.pending is None:
                return None
            return known.pace.left_s(known.pending - (known.finished - known.then) - at_hand)

    def ended(self, job: str, work: object, answered: int) -> None:
        """A work is at hand no more; so many of its pieces were answered, the rest is still to come."""
        with self._lock:
            known = self._known(job)
            known.under_way.pop(work, None)
            known.finished += answered

    def _known(self, job: str) -> _Job:
        known = self._jobs.setdefault(job, _Job())
        self._jobs.move_to_end(job)
        if len(self._jobs) > MOST_JOBS:
            self._jobs.popitem(last=False)
        return known

    def _asked(self, job: str) -> int | None:
        try:
            return self._pending(job)
        except DiscoError:  # the views have not heard of it yet, or cannot answer now
            return None
