"""How soon another process on the same folder sees an append.

As a program, `python -m benchmarks.across FOLDER COUNT`: write so many events, and say when each was committed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.figures import Bench, Measured
from benchmarks.timing import percentile
from domain.access import Actor
from domain.commands import CreateProject, RenameResource
from infra.disco import open_disco
from infra.settings import Settings

EVENTS = 200
PAUSE_S = 0.02
PATIENCE_S = 30.0


def across_ms(bench: Bench) -> Measured:
    """From a commit until the other process's listener is told of that position; and until it reads a line about it."""
    home, count = bench.fresh("across"), bench.scaled(EVENTS, least=20)
    heard: list[tuple[int, float]] = []
    with open_disco(Settings(home=home, workers=1)) as disco:
        stop = disco.log.on_append(lambda head: heard.append((head, time.perf_counter())))
        lines = _written(home, count)
        last = max(position for position, _, _ in lines)
        deadline = time.monotonic() + PATIENCE_S
        while not heard or heard[-1][0] < last:
            assert time.monotonic() < deadline, "an append was never seen"
            time.sleep(0.01)
        stop()
    seen = [next(at for head, at in heard if head >= position) - committed for position, committed, _ in lines]
    bare = [max(0.0, read - committed) for _, committed, read in lines]
    note = f"{len(seen)} events, median {1e3 * median(seen):.1f} ms"
    return Measured(1e3 * percentile(seen, 0.95), 1e3 * percentile(bare, 0.95), note)


def _written(home: Path, count: int) -> list[tuple[int, float, float]]:
    """Each event's position, when the process that wrote it had committed, and when its line about it was read here."""
    command = [sys.executable, "-m", "benchmarks.across", str(home), str(count)]
    found = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            position, committed = line.split()
            found.append((int(position), float(committed), time.perf_counter()))
    assert process.returncode == 0, f"the writer ended with status {process.returncode}"
    assert len(found) == count
    return found


def main() -> None:
    """Write, and print each event's position and when it was committed: `perf_counter` is the machine's."""
    actor = Actor(name="ada")
    with open_disco(Settings(home=Path(sys.argv[1]), workers=1)) as disco:
        project = disco.execute(CreateProject(name="across"), actor=actor).resource_id
        for number in range(int(sys.argv[2])):
            time.sleep(PAUSE_S)
            done = disco.execute(RenameResource(resource_id=project, name=f"across {number}"), actor=actor)
            assert done.token is not None
            print(done.token.position, time.perf_counter(), flush=True)


if __name__ == "__main__":
    main()
