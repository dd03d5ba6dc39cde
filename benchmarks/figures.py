"""What a figure is: what it should be, what came out, and the things that several figures share in one run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from benchmarks.stores import Store, ready_store

T = TypeVar("T")
Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out; `target` stands in for the registry's where the regime decides it."""

    value: float
    baseline: float | None = None
    note: str = ""
    target: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    target: what `of` (the value, or its ratio to the baseline) should reach; None where it is only told.
    means and against: what the value and the baseline are, for the docs.
    """

    name: str
    measure: Callable[[Bench], Measured]
    unit: str
    better: Better
    target: float | None
    means: str
    against: str = ""
    of: Literal["value", "ratio"] = "value"


@dataclass(frozen=True, slots=True)
class Result:
    """A figure as it is written to bench.json."""

    name: str
    value: float | None
    unit: str
    baseline: float | None
    ratio: float | None
    target: str = ""
    met: bool | None = None
    note: str = ""


@dataclass(slots=True)
class Bench:
    """One run: its scale, its folder on the disk that is measured, and what was made once for several figures."""

    scale: float
    folder: Path
    say: Callable[[str], None]
    _made: dict[str, Any] = field(default_factory=dict)  # Any: what each maker makes

    def scaled(self, count: int, *, least: int = 1) -> int:
        """A count at this run's scale."""
        return max(least, round(count * self.scale))

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` gives, made at the first call."""
        if key not in self._made:
            self._made[key] = make()
        found: T = self._made[key]
        return found

    def store(self, units: int) -> Store:
        """The catalogue of so many units (before scaling) in a database with all its views."""
        count = self.scaled(units, least=40)
        return self.once(f"store {count}", lambda: ready_store(self.folder / "stores", count, self.say))

    def fresh(self, name: str) -> Path:
        """An empty folder."""
        folder = self.folder / "scratch" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def close(self) -> None:
        """Close what was opened and clear the scratch folder; stores stay for the next run."""
        for made in self._made.values():
            if hasattr(made, "close"):
                made.close()
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)


def result_of(figure: Figure, measured: Measured) -> Result:
    """Compare what came out with what should have."""
    ratio = measured.ratio
    if ratio is None and measured.baseline:
        ratio = measured.value / measured.baseline
    target = figure.target if measured.target is None else measured.target
    judged = measured.value if figure.of == "value" else ratio
    met = None
    if target is not None and judged is not None:
        met = judged >= target if figure.better == "higher" else judged <= target
    return Result(
        figure.name, measured.value, figure.unit, measured.baseline, ratio, told(figure, target), met, measured.note
    )


def told(figure: Figure, target: float | None) -> str:
    """The target as people read it."""
    if target is None:
        return ""
    sign = "≥" if figure.better == "higher" else "≤"
    return f"{sign} {target:g}×" if figure.of == "ratio" else f"{sign} {target:,g} {figure.unit}"
