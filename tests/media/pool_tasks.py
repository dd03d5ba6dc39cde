"""What the pool's tests have its children do."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from domain.errors import Conflict, DiscoError, Malformed
from infra.pool import WorkerPool, report
from processors.media.decode import decode_audio
from processors.media.probe import probe


class Odd(Exception):
    """An exception that can be pickled and not read back."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)
        self.second = second


def double(value: int) -> int:
    """Twice the value."""
    return 2 * value


def pid() -> int:
    """The child's process id."""
    return os.getpid()


def total(values: np.ndarray) -> float:
    """The sum of an array."""
    return float(values.sum())


def fail(kind: str) -> None:
    """Raise."""
    if kind == "disco":
        raise Conflict("kick.wav: somebody was first", current=7)
    if kind == "unpicklable":
        raise Malformed("kick.wav: is broken", where=threading.Lock())
    if kind == "odd":
        raise Odd("this", "that")
    if kind == "exit":
        sys.exit(3)
    raise ZeroDivisionError(f"by {kind}")


def die(how: str) -> None:
    """End the process in the middle of the task."""
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "exit":
        os._exit(9)
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(seconds: float, mark: str = "") -> int:
    """Wait, with the process id written to the file `mark` first."""
    if mark:
        Path(mark).write_text(str(os.getpid()))
    time.sleep(seconds)
    return os.getpid()


def deaf(mark: str) -> None:
    """Hold the interpreter's lock for ever, so that no thread in here can watch the parent."""
    Path(mark).write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(1000)


def start_program(mark: str) -> None:
    """Start a program that outlives its patience."""
    process = subprocess.Popen(["sleep", "1000"])
    Path(mark).write_text(str(process.pid))
    process.wait()


def count(upto: int) -> int:
    """Report every number."""
    for number in range(upto):
        report(number)
    return upto


def take(mebibytes: int) -> int:
    """Hold memory, written to."""
    return int(np.ones(mebibytes << 17).size)


def limits() -> dict[str, object]:
    """What is set in a child."""
    return {
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "threads": os.environ.get("OPENBLAS_NUM_THREADS"),
        "read": sys.stdin.read(),
    }


def chatter() -> str:
    """Print to where the answers go."""
    print("x" * 100_000)
    os.write(1, b"\0" * 100)
    return "heard"


def loaded(module: str) -> bool:
    """Whether a module is imported already."""
    return module in sys.modules


def read_outcome(path: str) -> str:
    """Probe and decode a file; the code of the error, or "read"."""
    try:
        found = probe(Path(path))
        if found.variant == "audio":
            assert np.isfinite(decode_audio(Path(path)).whole()).all()
    except DiscoError as error:
        return error.code if error.message.startswith(f"{Path(path).name}: ") else f"unnamed: {error.message}"
    return "read"


def host(marks: list[str], *, deafly: bool) -> None:
    """Be a parent whose children are busy, until killed."""
    pool = WorkerPool(len(marks) + 1)
    for mark in marks:
        if deafly:
            pool.submit(deaf, mark, timeout_s=1000)
        else:
            pool.submit(sleep, 1000.0, mark, timeout_s=1000)
    idle = pool.submit(pid).result()
    Path(marks[0] + ".idle").write_text(str(idle))
    time.sleep(1000)
