"""`disco worker`, quickly begun: `python -m tests.crash.forked_workers` forks one for each line read, and says its pid.

Forking from a process that has imported everything, and started nothing, spares each of them seconds. What is real is
all but two things: tasks run in a thread, as a pool would import everything again, and sessions with Kafka are as short
as it allows, so that the killed are missed soon.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from api.cli.main import main as disco
from infra.server import disco as service
from infra.server import hosting
from infra.server.membership import Timing
from infra.wiring import WARM
from tests.crash import cheap

PDEATHSIG = 1
TIMING: Callable[[], Timing] = partial(Timing, session_s=6.0, heartbeat_s=1.0, grace_s=1.0, commit_s=0.5)
MODULES: Sequence[str] = (*WARM, "api.cli.logs", "infra.opening", "infra.server.faust_host", "infra.server.plain_host")


def _prepare() -> None:
    for module in MODULES:
        importlib.import_module(module)
    service.WorkerPool = cheap.ThreadPool  # type: ignore[assignment,misc]  # in the place of the pool
    hosting.Timing = TIMING  # type: ignore[assignment,misc]  # which is asked for the usual one
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the killed


def _work(arguments: Sequence[str], log: Path) -> None:
    """Be a worker, until killed, told to stop, or left alone."""
    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.argv = ["disco", "worker", "--json", *arguments]
    disco()


def main() -> None:
    """Fork workers until standard input ends; argument: the folder of what they say."""
    folder = Path(sys.argv[1])
    _prepare()
    print("ready", flush=True)
    for number, line in enumerate(sys.stdin):
        with warnings.catch_warnings(action="ignore"):
            pid = os.fork()
        if pid == 0:
            try:
                _work(line.split(), folder / f"worker-{number}.log")
            finally:
                os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
