"""Clocks and medians."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

T = TypeVar("T")


def seconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def interleaved(first: Callable[[], object], second: Callable[[], object], *, times: int) -> tuple[float, float]:
    """Median seconds of two calls made in turn, each of them first half of the time."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(times):
        order = ((0, first), (1, second)) if turn % 2 == 0 else ((1, second), (0, first))
        for place, call in order:
            taken[place].append(seconds(call))
    return median(taken[0]), median(taken[1])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -int(-share * len(ranked) // 1) - 1))]


def fsync_s(folder: Path, *, times: int = 20) -> float:
    """Median time that this disk takes to make 4 KiB durable."""
    path = folder / "fsync.probe"
    taken = []
    with path.open("wb") as file:
        for _ in range(times):
            file.write(b"\0" * 4096)
            file.flush()
            taken.append(seconds(lambda: os.fsync(file.fileno())))
    path.unlink()
    return median(taken)


def in_turn(
    first: Callable[[T], object], second: Callable[[T], object], over: Sequence[T]
) -> tuple[list[float], list[float]]:
    """Seconds of both calls for every item, made in turn, each of them first half of the time."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn, item in enumerate(over):
        order = ((0, first), (1, second)) if turn % 2 == 0 else ((1, second), (0, first))
        for place, call in order:
            begun = time.perf_counter()
            call(item)
            taken[place].append(time.perf_counter() - begun)
    return taken


def peak_mib() -> float:
    """The most this process held; Linux's ru_maxrss would also count what its parent held when it was forked."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
