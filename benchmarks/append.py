"""Appending: against the bare insert of the same rows, against no group commit, against another library."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import apsw

from benchmarks.catalogue import batches
from benchmarks.figures import Bench, Measured
from benchmarks.recorder import Recorder
from benchmarks.timing import fsync_s, in_turn, interleaved, seconds
from events.envelope import Proposed
from infra.embedded.database import Database
from infra.embedded.log import SqliteLog

SIZE = 1_000
BATCHES = 120
WRITERS = 64
EACH = 40
REPEATS = 3
GROUPED_AT_LEAST = 3.0
OF_RAW_AT_LEAST = 0.2
Batch = Sequence[Proposed]
Row = tuple[Any, ...]  # Any: the columns of the log


class Raw:
    """The bare insert: rows made beforehand, the same table, indexes, pragmas and driver."""

    def __init__(self, path: Path, model: Path) -> None:
        self._database = Database(path)
        with self._database.write() as connection:
            for (statement,) in _read(model, "SELECT sql FROM sqlite_master WHERE tbl_name = 'events' AND sql NOTNULL"):
                connection.execute(statement)

    def insert(self, rows: list[Row]) -> None:
        """One transaction."""
        marks = ", ".join("?" * len(rows[0]))
        with self._database.write() as connection:
            connection.executemany(f"INSERT INTO events VALUES ({marks})", rows)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _read(path: Path, query: str) -> list[Row]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    rows: list[Row] = connection.execute(query).fetchall()
    connection.close()
    return rows


class Log:
    """A log in a file of its own; `one_by_one` appends under a lock, so that no two share a commit."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self._log = SqliteLog(self._database)
        self._lock = threading.Lock()

    def append(self, batch: Batch) -> None:
        """As the service does."""
        self._log.append(batch)

    def one_by_one(self, batch: Batch) -> None:
        """Without group commit."""
        with self._lock:
            self._log.append(batch)

    def close(self) -> None:
        """Close the file."""
        self._log.close()
        self._database.close()


def raw_rates(bench: Bench) -> tuple[float, float]:
    """Events a second, ours and the bare insert's, by the thousand; the rows are those of a log filled before."""
    folder = bench.fresh("append")
    model, log = Log(folder / "model.sqlite"), Log(folder / "log.sqlite")
    work = batches(SIZE, bench.scaled(BATCHES, least=10))
    for batch in work:
        model.append(batch)
    model.close()
    rows = _read(folder / "model.sqlite", "SELECT * FROM events ORDER BY position")
    raw = Raw(folder / "raw.sqlite", folder / "model.sqlite")
    made = iter(rows[at : at + SIZE] for at in range(0, len(rows), SIZE))
    ours, bare = in_turn(lambda batch: log.append(batch), lambda _: raw.insert(next(made)), work)
    log.close()
    raw.close()
    return SIZE / median(ours), SIZE / median(bare)


def batch1000(bench: Bench) -> Measured:
    """Durable appends of a thousand events."""
    ours, bare = bench.once("append raw", lambda: raw_rates(bench))
    return Measured(ours, bare)


def concurrent64(bench: Bench) -> Measured:
    """64 threads, each appending one event at a time, all durable."""
    folder = bench.fresh("concurrent")
    log = Log(folder / "log.sqlite")
    sync_s = fsync_s(folder)
    grouped, single = [], []
    for turn in range(REPEATS):
        work = _work(bench.scaled(EACH, least=4), seed=2 * turn)
        grouped.append(_events(work) / seconds(partial(_together, log.append, work)))
        work = [part[: max(1, len(part) // 4)] for part in _work(bench.scaled(EACH, least=4), seed=2 * turn + 1)]
        single.append(_events(work) / seconds(partial(_together, log.one_by_one, work)))
    log.close()
    rate, alone = median(grouped), median(single)
    share = min(1.0, sync_s * alone)
    raw = bench.once("append raw", lambda: raw_rates(bench))[1]
    told = f"fsync {1e3 * sync_s:.2f} ms, {share:.0%} of a lone commit; {rate / raw:.2f}× the raw batched rate"
    if share >= 0.5:
        return Measured(rate, alone, told, GROUPED_AT_LEAST)
    return Measured(rate, raw, f"{told}; not dominated by fsync, so held against the raw rate", OF_RAW_AT_LEAST)


def _work(each: int, *, seed: int) -> list[list[Batch]]:
    """What each writer appends: single events of a project of its own."""
    return [[[event] for event in batch] for batch in batches(each, WRITERS, seed=seed + 100)]


def _events(work: list[list[Batch]]) -> int:
    return sum(len(part) for part in work)


def _together(append: Callable[[Batch], None], work: list[list[Batch]]) -> None:
    """All writers at once."""
    begin = threading.Barrier(len(work))

    def write(part: list[Batch]) -> None:
        begin.wait()
        for batch in part:
            append(batch)

    threads = [threading.Thread(target=write, args=(part,)) for part in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _versus(bench: Bench, size: int, count: int, *, mapped: bool) -> Measured:
    """Events a second from event objects to durable commit; theirs from ready rows, or from objects too."""
    folder = bench.fresh(f"versus {size}")
    log, recorder = Log(folder / "log.sqlite"), Recorder(folder / "eventsourcing.sqlite")
    ours, theirs = [], []
    for batch in batches(size, bench.scaled(count, least=6)):
        if mapped:
            objects = recorder.domain_events(batch)
            insert = partial(recorder.map_and_insert, objects)
        else:
            insert = partial(recorder.insert, recorder.stored(batch))
        one, other = interleaved(partial(log.append, batch), insert, times=1)
        ours.append(one)
        theirs.append(other)
    log.close()
    recorder.close()
    return Measured(size / median(ours), size / median(theirs))


def versus_1(bench: Bench) -> Measured:
    """One event at a time."""
    return _versus(bench, 1, 300, mapped=False)


def versus_100(bench: Bench) -> Measured:
    """By the hundred."""
    return _versus(bench, 100, 150, mapped=False)


def versus_1000(bench: Bench) -> Measured:
    """By the thousand."""
    return _versus(bench, 1_000, 80, mapped=False)


def versus_mapped(bench: Bench) -> Measured:
    """By the thousand, their mapper counted as our encoding is."""
    return _versus(bench, 1_000, 80, mapped=True)
