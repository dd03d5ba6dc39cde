"""What no event asks for, over and over in a thread of its own; what fails is said, and holds up nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import structlog

from domain.errors import DiscoError
from infra.server.folding import Folding

KEEP_S = 2.0
RETRY_S = 10.0
AT_HAND_S = 20.0
"""How long a worker that leaves waits for what is at hand: whoever builds a view next goes on with it."""
log_ = structlog.get_logger("worker")


def attempted(what: str, do: Callable[[], object]) -> bool:
    """Do it, and tell whether it went well; whatever it raises is logged, and it is the caller's to try it again."""
    try:
        do()
    except DiscoError as error:
        log_.warning("not_kept", what=what, code=error.code, error=error.message)
    except Exception:  # a fault of ours in one thing must not end the thread that does the others
        log_.exception("not_kept", what=what)
    else:
        return True
    return False


class Keeper:
    """Keeps an installation's generations: builds what is outdated, drops what was replaced or is too old.

    make_up: done first, until it says that nothing is left. every_s: between two rounds. retry_s: how long a view that
    could not be built is left alone.
    """

    def __init__(
        self,
        folding: Folding,
        stop: threading.Event,
        *,
        expire: Callable[[], object],
        make_up: Callable[[], bool] = lambda: True,
        keeps_views: bool = True,
        every_s: float = KEEP_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._folding = folding
        self._expire = expire
        self._make_up = make_up
        self._keeps_views = keeps_views
        self._every_s = every_s
        self._retry_s = retry_s
        self._again_s: dict[str, float] = {}
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def join(self) -> None:
        """Return when what is at hand is done, or after a while; nothing more is begun once `stop` is set."""
        if self._thread.is_alive():
            self._thread.join(AT_HAND_S)
            if self._thread.is_alive():
                log_.error("not_stopped", what="keeper: a server keeps it waiting; it ends with the process")

    def _run(self) -> None:
        made_up = False
        while not self._stop.wait(self._every_s):
            made_up = made_up or self._made_up()
            if self._keeps_views:
                attempted("build views", self._build)
                attempted("sweep", self._folding.sweep)
                attempted("expire", self._expire)

    def _made_up(self) -> bool:
        left: list[bool] = []
        attempted("make up", lambda: left.append(not self._make_up()))
        return left == [False]

    def _build(self) -> None:
        """Build each view anew that another version of its projection made; one that cannot be waits its turn."""
        for name in self._folding.outdated():
            due = time.monotonic() >= self._again_s.get(name, 0.0) and not self._stop.is_set()
            if due and not attempted(f"build {name}", partial(self._folding.build, name)):
                self._again_s[name] = time.monotonic() + self._retry_s
