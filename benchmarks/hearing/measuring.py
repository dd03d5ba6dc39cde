"""Answers to figures: every item once, its signal shared by all tasks, the mean of each measure and its noise."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.hearing.material import Item, Split, items
from benchmarks.hearing.tasks import TASKS, Task
from processors.audio.signal import Signal

Maker = Callable[[Any], Any]
"""A signal to an answer. Any: each task has its own kind of answer."""
Table = dict[str, dict[str, float]]
"""By measure ("beats.f.score"), the score of each item."""
_DRAWS = 400


@dataclass(slots=True)
class Run:
    """What came of one maker of answers: scores by measure and item, what failed, and the seconds it took."""

    table: Table = field(default_factory=lambda: defaultdict(dict))
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    heard_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, measure: str, item: str, score: float) -> None:
        """Keep a score."""
        self.table[measure][item] = round(score, 4)


def measure(
    makers: dict[str, Maker], split: Split, tasks: Iterable[Task] = TASKS, *, say: Callable[[str], None],
    at_most: int | None = None,
) -> Run:  # fmt: skip
    """Ask each maker about every item of its tasks. An answer that fails is told, and scores nothing."""
    run = Run()
    wanted = [task for task in tasks if task.asked in makers]
    for kind in sorted({kind for task in wanted for kind in task.kinds}):
        asking = [task for task in wanted if kind in task.kinds]
        for done, item in enumerate(items(split, kind)[:at_most], 1):
            say(f"{kind} {done}  {item.name}")
            _ask(run, makers, [task for task in asking if task.asks(item)], item)
    return run


def _ask(run: Run, makers: dict[str, Maker], tasks: Sequence[Task], item: Item) -> None:
    if not tasks:
        return
    signal = Signal(*item.audio())
    answers: dict[str, Any] = {}  # Any: as above
    for task in tasks:
        try:
            if task.asked not in answers:
                begun = time.process_time()
                answers[task.asked] = makers[task.asked](signal)
                run.seconds[task.asked] += time.process_time() - begun
                run.heard_s[task.asked] += signal.duration_s
            found = task.score(answers[task.asked], item.truth)
        except Exception as error:  # one analysis that fails leaves the figures of the others alone
            run.failures.append(f"{task.name} on {item.name}: {type(error).__name__}: {error}"[:200])
            continue
        for name, score in found.items():
            if name not in task.means:
                continue
            for measure in {f"{task.name}.{name}", *(f"{task.name}.{name}.{group}" for group in _groups(task, item))}:
                run.add(measure, item.name, score)


def _groups(task: Task, item: Item) -> list[str]:
    """The kinds of items that are also told apart."""
    piano = ["piano"] if "piano" in item.tags else []
    return [item.kind, *piano] if len(task.kinds) > 1 else piano


def mean_and_noise(scores: dict[str, float]) -> tuple[float, float]:
    """Return the mean over items and its standard error by bootstrap, the same for the same scores."""
    values = np.array([scores[name] for name in sorted(scores)])
    draws = np.random.default_rng(0).integers(len(values), size=(_DRAWS, len(values)))
    return float(values.mean()), float(values[draws].mean(axis=1).std())


def fallen(before: dict[str, float], now: dict[str, float]) -> tuple[float, float]:
    """Return by how much the mean of the items that both have fell, and the noise of that, by paired bootstrap."""
    shared = sorted(set(before) & set(now))
    if not shared:
        return 0.0, 0.0
    return mean_and_noise({name: before[name] - now[name] for name in shared})
