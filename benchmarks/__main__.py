"""`python -m benchmarks`: measure, print, write build/bench.json."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
import structlog
from rich.console import Console
from rich.table import Table

from benchmarks import docs
from benchmarks.figures import Bench, Figure, Result, result_of, told
from benchmarks.numbers import number
from benchmarks.registry import FIGURES


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the figures that were asked for; status 1 where one misses its target and `--strict` is given."""
    asked = _parser().parse_args(arguments)
    wanted = [figure for figure in FIGURES if figure.name.startswith(asked.only)]
    if not wanted:
        sys.stderr.write(f"no figure begins with {asked.only!r}; there are {', '.join(one.name for one in FIGURES)}\n")
        return 2
    console = Console()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    results = list(_measured(wanted, asked.scale, asked.folder, console))
    console.print(_table(results))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_bytes(orjson.dumps([asdict(result) for result in results], option=orjson.OPT_INDENT_2) + b"\n")
    console.print(f"written to {asked.out}")
    if asked.write_docs:
        docs.write(results, asked.scale)
    return int(asked.strict and any(result.met is False for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The figures, each with its baseline.")
    parser.add_argument("--only", default="", metavar="PREFIX", help="only figures whose name begins so")
    parser.add_argument("--scale", type=float, default=1.0, help="size of everything; 1.0 is what the targets are for")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), help="where the figures are written")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk that is measured")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a target is missed")
    return parser


def _measured(figures: Sequence[Figure], scale: float, folder: Path, console: Console) -> Iterator[Result]:
    folder.mkdir(parents=True, exist_ok=True)
    with console.status("") as status:
        begun = time.perf_counter()
        bench = Bench(scale, folder, lambda text: status.update(f"{time.perf_counter() - begun:.0f} s  {text}"))
        try:
            for done, figure in enumerate(figures, 1):
                bench.say(f"{figure.name} ({done} of {len(figures)})")
                result = _result(figure, bench)
                console.print(_line(result), highlight=False, soft_wrap=True)
                yield result
        finally:
            bench.close()


def _result(figure: Figure, bench: Bench) -> Result:
    """The figure, or what kept it from being measured: one that fails leaves the others alone."""
    try:
        return result_of(figure, figure.measure(bench))
    except Exception as error:  # told in the table; the run goes on
        bench.say(f"{figure.name} failed")
        note = " ".join(f"not measured: {type(error).__name__}: {error}".split())
        return Result(figure.name, None, figure.unit, None, None, told(figure, figure.target), None, note[:300])


def _line(result: Result) -> str:
    against = f"  against {number(result.baseline)} ({result.ratio:.2f}×)" if result.ratio is not None else ""
    note = f"  [dim]{result.note}[/]" if result.note else ""
    return f"{_mark(result)} {result.name:<32} {number(result.value)} {result.unit}{against}{note}"


def _mark(result: Result) -> str:
    return {True: "[green]✓[/]", False: "[red]✗[/]", None: " "}[result.met]


def _table(results: Sequence[Result]) -> Table:
    table = Table("", "figure", "target")
    for name in ("value", "unit", "baseline", "ratio"):
        table.add_column(name, justify="left" if name == "unit" else "right")
    for result in results:
        ratio = f"{result.ratio:.2f}" if result.ratio is not None else ""
        table.add_row(
            _mark(result), result.name, result.target, number(result.value), result.unit,
            number(result.baseline), ratio,
        )  # fmt: skip
    return table


if __name__ == "__main__":
    raise SystemExit(main())
