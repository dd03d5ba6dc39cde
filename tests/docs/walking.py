"""Walks through a document: runs its ```console and ```graphql blocks in order and holds their answers to what it says.

In a console block a line that begins with "$ " is a command, "> " goes on with it, the rest is what it prints. Ids,
times and durations differ from run to run: an id or cursor in the document stands for the one that was printed in its
place, there and in every later command. A number with a decimal point may differ by a tenth. "…"
stands for anything, on a line of its own for any number of lines.
"""

from __future__ import annotations

import json
import math
import os
import re
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
COMMAND_S = 120.0
PROGRESS = re.compile(r"[A-Z][\w ]+: [\d,]+ of [\d,]+, [-\d:]+ left")
END = "__walked__"
HEX = r"[0-9a-f]"
TIME = r"\d{4}-\d\d-\d\d[T\ ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?"
TOKEN = re.compile(
    rf"""(?P<id>\b{HEX}{{8}}(?:-{HEX}{{4}}){{3}}-{HEX}{{12}}\b|\b(?:{HEX}{{64}}|{HEX}{{16}}|{HEX}{{12,13}}|{HEX}{{8}})\b)
      |(?P<time>{TIME})
      |(?P<took>\bin\ [\d.e-]+\ s\b|"durationms":\ ?\d+)
      |(?P<cursor>\b(?:ZTo|dDp)[A-Za-z0-9+/_=-]+)
      |(?P<float>-?\d+\.\d+)
      |(?P<any>…)""",
    re.VERBOSE,
)
PATTERNS = {
    "time": TIME,
    "took": r"(?:in [\d.e-]+ s|\"durationms\": ?\d+)",
    "cursor": r"(?:ZTo|dDp)[A-Za-z0-9+/_=-]+",
    "float": r"-?\d+(?:\.\d+)?",
    "any": r".*?",
}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its info string, its text, the line it begins on."""

    info: str
    text: str
    line: int


def blocks(document: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    found: list[Block] = []
    inside: list[str] | None = None
    info, begun = "", 0
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            if inside is None:
                inside, info, begun = [], line[3:].strip(), number
            else:
                found.append(Block(info, "\n".join(inside), begun))
                inside = None
        elif inside is not None:
            inside.append(line)
    assert inside is None, f"{document}:{begun}: a block does not end"
    return found


def steps(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines it prints."""
    command: list[str] = []
    printed: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield "\n".join(command), printed
            command, printed = [line[2:]], []
        elif line.startswith("> ") and command and not printed:
            command.append(line[2:])
        else:
            assert command, f"a console block begins with a command, not {line!r}"
            printed.append(line)
    if command:
        yield "\n".join(command), printed


class Matcher:
    """Holds text to text, and remembers what each id of the document stands for."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}

    def translated(self, text: str) -> str:
        """The text with the ids of this run."""
        return TOKEN.sub(lambda match: self.ids.get(match[0], match[0]), text)

    def line(self, expected: str, actual: str) -> bool:
        """Whether a line is as the document has it."""
        expected, actual = _plain(expected), _plain(actual)
        pattern, kinds = self._pattern(expected)
        match = re.fullmatch(pattern, actual)
        if match is None:
            return False
        learned: dict[str, str] = {}
        for (kind, said), found in zip(kinds, match.groups(), strict=True):
            if kind in ("id", "cursor") and self.ids.get(said, learned.setdefault(said, found)) != found:
                return False
            if kind == "float" and not math.isclose(float(said), float(found), rel_tol=0.1, abs_tol=0.02):
                return False
        for said, found in learned.items():
            self.ids[said] = found
            if len(said) == 36:
                self.ids.setdefault(said[:8], found[:8])
        return True

    def _pattern(self, expected: str) -> tuple[str, list[tuple[str, str]]]:
        pattern, kinds, end = "", [], 0
        for match in TOKEN.finditer(expected):
            kind = str(match.lastgroup)
            said = match[0]
            pattern += re.escape(expected[end : match.start()])
            shape = f"{HEX}{{8}}(?:-{HEX}{{4}}){{3}}-{HEX}{{12}}" if len(said) == 36 else f"{HEX}{{{len(said)}}}"
            pattern += f"({shape if kind == 'id' else PATTERNS[kind]})"
            kinds.append((kind, said))
            end = match.end()
        return pattern + re.escape(expected[end:]), kinds

    def lines(self, expected: list[str], actual: list[str]) -> str | None:
        """The first line of the document that nothing stands for; None if all is as it says."""
        if not expected:
            return None if not actual else f"nothing more, where there is {actual[0]!r}"
        if expected[0].strip() == "…":
            rest = expected[1:]
            if not rest:
                return None
            for start in range(len(actual) + 1):
                if start < len(actual) and not self.line(rest[0], actual[start]):
                    continue
                if self.lines(rest, actual[start:]) is None:
                    return None
            return rest[0]
        if actual and self.line(expected[0], actual[0]):
            return self.lines(expected[1:], actual[1:])
        return expected[0]

    def json(self, expected: Any, actual: Any, where: str = "$") -> str | None:  # Any: JSON
        """Where an answer differs from the document's; None if it does not."""
        if expected == "…":
            return None
        if isinstance(expected, dict) and isinstance(actual, dict):
            if set(expected) != set(actual):
                return f"{where}: {sorted(actual)}"
            pairs = [(f"{where}.{key}", value, actual[key]) for key, value in expected.items()]
        elif isinstance(expected, list) and isinstance(actual, list):
            cut = expected[-1:] == ["…"]
            wanted = expected[:-1] if cut else expected
            if len(actual) < len(wanted) or (len(actual) > len(wanted) and not cut):
                return f"{where}: {len(actual)} items"
            pairs = [(f"{where}[{at}]", value, actual[at]) for at, value in enumerate(wanted)]
        elif isinstance(expected, float) and isinstance(actual, float | int):
            return None if math.isclose(expected, actual, rel_tol=0.1, abs_tol=0.02) else f"{where}: {actual}"
        elif isinstance(expected, str) and isinstance(actual, str):
            return None if self.line(expected, actual) else f"{where}: {actual!r}"
        else:
            return None if expected == actual else f"{where}: {actual!r}"
        return next((found for at, left, right in pairs if (found := self.json(left, right, at))), None)


def _plain(line: str) -> str:
    return re.sub(r"\s+", " ", re.sub("─+", "─", line)).strip()


class Walk:
    """One reader at one shell: what a document says is typed here."""

    def __init__(self, folder: Path, *, port: int) -> None:
        self.port = port
        self.matcher = Matcher()
        self.took: list[tuple[float, str]] = []
        programs = folder / "bin"
        programs.mkdir(parents=True)
        run = f"exec {sys.executable} -m api.cli.main"
        self._program(programs / "disco", f'{run} "$@"')
        self._program(programs / "make", f'[ "$1" = demo ] || exit 0; {run} demo --into build/demo')
        self._program(programs / "python", f'exec {sys.executable} "$@"')
        self.source = folder / "disco-musica"
        self.source.mkdir()
        (self.source / "docs").symlink_to(ROOT / "docs")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DISCO_")}
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=self.source,
            env={
                **kept,
                "PATH": f"{programs}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "HOME": str(folder),
                "DISCO_PORT": str(port),
                "DISCO_WORKERS": "2",
                "TZ": "UTC",
                "NO_COLOR": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @staticmethod
    def _program(path: Path, line: str) -> None:
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def document(self, path: Path) -> None:
        """Walk through all of a document."""
        asked: Block | None = None
        for block in blocks(path):
            where = f"{path.relative_to(ROOT)}:{block.line}"
            if block.info == "console":
                self._console(block, where)
            elif block.info == "graphql":
                asked = block
            elif block.info == "json" and asked is not None:
                answer = self.ask(self.matcher.translated(asked.text))
                differs = self.matcher.json(json.loads(block.text), answer)
                assert differs is None, f"{where}: {differs}\nin {json.dumps(answer, indent=2)}"
                asked = None
            assert block.info != "graphql" or asked is block, f"{where}: a query without its answer"

    def _console(self, block: Block, where: str) -> None:
        for command, expected in steps(block.text):
            begun = time.monotonic()
            actual = self.type(self.matcher.translated(command).replace(":8765", f":{self.port}"))
            self.took.append((time.monotonic() - begun, command))
            expected = [line.replace(":8765", f":{self.port}") for line in expected if line.strip()]
            differs = self.matcher.lines(expected, actual)
            told = "\n".join(actual)
            assert differs is None, f"{where}: $ {command}\nshould have printed: {differs}\nbut printed:\n{told}"

    def type(self, command: str) -> list[str]:
        """Give the shell a command; returns what it printed, without empty lines and progress."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\necho; echo {END}\n".encode())
        self._shell.stdin.flush()
        printed, end = b"", time.monotonic() + COMMAND_S
        while not printed.endswith(f"{END}\n".encode()):
            ready, _, _ = select.select([self._shell.stdout], [], [], max(0.0, end - time.monotonic()))
            got = os.read(self._shell.stdout.fileno(), 1 << 16) if ready else b""
            assert got, f"$ {command}\ndid not end; it printed:\n{printed.decode()}"
            printed += got
        lines = printed.decode("utf-8", "replace").replace("\r", "").split("\n")[:-2]
        return [line for line in lines if line.strip() and not PROGRESS.fullmatch(line)]

    def ask(self, query: str) -> Any:  # Any: JSON
        """Ask the running service."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=COMMAND_S) as answer:  # noqa: S310  # the same
            return json.load(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the shell and everything it began."""
        import signal
        from contextlib import suppress

        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGTERM)
        try:
            self._shell.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()
