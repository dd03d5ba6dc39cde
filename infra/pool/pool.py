"""The pool: as many threads as children, each of which starts its child, feeds it and replaces it."""

from __future__ import annotations

import contextlib
import pickle
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from domain.errors import LimitExceeded, WorkerDied
from infra.pool.child import Child
from infra.pool.wire import dump

T = TypeVar("T")
DEFAULT_MEMORY_BYTES = 4 << 30
DEFAULT_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class _Task:
    data: bytes
    timeout_s: float
    on_progress: Callable[[object], None] | None
    future: Future[Any]  # Any: whatever the task's function returns


class WorkerPool:
    """Runs functions in long-lived child processes; none is started before the first task.

    size: how many children; memory_bytes: what each may hold. A child that dies fails only its own task and is
    replaced before the next. All methods may be called from any thread.
    """

    def __init__(self, size: int, *, memory_bytes: int = DEFAULT_MEMORY_BYTES) -> None:
        if size < 1:
            raise ValueError(f"a pool of {size} workers can do nothing; give it at least one")
        self._size = size
        self._memory_bytes = memory_bytes
        self._modules: tuple[str, ...] = ()
        self._tasks: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._children: dict[threading.Thread, Child] = {}
        self._warming: set[Child] = set()
        self._idle = 0
        self._closed = False
        self._killed = False

    def submit(
        self,
        function: Callable[..., T],
        *args: object,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        on_progress: Callable[[object], None] | None = None,
    ) -> Future[T]:
        """Run `function(*args)` in a child; the function is a module's own, and may call `infra.pool.report`.

        timeout_s counts from when the task begins. on_progress is called in a thread of the pool.
        The future can be cancelled while the task waits. It raises what the function raises, with the child's
        traceback as its cause; LimitExceeded, past the time or memory; WorkerDied, if the child ended.
        Raises: RuntimeError, on a closed pool; PicklingError and the like, where the task cannot be sent.
        """
        if getattr(function, "__module__", None) == "__main__":
            raise pickle.PicklingError(f"{function!r} is in __main__, where a child cannot import it from; move it")
        task = _Task(dump((function, args)), timeout_s, on_progress, Future())
        with self._changed:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._tasks.append(task)
            if len(self._tasks) > self._idle and len(self._threads) < self._size:
                self._grow()
            self._changed.notify()
        return task.future

    def warm(self, *modules: str, count: int | None = None) -> None:
        """Have children import these modules when they start, and start `count` of them now, in the background.

        count: all by default. Closing the pool does not wait for a child that is only warming up.
        """
        with self._changed:
            self._modules = tuple(dict.fromkeys((*self._modules, *modules)))
            most = self._size if count is None else min(count, self._size)
            while len(self._threads) < most and not self._closed:
                self._grow()

    def busy(self) -> int:
        """How many children have a task at hand, or are starting."""
        with self._changed:
            return min(len(self._threads) - self._idle + len(self._tasks), self._size)

    def pids(self) -> list[int]:
        """The process ids of the children there are."""
        with self._changed:
            return [child.pid for child in self._children.values()]

    def close(self, *, kill: bool = False) -> None:
        """Cancel what waits, let what runs end (or kill it: it fails with WorkerDied), and end the children."""
        with self._changed:
            self._closed = True
            self._killed = self._killed or kill
            waiting = list(self._tasks)
            self._tasks.clear()
            children = list(self._children.values())
            warming = set(self._warming)
            threads = list(self._threads)
            self._changed.notify_all()
        for task in waiting:
            task.future.cancel()
        for child in children:
            if kill or child in warming:
                child.kill()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(kill=kind is not None)

    def _grow(self) -> None:
        # A thread stays as long as the pool: where a parent's thread ends, Linux takes it for the parent's death.
        thread = threading.Thread(target=self._serve, name=f"pool-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        """Take tasks one by one, until the pool is closed."""
        child = None
        try:
            if self._modules:
                with contextlib.suppress(WorkerDied, LimitExceeded):  # the first task tries again, and tells
                    child = self._started(None, warming=True)
            while (task := self._next()) is not None:
                if not task.future.set_running_or_notify_cancel():
                    continue
                try:
                    child = self._started(child)
                    result = child.run(task.data, task.timeout_s, task.on_progress)
                except BaseException as error:  # it is the task's outcome, and travels to who waits for it
                    task.future.set_exception(error)
                else:
                    task.future.set_result(result)
        finally:
            self._forget()
            if child is not None:
                child.close()

    def _next(self) -> _Task | None:
        with self._changed:
            self._idle += 1
            try:
                while not self._tasks and not self._closed:
                    self._changed.wait()
                return self._tasks.popleft() if self._tasks else None
            finally:
                self._idle -= 1

    def _started(self, child: Child | None, *, warming: bool = False) -> Child:
        """The child, or a new one where it is gone; one that is warming up has no task yet."""
        if child is not None and not child.ended():
            return child
        if child is not None:
            child.close(kill=True)
        self._forget()
        fresh = Child(memory_bytes=self._memory_bytes)
        with self._changed:
            self._children[threading.current_thread()] = fresh
            if warming:
                self._warming.add(fresh)
            if self._killed or (warming and self._closed):
                fresh.kill()
        try:
            fresh.begin(self._modules)
        finally:
            with self._changed:
                self._warming.discard(fresh)
        return fresh

    def _forget(self) -> None:
        with self._changed:
            self._children.pop(threading.current_thread(), None)
