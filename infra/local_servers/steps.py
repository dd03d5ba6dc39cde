"""One step of an installation: a command with a log, and a failure that says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Unavailable, Unsupported

SAID_LINES = 15
STEP_TIMEOUT_S = 1800.0
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Program:
    """A program that must be on the path, and what brings it."""

    name: str
    brought_by: str


JAVA = Program("java", "apt-get install openjdk-17-jre-headless (Java 17 or newer)")
MAVEN = Program("mvn", "apt-get install maven")
GO = Program("go", "Go 1.26 or newer: https://go.dev/doc/install")
APT = Program("apt-get", "a Debian or Ubuntu, or a container engine: docker compose -f infra/compose.yaml up")
DPKG = Program("dpkg-deb", "apt-get install dpkg")


def found(program: Program, *, wanted_by: str) -> str:
    """The program's path.

    Raises: Unsupported, with what would bring it, and the ways around it.
    """
    path = shutil.which(program.name)
    if path is None:
        raise Unsupported(
            f"{wanted_by} needs the program `{program.name}`, which is not here. "
            f"Install it: {program.brought_by}. {other_ways(wanted_by)}"
        )
    return path


def other_ways(server: str) -> str:
    """What one can do where a server cannot be installed."""
    return (
        "Or start it by a container engine (docker compose -f infra/compose.yaml up), "
        f"or name one that runs elsewhere by its DISCO_… address; {server} can be left out by naming the others."
    )


@dataclass
class Steps:
    """The steps of one server's installation, each logged to one file and told to who watches."""

    server: str
    log: Path
    tell: Callable[[str], None] = lambda _: None

    def run(
        self,
        step: str,
        command: list[str],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] = NOTHING,
        hint: str = "",
    ) -> str:
        """Run a command to its end and return what it printed.

        Raises: Unavailable, with the step, the command, the end of its log, and `hint`.
        """
        self.tell(step)
        try:
            done = subprocess.run(  # noqa: S603  # our own tables' commands, no shell
                command,
                cwd=cwd,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=STEP_TIMEOUT_S,
                text=True,
                errors="replace",
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise self.failed(step, command, f"took more than {STEP_TIMEOUT_S:.0f} s", str(late.stdout or "")) from late
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}\n")
        if done.returncode != 0:
            raise self.failed(step, command, f"ended with status {done.returncode}", done.stdout, hint)
        return done.stdout

    def failed(self, step: str, command: list[str], how: str, said: str, hint: str = "") -> Unavailable:
        """A failure that names everything one needs to go on."""
        return Unavailable(
            f"{self.server}: the step “{step}” failed: its command {how}.\n"
            f"  command: {' '.join(command)}\n  log: {self.log}, which ends:\n{end_of(said)}\n"
            f"  what to do: {hint or 'try again; what was fetched so far is kept'}"
        )


def end_of(text: str) -> str:
    """The last lines of a log, indented."""
    lines = [line for line in text.splitlines() if line.strip()][-SAID_LINES:]
    return "\n".join(f"    {line}" for line in lines) or "    (it said nothing)"
