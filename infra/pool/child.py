"""One child process as its parent sees it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from domain.errors import DiscoError, LimitExceeded, WorkerDied
from infra.pool import wire

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 5.0
_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from infra.pool.worker import main; main({}, {})"


class Child:
    """A process that runs one task at a time, once it was begun. Used by one thread; `kill` may be called by any."""

    def __init__(self, *, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._said: BinaryIO = tempfile.TemporaryFile("a+b")  # noqa: SIM115  # closed with the child
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter, our own code, no shell
            [sys.executable, "-P", "-c", _CODE.format(os.getpid(), memory_bytes), json.dumps(_import_path())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,  # kept for who asks how a child died
            start_new_session=True,  # no Ctrl+C of the parent's terminal, and one group to kill
        )
        self.usable = True

    def begin(self, modules: tuple[str, ...]) -> None:
        """Have it import these modules, and return when it is ready for tasks. Raises: WorkerDied, LimitExceeded."""
        self._exchange(wire.dump(wire.Start(modules)), START_TIMEOUT_S, None)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ended(self) -> bool:
        """Whether it is gone, as when somebody killed it between two tasks."""
        with self._lock:
            return not self.usable or self._process.poll() is not None

    def run(self, task: bytes, timeout_s: float, on_progress: Callable[[object], None] | None) -> Any:
        """Run a pickled task and return what it returns; afterwards `usable` says whether another may follow.

        Raises: LimitExceeded, past its time or memory; WorkerDied; what the task raises; what `on_progress` raises.
        """
        answer = self._exchange(task, timeout_s, on_progress)
        if self.usable:
            os.truncate(self._said.fileno(), 0)
        if isinstance(answer, wire.Done):
            return answer.value
        if answer.out_of_memory:
            self.close(kill=True)  # what it holds on to is anybody's guess
            raise LimitExceeded(
                f"the task needed more than {self._memory_bytes >> 20} MiB of memory; give it less or raise the limit",
                limit=self._memory_bytes,
            ) from wire.RemoteTraceback(answer.trace)
        raise answer.error from wire.RemoteTraceback(answer.trace)

    def kill(self) -> None:
        """End it now, and whatever programs it started."""
        with self._lock:
            if self._process.returncode is None:
                self._kill()

    def close(self, *, kill: bool = False) -> None:
        """Let it end, or end it, and wait until it has."""
        self.usable = False
        with contextlib.suppress(OSError):  # it may be gone already, with a message half sent
            self._stdin.close()
        if kill or self._wait(STOP_TIMEOUT_S) is None:
            self.kill()
            self._wait()
        self._stdout.close()
        self._said.close()

    def _exchange(self, message: bytes, timeout_s: float, on_progress: Callable[[object], None] | None) -> Any:
        """Send a message and return the answer to it."""
        late = threading.Event()
        finished = threading.Event()

        def stop() -> None:
            with self._lock:
                if not finished.is_set() and self._process.returncode is None:
                    late.set()
                    self._kill()

        timer = threading.Timer(timeout_s, stop)
        timer.daemon = True
        timer.start()
        try:
            wire.write(self._stdin, message)
            answer, trouble = self._answer(on_progress)
        except (EOFError, OSError):
            raise self._death(timeout_s if late.is_set() else None) from None
        except BaseException:  # an answer that cannot be read here: what comes next would be taken for another's
            self.close(kill=True)
            raise
        finally:
            timer.cancel()
            with self._lock:
                finished.set()
        if late.is_set():  # its answer came, and so did the signal
            self.close(kill=True)
        if trouble is not None:
            raise trouble
        return answer

    def _answer(self, on_progress: Callable[[object], None] | None) -> tuple[Any, Exception | None]:
        """The answer, and what `on_progress` raised on the way; the task is heard out so that the child can go on."""
        trouble: Exception | None = None
        while isinstance(message := wire.read(self._stdout), wire.Progressed):
            if on_progress is not None and trouble is None:
                try:
                    on_progress(message.value)
                except Exception as error:
                    trouble = error
        return message, trouble

    def _death(self, timeout_s: float | None) -> DiscoError:
        """What to tell of a child that is gone."""
        self.usable = False
        self.kill()
        status = self._wait()
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - 2000))
        said = self._said.read().decode("utf-8", "replace").strip()
        self.close(kill=True)
        if timeout_s is not None:
            return LimitExceeded(
                f"the task took longer than {timeout_s:g} s and was ended; give it less or raise the limit",
                limit=timeout_s,
            )
        how = f"by signal {_signal(-status)}" if status is not None and status < 0 else f"with status {status}"
        return WorkerDied(f"the worker process ended {how} in the middle of its task", status=status, stderr=said)

    def _wait(self, timeout_s: float = math.inf) -> int | None:
        """Collect its status; under the lock, so that nobody signals a process id that is no longer its own."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            with self._lock, contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(0.05)
        return None

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it ended by itself
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def _stdin(self) -> BinaryIO:
        assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
        return self._process.stdin  # type: ignore[return-value]  # IO[bytes] in the stubs

    @property
    def _stdout(self) -> BinaryIO:
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        return self._process.stdout  # type: ignore[return-value]  # IO[bytes] in the stubs


def _import_path() -> list[str]:
    """Where this process imports from, as a child in any folder can use it."""
    return [os.path.abspath(entry) for entry in sys.path]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
