"""The command line as tests call it: in this process where a process of its own adds nothing, else as `disco`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "api.cli.main"]
PATIENCE_S = 120.0
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Called:
    """What came of a call."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # Any: JSON
        """The one document of standard output."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:  # Any: JSON
        """A document a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict[str, Any]:  # Any: JSON
        """The error on standard error, which is its last line."""
        found: dict[str, Any] = json.loads(self.err.splitlines()[-1])["error"]
        return found


def environment(home: Path, told: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """What `disco` sees: its data folder, the tree to import from, and what it is `told` besides."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DISCO_")}
    return {
        "PYTHONFAULTHANDLER": "1",
        **kept,
        "DISCO_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "DISCO_WORKERS": "2",
        **told,
    }


def call(home: Path, *arguments: object, told: Mapping[str, str] = NOTHING) -> Called:
    """Run `disco` to its end."""
    command = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(
        command,
        env=environment(home, told),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        stdin=subprocess.DEVNULL,
    )
    return Called(done.returncode, done.stdout, done.stderr)


def ended(process: subprocess.Popen[str]) -> int:
    """The status that a process ends with; one that does not end tells where its threads stand, and dies of it."""
    try:
        return process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        return process.wait(PATIENCE_S)


def begin(home: Path, *arguments: object, told: Mapping[str, str] = NOTHING) -> subprocess.Popen[str]:
    """Start `disco` and leave it running."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(
        command,
        env=environment(home, told),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
