"""`python -m benchmarks.hearing`: score what is heard, beside what people use today, on material of known truth."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.hearing import faults, others, page
from benchmarks.hearing.measuring import Maker, Run, measure
from benchmarks.hearing.ours import OURS
from benchmarks.hearing.peers import PEERS
from benchmarks.hearing.render import missing
from benchmarks.hearing.tasks import ELSEWHERE, TASKS


def main(arguments: Sequence[str] | None = None) -> int:
    """Score and print; status 1 where a figure fell and `--check` is given, 2 where nothing can be rendered."""
    asked = _parser().parse_args(arguments)
    if why := missing():
        sys.stderr.write(f"hearing is not measured: {why}\n")
        return 2
    names = [name.strip() for name in asked.only.split(",") if name.strip()] or _all_tasks()
    if unknown := sorted(set(names) - set(_all_tasks())):
        sys.stderr.write(f"no task is called {', '.join(unknown)}; there are {', '.join(_all_tasks())}\n")
        return 2
    ours = _measured(OURS, names, asked, "ours")
    peers: dict[str, Run] = {}
    for peer in PEERS if asked.peers else ():
        if why := peer.missing():
            _say(f"{why}\n")
            continue
        few = asked.at_most if peer.at_most is None else min(peer.at_most, asked.at_most or peer.at_most)
        fewer = argparse.Namespace(**(vars(asked) | {"at_most": few}))
        peers[peer.name] = _measured(dict(peer.makers), names, fewer, peer.name)
    _say("")
    text = page.table(ours, peers)
    sys.stdout.write(text + _speeds(ours))
    if "quality" in names:
        sys.stdout.write(faults.table(faults.tallies(asked.split, say=_say, at_most=asked.at_most)))
    for failure in ours.failures:
        sys.stdout.write(f"failed: {failure}\n")
    return _kept(ours, text, asked)


def _kept(ours: Run, text: str, asked: argparse.Namespace) -> int:
    if asked.write:
        page.write_kept(ours, asked.split)
        page.write_page(text)
    if not asked.check:
        return 0
    found = page.complaints(ours, asked.split) + ours.failures
    sys.stdout.writelines(f"worse: {one}\n" for one in found)
    return int(bool(found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hearing", description=__doc__)
    parser.add_argument("--split", choices=("dev", "test"), default="dev", help="choose by dev, report by test")
    parser.add_argument("--only", default="", metavar="TASKS", help="names with commas between: beats,key,chords")
    parser.add_argument("--peers", action="store_true", help="ask librosa and whoever is installed, too")
    parser.add_argument("--at-most", type=int, metavar="N", help="only so many items of a kind")
    parser.add_argument("--items", action="store_true", help="print each item's scores")
    parser.add_argument("--write", action="store_true", help="write figures.json and the table in docs/analysis.md")
    parser.add_argument("--check", action="store_true", help="status 1 where a figure fell by more than its noise")
    return parser


def _all_tasks() -> list[str]:
    return [*(task.name for task in TASKS), *ELSEWHERE]


def _measured(makers: dict[str, Maker], names: list[str], asked: argparse.Namespace, who: str) -> Run:
    def say(text: str) -> None:
        _say(f"{who}: {text}")

    run = measure(makers, asked.split, [task for task in TASKS if task.name in names], say=say, at_most=asked.at_most)
    if "loops" in names and "beats" in makers:
        try:
            others.loops(run, makers["beats"])
        except FileNotFoundError as error:
            _say(f"loops are skipped: {error}\n")
    if "retrieval" in names and "retrieval" in makers:
        others.retrieval(run, makers["retrieval"], asked.split, say)
    if asked.items:
        for name, scores in sorted(run.table.items()):
            sys.stdout.writelines(f"{who}\t{name}\t{item}\t{score:.3f}\n" for item, score in sorted(scores.items()))
    return run


def _speeds(run: Run) -> str:
    rows = [f"{name} {run.heard_s[name] / max(taken, 1e-9):.0f}×" for name, taken in run.seconds.items()]
    return f"\nReal time over CPU time, what is shared with whoever asks first: {', '.join(rows)}.\n" if rows else ""


def _say(text: str) -> None:
    sys.stderr.write(f"\r\033[K{text}")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
