"""Children do the work, within limits; what happens to one happens to its task alone."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from domain.errors import Conflict, LimitExceeded, Malformed, WorkerDied
from events.imports import AudioImported
from infra.pool import WorkerPool, report
from infra.wiring import CONSUMERS
from tests.media import pool_tasks as tasks

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process limits, signals or groups")


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    """A pool of two, used by tests that leave it as it was."""
    with WorkerPool(2) as pool:
        yield pool


def alive(process: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        threads = len(list(Path(f"/proc/{process}/task").iterdir()))  # a first thread may be gone before the others
        return state != "Z" or threads > 1
    except FileNotFoundError:
        return False


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    """Whether something becomes so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def marked(mark: Path) -> int:
    """The process id that a child wrote."""
    assert eventually(lambda: mark.exists() and mark.read_text())
    return int(mark.read_text())


def test_tasks_run_in_children_and_answer_in_their_own_futures(pool: WorkerPool) -> None:
    """Given many tasks, when they run in two children, then each answer belongs to its task."""
    futures = [pool.submit(tasks.double, number) for number in range(200)]
    assert [future.result(60) for future in futures] == [2 * number for number in range(200)]
    assert pool.submit(tasks.pid).result(60) in pool.pids()
    assert os.getpid() not in pool.pids()
    assert len(pool.pids()) <= 2


def test_arrays_travel(pool: WorkerPool) -> None:
    """Given eight megabytes of samples, when summed in a child, then nothing is lost on the way."""
    assert pool.submit(tasks.total, np.ones(1 << 20)).result(60) == 1 << 20


def test_no_child_is_started_before_the_first_task() -> None:
    """Given a new pool, then it has no children, and closing it is no work."""
    with WorkerPool(2) as pool:
        assert pool.pids() == []
        pool.submit(tasks.double, 1).result(60)
        assert len(pool.pids()) == 1


def test_any_thread_may_submit(pool: WorkerPool) -> None:
    """Given eight threads, when all submit at once, then all are answered."""
    with ThreadPoolExecutor(8) as threads:
        results = threads.map(lambda number: pool.submit(tasks.double, number).result(60), range(80))
    assert list(results) == [2 * number for number in range(80)]


def test_our_errors_travel_whole(pool: WorkerPool) -> None:
    """Given an error of ours, when a task raises it, then class, message, details and traceback arrive."""
    with pytest.raises(Conflict, match=r"kick\.wav: somebody was first") as caught:
        pool.submit(tasks.fail, "disco").result(60)
    assert caught.value.details == {"current": 7}
    assert "in fail" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("zero", ZeroDivisionError, "by zero"),
        ("unpicklable", Malformed, "kick.wav: is broken"),
        ("odd", RuntimeError, "Odd: this"),
        ("exit", SystemExit, "3"),
    ],
)
def test_other_errors_travel_with_their_traceback(
    pool: WorkerPool, kind: str, error: type[BaseException], says: str
) -> None:
    """Given any other exception, also one that cannot be pickled, then what can be said of it arrives."""
    future = pool.submit(tasks.fail, kind)
    found = future.exception(60)
    assert type(found) is error
    assert says in str(found)
    assert "pool_tasks.py" in str(found.__cause__)


def test_what_cannot_be_sent_is_refused_at_once(pool: WorkerPool) -> None:
    """Given a function without a name of its own, when submitted, then the caller hears of it, not the future."""
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pool.submit(lambda: 1)
    with pytest.raises(TypeError, match="pickle"):
        pool.submit(tasks.double, threading.Lock())


@POSIX
@pytest.mark.parametrize(("how", "says"), [("segfault", "SIGSEGV"), ("kill", "SIGKILL"), ("exit", "status 9")])
def test_a_child_that_dies_fails_only_its_task(how: str, says: str) -> None:
    """Given tasks before, beside and behind one whose child dies, then only that one fails, and says how."""
    with WorkerPool(2) as pool:
        beside = pool.submit(tasks.sleep, 0.3)
        future = pool.submit(tasks.die, how)
        behind = [pool.submit(tasks.double, number) for number in range(4)]
        with pytest.raises(WorkerDied, match=says) as caught:
            future.result(60)
        assert caught.value.retryable
        assert beside.result(60)
        assert [task.result(60) for task in behind] == [0, 2, 4, 6]


@POSIX
def test_a_child_killed_from_outside_is_replaced(tmp_path: Path) -> None:
    """Given a busy and an idle child, when killed, then the busy one's task fails and both are replaced."""
    with WorkerPool(1) as pool:
        future = pool.submit(tasks.sleep, 100, str(tmp_path / "mark"))
        os.kill(marked(tmp_path / "mark"), signal.SIGKILL)
        with pytest.raises(WorkerDied):
            future.result(60)
        first = pool.submit(tasks.pid).result(60)
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: not alive(first))
        assert pool.submit(tasks.pid).result(60) != first


def test_a_task_past_its_time_is_ended_and_its_programs_with_it(tmp_path: Path) -> None:
    """Given a task that waits for a program for ever, when its time is up, then both are gone and the pool goes on."""
    with WorkerPool(1) as pool:
        start = time.monotonic()
        future = pool.submit(tasks.start_program, str(tmp_path / "mark"), timeout_s=1.0)
        with pytest.raises(LimitExceeded, match="longer than 1 s"):
            future.result(60)
        assert time.monotonic() - start < 10
        program = marked(tmp_path / "mark")
        assert eventually(lambda: not alive(program))
        assert pool.submit(tasks.double, 2).result(60) == 4


def test_time_counts_from_the_beginning_of_a_task() -> None:
    """Given tasks that together take longer than each may, when they wait for each other, then all end well."""
    with WorkerPool(1) as pool:
        pool.submit(tasks.double, 1).result(60)
        futures = [pool.submit(tasks.sleep, 0.4, timeout_s=1.0) for _ in range(4)]
        assert all(future.result(60) for future in futures)


@POSIX
def test_a_task_past_its_memory_is_told_so() -> None:
    """Given a limit of 512 MiB, when a task wants a gibibyte, then it fails by the limit and others run on."""
    with WorkerPool(1, memory_bytes=512 << 20) as pool:
        assert pool.submit(tasks.take, 64).result(60)
        with pytest.raises(LimitExceeded, match="512 MiB of memory"):
            pool.submit(tasks.take, 1024).result(60)
        assert pool.submit(tasks.double, 4).result(60) == 8


@POSIX
def test_a_child_is_single_threaded_and_reads_and_dumps_nothing(pool: WorkerPool) -> None:
    """Given a child, then it writes no core, uses one thread for algebra, and has no standard input."""
    assert pool.submit(tasks.limits).result(60) == {"core": (0, 0), "threads": "1", "read": ""}


def test_what_a_task_prints_does_not_mix_with_answers(pool: WorkerPool) -> None:
    """Given a task that prints to standard output by name and number, then its answer arrives."""
    assert pool.submit(tasks.chatter).result(60) == "heard"


def test_progress_arrives_in_order_before_the_result(pool: WorkerPool) -> None:
    """Given a task that reports, when it is done, then all reports have been heard, in order."""
    heard: list[object] = []
    assert pool.submit(tasks.count, 100, on_progress=heard.append).result(60) == 100
    assert heard == list(range(100))
    assert pool.submit(tasks.count, 3).result(60) == 3
    report("to nobody")


def test_a_listener_that_raises_fails_its_task_and_leaves_the_child_usable() -> None:
    """Given a listener that raises, then its own exception is the outcome, and the same child takes the next task."""

    def listen(value: object) -> None:
        raise OSError(f"no room for {value}")

    with WorkerPool(1) as pool:
        before = pool.submit(tasks.pid).result(60)
        with pytest.raises(OSError, match="no room for 0"):
            pool.submit(tasks.count, 5, on_progress=listen).result(60)
        assert pool.submit(tasks.pid).result(60) == before


def test_a_waiting_task_can_be_cancelled(tmp_path: Path) -> None:
    """Given a busy pool, when a waiting task is cancelled, then it never runs."""
    with WorkerPool(1) as pool:
        busy = pool.submit(tasks.sleep, 0.5)
        waiting = pool.submit(tasks.sleep, 0.0, str(tmp_path / "mark"))
        assert waiting.cancel()
        assert busy.result(60)
        assert pool.submit(tasks.double, 1).result(60) == 2
        with pytest.raises(CancelledError):
            waiting.result(0)
    assert not (tmp_path / "mark").exists()


def test_closing_lets_the_running_end_and_cancels_the_waiting() -> None:
    """Given a running and a waiting task, when closed, then the first has its result; afterwards nothing is taken."""
    pool = WorkerPool(1)
    running = pool.submit(tasks.sleep, 0.5)
    assert eventually(running.running)
    waiting = pool.submit(tasks.double, 1)
    pool.close()
    child = running.result(0)
    assert waiting.cancelled()
    assert not alive(child)
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(tasks.double, 1)
    pool.close()


def test_closing_by_force_ends_what_runs(tmp_path: Path) -> None:
    """Given a task of a hundred seconds, when closed by force, then it fails at once and its child is gone."""
    pool = WorkerPool(1)
    running = pool.submit(tasks.sleep, 100, str(tmp_path / "mark"))
    child = marked(tmp_path / "mark")
    pool.close(kill=True)
    with pytest.raises(WorkerDied):
        running.result(0)
    assert not alive(child)


def test_warm_children_have_imported_what_was_asked_for() -> None:
    """Given a module to warm up with, also in a child that replaces a dead one, then a task finds it imported."""
    with WorkerPool(2) as pool:
        assert not pool.submit(tasks.loaded, "sched").result(60)
        pool.warm("sched", "no_such_module_at_all")
        assert eventually(lambda: len(pool.pids()) == 2)
        with pytest.raises(WorkerDied):
            pool.submit(tasks.die, "exit").result(60)
        with pytest.raises(WorkerDied):
            pool.submit(tasks.die, "exit").result(60)
        pool.submit(tasks.sleep, 0.3)
        assert pool.submit(tasks.loaded, "sched").result(60) or pool.submit(tasks.loaded, "sched").result(60)


def test_only_as_many_children_are_warmed_as_are_asked_for() -> None:
    """Given a pool of three, when one is to be warm, then one is started; the others come with their tasks."""
    with WorkerPool(3) as pool:
        pool.warm("sched", count=1)
        assert eventually(lambda: pool._idle == 1)
        assert pool.submit(tasks.loaded, "sched").result(60)
        assert len(pool.pids()) == 1
        running = [pool.submit(tasks.sleep, 0.3) for _ in range(3)]
        for task in running:
            task.result(60)
        assert len(pool.pids()) == 3


def test_closing_does_not_wait_for_who_is_only_warming_up(tmp_path: Path) -> None:
    """Given a child that imports for a minute, when the pool is closed, then it is closed at once, and the child gone.

    A task that waits for such a child is cancelled, as any that has not begun.
    """
    (tmp_path / "slowly.py").write_text("import time\ntime.sleep(60)\n")
    sys.path.append(str(tmp_path))
    try:
        pool = WorkerPool(1)
        pool.warm("slowly")
        assert eventually(lambda: len(pool.pids()) == 1)
        (child,), task = pool.pids(), pool.submit(tasks.double, 1)
        begun = time.monotonic()
        pool.close()
        assert time.monotonic() - begun < 20
    finally:
        sys.path.remove(str(tmp_path))
    assert task.cancelled()
    assert eventually(lambda: not alive(child))


def test_a_warm_worker_imports_no_large_library_with_its_first_sound(tmp_path: Path) -> None:
    """Given what workers are warmed with, when a sound is analysed by all, then no library has to be imported any more.

    It is looked up in a process of its own, which has imported nothing else.
    """
    soundfile.write(tmp_path / "a.wav", 0.3 * np.sin(np.arange(48_000) / 9), 48_000)
    command = [sys.executable, "-m", "tests.media.warming", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    count = str(len(CONSUMERS[AudioImported.TYPE]))
    assert done.stdout.split() == ["answered", count, "imported"], (
        "libraries are imported late; name them in wiring.WARM"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child that holds the interpreter's lock")
@pytest.mark.parametrize("deafly", [False, True], ids=["sleeping", "holding the lock"])
def test_a_parent_that_is_killed_leaves_no_orphan(tmp_path: Path, deafly: bool) -> None:
    """Given a parent with a busy and an idle child, when it is killed with -9, then neither is left."""
    mark = tmp_path / "mark"
    code = f"from tests.media.pool_tasks import host; host([{str(mark)!r}], deafly={deafly})"
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    try:
        children = [marked(mark), marked(Path(f"{mark}.idle"))]
        assert all(alive(child) for child in children)
    finally:
        parent.kill()
        parent.wait()
    assert eventually(lambda: not any(alive(child) for child in children), 10)


def test_a_parent_that_ends_without_closing_ends(tmp_path: Path) -> None:
    """Given a program that forgets to close its pool, when it ends, then it does end, and its child with it."""
    code = (
        "from infra.pool import WorkerPool; from tests.media import pool_tasks as tasks\n"
        f"pool = WorkerPool(1); pool.submit(tasks.sleep, 100.0, {str(tmp_path / 'mark')!r})\n"
        f"import time, os\nwhile not os.path.exists({str(tmp_path / 'mark')!r}): time.sleep(0.01)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=30)
    child = marked(tmp_path / "mark")
    assert eventually(lambda: not alive(child), 10)
