"""docs/benchmarks.md: what each figure means, from the registry, and the table of one run."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import Result
from benchmarks.missed import reasons
from benchmarks.numbers import number
from benchmarks.registry import FIGURES

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """# Figures

This page is written by `python -m benchmarks --write-docs`; change `benchmarks/`, not the page.

    make bench                                        # everything, into build/bench.json
    python -m benchmarks --only append                # the figures whose names begin so
    python -m benchmarks --scale 0.05 --out /tmp/b    # a twentieth of the size, to see that it runs

Each baseline is measured in the same run, on the same disk and, where it matters, in turn with the figure: A B, B A,
and so on. Rates and times are medians unless a percentile is named. A ratio is the value divided by its baseline.
Take the ratios to compare machines; take the values from a machine that does nothing else. The status is 1 under
`--strict` where a target is missed.

The catalogue is made by seed (`benchmarks/catalogue.py`): projects of tens to hundreds of assets; ten events an audio
asset, one of them an embedding of 128 numbers that lie in clusters; beats and chords as long as a song's; every second
asset generated from many before it; people rename, tag and describe. At full scale it has 50,000 units of work:
1.2 million events, 1.17 million nodes, 2.3 million edges, 100,000 embeddings and 200,000 documents. It is appended to
the log and projected by the service's own code, once, and kept in `build/bench` until the seed, a schema or a view's
version changes.

## What they mean

"""
TABLE = "| figure | value | baseline | ratio | target | met | note |\n| --- | ---: | ---: | ---: | --- | --- | --- |\n"


def write(results: Sequence[Result], scale: float) -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    run = f"## The last run\n\n{_machine(scale)}\n\n{_table(results)}{_missed(results)}"
    PAGE.write_text(f"{HEAD}{_meanings()}\n{run}", encoding="utf-8")


def _missed(results: Sequence[Result]) -> str:
    told = reasons(results)
    return f"\n## Why targets are missed\n\n{told}" if told else ""


def _meanings() -> str:
    rows = [f"| `{one.name}` | {one.unit} | {one.means} | {one.against or '–'} |" for one in FIGURES]
    return "| figure | unit | value | baseline |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"


def _machine(scale: float) -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("apsw", "sqlite-vec", "eventsourcing", "numpy"))
    made = datetime.now(UTC).date().isoformat()
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{made}, scale {scale:g}; {machine}; {libraries}."


def _table(results: Sequence[Result]) -> str:
    rows = []
    for one in results:
        value = f"{number(one.value)} {one.unit}"
        ratio = f"{one.ratio:.2f}" if one.ratio is not None else ""
        met = {True: "yes", False: "**no**", None: ""}[one.met]
        rows.append(
            f"| `{one.name}` | {value} | {number(one.baseline)} | {ratio} | {one.target} | {met} | {one.note} |\n"
        )
    return TABLE + "".join(rows)
