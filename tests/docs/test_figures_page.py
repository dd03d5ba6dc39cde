"""The page of figures says why, wherever a target is missed."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.figures import Result
from benchmarks.missed import WHY, reasons
from benchmarks.registry import FIGURES

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def test_the_page_says_why_of_each_target_that_was_missed() -> None:
    """Given the last run on the page, then each figure that missed its target is among the reasons, and no other is."""
    run, _, told = (
        PAGE.read_text(encoding="utf-8").partition("## The last run")[2].partition("## Why targets are missed")
    )
    missed = re.findall(r"^\| `([^`]+)` \|.*\*\*no\*\*", run, re.MULTILINE)
    named = [
        name
        for line in told.splitlines()
        if line.startswith("- ")
        for name in re.findall("`(.+?)`", line.split(": ")[0])
    ]
    assert sorted(named) == sorted(missed)


def test_reasons_are_told_of_figures_that_are_measured_and_missed() -> None:
    """Given reasons kept as data, then each is a figure's that there is, told where it was missed and not where met."""
    assert set(WHY) <= {figure.name for figure in FIGURES}
    missed, met = (Result("append.batch1000", 1.0, "events/s", None, None, met=met) for met in (False, True))
    assert WHY["append.batch1000"] in reasons([missed])
    assert reasons([met]) == ""
    assert "`new.figure`" in reasons([Result("new.figure", 1.0, "s", None, None, met=False)])
