"""kill -9 at random points of import, processing and rebuild: nothing acknowledged is lost, nothing done twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain import ids

KILLS = int(os.environ.get("DISCO_KILLS", "200"))
REAL_KILLS = int(os.environ.get("DISCO_REAL_KILLS", "6"))


HALF = (KILLS + 1) // 2
CAMPAIGNS = {
    "log views and runner": (HALF, 7, "cheap", 0, 0.6),
    "the same otherwise": (KILLS - HALF, 8, "cheap", 0, 0.6),
    "real processors": (REAL_KILLS, 7, "real", 0, 8),
}


@pytest.fixture(scope="module")
def campaigns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Path, subprocess.Popen[bytes]]]]:
    """All of them under way, side by side: each mostly waits for the next moment to kill at."""
    begun = {}
    for name, how in CAMPAIGNS.items():
        home = tmp_path_factory.mktemp("crash") / "home"
        home.mkdir()
        command = [sys.executable, "-m", "tests.crash.campaign", str(home), *map(str, how)]
        with (home.parent / "said").open("w") as said:
            begun[name] = home, subprocess.Popen(command, stdout=said, stderr=said)
    yield begun
    for _, process in begun.values():
        with process:
            process.kill()


@pytest.fixture(scope="module", params=list(CAMPAIGNS))
def survived(
    request: pytest.FixtureRequest, campaigns: dict[str, tuple[Path, subprocess.Popen[bytes]]]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What the killed were told, and what is there at the end."""
    home, process = campaigns[request.param]
    process.wait(300 + 15 * KILLS)
    assert process.returncode == 0, (home.parent / "said").read_text()[-3000:]
    said = json.loads((home / "said.json").read_text())
    errors = [line for line in said if "error" in line]
    assert not errors, errors[:3]
    kills, _, processors, *_ = CAMPAIGNS[request.param]
    return said, json.loads((home / "verdict.json").read_text()) | {"cheap_kills": kills * (processors == "cheap")}


Survived = tuple[list[dict[str, Any]], dict[str, Any]]


def test_no_acknowledged_event_is_lost(survived: Survived) -> None:
    """Given every import and command whose answer was heard, then its event is in the log, at the position told."""
    said, verdict = survived
    positions = {id: position for position, id in enumerate(verdict["ids"], 1)}
    commands = [line for line in said if "command" in line]
    assert commands
    for line in commands:
        assert positions[ids.derived("command", line["command"], 0)] == line["position"]
    assets = {line["asset"] for line in said if "asset" in line}
    assert assets
    assert assets <= set(verdict["added"])


def test_no_effect_is_doubled(survived: Survived) -> None:
    """Given processors started over and over, then each finding, failure, asset and event is there exactly once."""
    _, verdict = survived
    for name in ("ids", "added"):
        assert len(verdict[name]) == len(set(verdict[name])), name
    assert [finding for finding in verdict["findings"] if finding[2] != 1] == []
    assert [pair for pair, times in Counter(map(tuple, verdict["failures"])).items() if times != 1] == []
    assert verdict["letters"] == len(verdict["failures"])


def test_no_effect_is_missing(survived: Survived) -> None:
    """Given all that came in, then assets of a kind have equally many answers, and every blob is there."""
    _, verdict = survived
    assert verdict["settled"]
    answers = Counter(finding[0] for finding in verdict["findings"])
    answers.update(failure[0] for failure in verdict["failures"])
    for kind in ("imported", "rendered", "notes"):
        assert len({answers[asset] for asset in verdict[kind]}) <= 1, kind
    assert verdict["blobs_missing"] == []


def test_the_log_is_whole_and_the_views_are_what_it_says(survived: Survived) -> None:
    """Given what is left, then positions have no gap, no row differs from a fresh fold, a rebuild changes nothing."""
    _, verdict = survived
    assert verdict["positions_whole"]
    assert verdict["differences"] == []
    assert verdict["digests_equal"]


def test_the_kills_came_at_all_kinds_of_moments(survived: Survived) -> None:
    """Given the campaign, then many had opened and many rebuilt, and imports and processing were under way.

    A quarter, of lives that are short; on two busy cores it is two thirds.
    """
    said, verdict = survived
    assert sum("opened" in line for line in said) >= max(1, verdict["cheap_kills"] // 4)
    assert sum("rebuilt" in line for line in said) >= verdict["cheap_kills"] // 4
    assert len(verdict["imported"]) + len(verdict["rendered"]) > 1
    assert len(verdict["ids"]) > len(verdict["imported"]) + len(verdict["rendered"])
