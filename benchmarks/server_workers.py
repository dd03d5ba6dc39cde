"""Two workers against one: real analyses of long sounds, each worker with a core of its own.

One that may use both cores does, with two analyses of a sound at once, and leaves a second worker little to add here.
"""

from __future__ import annotations

import itertools
import os
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from benchmarks.figures import Bench, Measured
from benchmarks.imports import written
from benchmarks.server_room import PARTITIONS, WorkerProcess, installed, until
from domain import ids
from domain.access import Actor
from domain.ids import EventId, ProjectId
from domain.ports import Selection
from events.envelope import Proposed
from events.imports import AudioImported
from infra.server.disco import ServerDisco
from infra.server.relay import partition_of

SHORTEST_S = 60.0
WARM_S = 3.0
NO_VIEWS = ("--views", "")
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Round:
    """How long a round took, and the cores that all processes but the workers' kept busy meanwhile."""

    taken_s: float
    others: float


def two(bench: Bench) -> Measured:
    """Analyses a second by two workers, and by one: the same sounds in four rounds, with 1, 2, 2 and 1."""
    alone, together = list[Round](), list[Round]()
    with ExitStack() as opened:
        settings = opened.enter_context(installed(bench))
        disco = opened.enter_context(ServerDisco(settings))
        sounds = Sounds(disco, bench.fresh("sounds"), max(5.0, bench.scale * SHORTEST_S))
        first = opened.enter_context(closing(WorkerProcess(settings, *NO_VIEWS, core=0)))
        until(lambda: first.partitions() == PARTITIONS, "the worker had all partitions")
        sounds.warm([first])
        alone.append(sounds.round([first]))
        bench.say("two workers")
        with closing(WorkerProcess(settings, *NO_VIEWS, core=1)) as second:
            half = PARTITIONS // 2
            until(lambda: first.partitions() == second.partitions() == half, "each worker had half of the partitions")
            sounds.warm([first, second])
            together += [sounds.round([first, second]) for _ in range(2)]
        until(lambda: first.partitions() == PARTITIONS, "the worker had all partitions again")
        alone.append(sounds.round([first]))
    one, both = (mean(each.taken_s for each in rounds) for rounds in (alone, together))
    others = mean(each.others for each in together)
    note = f"{sounds.told}: {one:.1f} against {both:.1f} s; relay, servers and all else took {others:.2f} cores"
    return Measured(one / both, note=note)


class Sounds:
    """A sound for each partition, in the bucket, to be imported again and again, each time as another asset."""

    def __init__(self, disco: ServerDisco, folder: Path, shortest_s: float) -> None:
        self._disco = disco
        self._short = self._imported(folder / "short", WARM_S)
        self._long = self._imported(folder / "long", shortest_s)
        self._projects = [_project_in(partition) for partition in range(PARTITIONS)]
        self._numbers = itertools.count()
        length_s = sum(event.facts.duration_s for event in self._long)
        self.told = f"{len(self._long)} sounds, {length_s:.0f} s"

    def _imported(self, folder: Path, shortest_s: float) -> list[AudioImported]:
        folder.mkdir(parents=True)
        written(folder, PARTITIONS, (shortest_s, 1.1 * shortest_s))
        since = self._disco.log.head()
        report = self._disco.import_paths([folder], actor=Actor("ada"))
        assert not report.failed, report.failed[0]
        found = self._disco.log.read(since, limit=100_000, selection=Selection(types=(AudioImported.TYPE,)))
        return [event.data for event in found if isinstance(event.data, AudioImported)]

    def warm(self, workers: list[WorkerProcess]) -> None:
        """Have each worker load what it needs, and answer all that is left."""
        self._answered(self._short, workers)

    def round(self, workers: list[WorkerProcess]) -> Round:
        """Have the long ones analysed."""
        return self._answered(self._long, workers)

    def _answered(self, sounds: list[AudioImported], workers: list[WorkerProcess]) -> Round:
        """Import these, one into each partition, and wait until all is answered."""
        busy_s, workers_s = _busy_s(), sum(map(_tree_s, workers))
        begun = time.perf_counter()
        for sound, project in zip(sounds, self._projects, strict=True):
            asset = ids.derived("bench sound", next(self._numbers))
            data = sound.model_copy(update={"asset_id": asset, "project_id": project, "container_id": project})
            now_us, id = self._disco.clock.now_us(), EventId(ids.derived("bench import", asset))
            self._disco.log.append([Proposed(id, project, data, now_us, "/commands", "ada", project)])
        until(lambda: self._disco.pending() == 0, "all was answered", patience_s=PATIENCE_S)
        taken_s = time.perf_counter() - begun
        others_s = _busy_s() - busy_s - (sum(map(_tree_s, workers)) - workers_s)
        return Round(taken_s, others_s / taken_s)


def _project_in(partition: int) -> ProjectId:
    """A project whose events lie in this partition."""
    names = (ids.project_id(f"bench {number}") for number in itertools.count())
    return next(id for id in names if partition_of(id, PARTITIONS) == partition)


def _busy_s() -> float:
    """CPU time that this machine has spent on anything. Source: proc(5)."""
    _, *numbers = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _, _, irq, softirq = map(int, numbers[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _tree_s(worker: WorkerProcess) -> float:
    """CPU time that a worker and its processes have spent, those that ended as well. Source: proc(5)."""
    mine, taken = {worker.pid}, 0
    for path in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parent.name)):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(path.parent.name) in mine or int(fields[1]) in mine:
            mine.add(int(path.parent.name))
            taken += sum(map(int, fields[11:15]))
    return taken / os.sysconf("SC_CLK_TCK")
