"""Rebuilding every view from the log, in a process of its own whose memory is watched."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Bench, Measured
from benchmarks.scale import BIG_UNITS
from benchmarks.timing import peak_mib
from infra.embedded.database import Database
from infra.embedded.log import SqliteLog
from infra.embedded.views import SqliteViews

DECODED = 200_000
PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the child saw: (position, seconds) after each transaction, its peak, and how fast it reads and decodes."""

    steps: list[tuple[int, float]]
    seconds: float
    peak_mib: float
    decode_rate: float

    def rate(self, start: float, end: float) -> float:
        """Events a second between two shares of the log."""
        head = self.steps[-1][0]
        first, last = self._at(start * head), self._at(end * head)
        return (end - start) * head / (last - first)

    def tail(self) -> float:
        """Events a second in the last tenth, but for the last transaction, which also switches and drops."""
        head, last = self.steps[-1][0], self.steps[-2] if len(self.steps) > 20 else self.steps[-1]
        return (last[0] - 0.9 * head) / (last[1] - self._at(0.9 * head))

    def _at(self, position: float) -> float:
        """When this position was passed, between the two steps around it."""
        before = (0, 0.0)
        for step in self.steps:
            if step[0] >= position:
                share = (position - before[0]) / max(1, step[0] - before[0])
                return before[1] + share * (step[1] - before[1])
            before = step
        return before[1]


def rebuilt(bench: Bench) -> Rebuilt:
    """Rebuild the big catalogue's views in a child."""
    store = bench.store(BIG_UNITS)
    bench.say(f"rebuilding all views from {store.events:,} events")
    command = [sys.executable, "-m", "benchmarks.rebuild", str(store.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout)
    return Rebuilt([(step[0], step[1]) for step in facts["steps"]], facts["s"], facts["peak_mib"], facts["decode_rate"])


def _shared(bench: Bench) -> Rebuilt:
    return bench.once("rebuilt", lambda: rebuilt(bench))


def rate(bench: Bench) -> Measured:
    """Events a second into all views, the switch and the dropping of the old tables included."""
    found = _shared(bench)
    return Measured(found.steps[-1][0] / found.seconds, found.decode_rate, f"{found.steps[-1][0]:,} events")


def tail(bench: Bench) -> Measured:
    """Whether it slows down as the views grow."""
    found = _shared(bench)
    return Measured(found.tail(), found.rate(0.0, 0.1), "the switch and the dropping of the old tables left out")


def peak(bench: Bench) -> Measured:
    """Memory of the process."""
    return Measured(_shared(bench).peak_mib)


def _main(path: Path) -> None:
    base = Database(path)
    log = SqliteLog(base)
    views = SqliteViews(base, log)
    steps: list[tuple[int, float]] = []
    begun = time.perf_counter()
    views.rebuild(on_progress=lambda position, _head: steps.append((position, time.perf_counter() - begun)))
    took = time.perf_counter() - begun
    facts = {"steps": steps, "s": took, "peak_mib": peak_mib(), "decode_rate": _decode_rate(log)}
    sys.stdout.write(json.dumps(facts))
    log.close()
    base.close()


def _decode_rate(log: SqliteLog) -> float:
    """Events read, checked and decoded a second, nothing written."""
    begun, position, count = time.perf_counter(), 0, 0
    while count < DECODED and (page := log.read(position, limit=PAGE)):
        for event in page:
            event.json  # noqa: B018  # decodes, as the fold does
        position, count = page[-1].position, count + len(page)
    return count / (time.perf_counter() - begun)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
