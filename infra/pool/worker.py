"""What runs in a child: take a task, run it, answer; end when the parent does."""

from __future__ import annotations

import importlib
import os
import pickle
import select
import signal
import sys
import threading
from typing import BinaryIO

from infra.pool import wire

_SINGLE_THREADED = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_PR_SET_PDEATHSIG = 1
_answers: BinaryIO | None = None
_writing = threading.Lock()


def report(value: object) -> None:
    """Send progress to the `on_progress` of the task that runs here; outside a child nobody listens."""
    if _answers is not None:
        message = wire.dump(wire.Progressed(value))
        with _writing:
            wire.write(_answers, message)


def main(parent: int, memory_bytes: int) -> None:
    """Serve tasks from standard input until it ends."""
    global _answers
    tasks, _answers = _private_pipes()
    _die_with(parent, tasks)
    _limit(memory_bytes)
    for name in _SINGLE_THREADED:  # before numpy is imported: as many children as cores is enough threads
        os.environ[name] = "1"
    try:
        _import(wire.read(tasks).modules)
        wire.write(_answers, wire.dump(wire.Ready()))
        while True:
            answer = _run(wire.read_bytes(tasks))
            with _writing:
                wire.write(_answers, answer)
    except (EOFError, BrokenPipeError):
        return


def _run(task: bytes) -> bytes:
    """Run one pickled task; returns its pickled answer."""
    try:
        function, args = pickle.loads(task)  # noqa: S301  # from our own parent, see infra.pool.wire
        return wire.dump(wire.Done(function(*args)))
    except BaseException as error:  # a task that exits or interrupts fails like any other
        return wire.failed(error)


def _import(modules: tuple[str, ...]) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:  # the task that needs it will fail with this error and its own name
            print(f"cannot import {module}: {error}", file=sys.stderr)


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes for us: whatever a task prints goes to standard error, and it reads nothing."""
    tasks = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return tasks, answers


def _die_with(parent: int, tasks: BinaryIO) -> None:
    """End this process when the parent ends, however it does, also in the middle of a task."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if sys.platform != "win32":
        threading.Thread(target=_watch, args=(tasks.fileno(),), daemon=True).start()
        if os.getppid() != parent:
            os._exit(1)


def _watch(tasks: int) -> None:
    poll = select.poll()
    poll.register(tasks, 0)  # nothing but the end of the other side wakes it
    while not any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll()):
        pass
    os._exit(1)


def _limit(memory_bytes: int) -> None:
    """Bound this process's own data, not the files it maps, and leave no core dumps of people's music."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    hard = resource.getrlimit(kind)[1]
    limit = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    try:
        resource.setrlimit(kind, (limit, limit))
    except (ValueError, OSError) as error:  # macOS takes no such limit; the time limit still holds there
        print(f"no memory limit: {error}", file=sys.stderr)
