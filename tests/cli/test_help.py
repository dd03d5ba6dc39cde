"""What the command line says of itself, and that it says it at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import api.cli.main
from api.access import declared, requirement_of, requires
from api.cli.verbs import PANELS, app, verb
from domain.access import Permission
from tests.cli.calling import ROOT, environment
from tests.cli.conftest import Disco

assert api.cli.main.app is app  # its import declares the verbs

HEAVY = ("numpy", "pydantic", "apsw", "fastapi", "strawberry", "librosa", "scipy", "music21", "structlog", "uvicorn")
WANTED = (
    *("import", "projects", "show", "lineage", "impact", "search", "similar", "rename", "tag", "describe", "move"),
    *("archive", "restore", "link-version", "events", "series", "replay", "verify", "retry", "dead-letters", "jobs"),
    *("job", "views", "serve", "export", "import-log", "save", "demo"),
)


def verbs(
    of: typer.Typer = app, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], typer.models.CommandInfo]]:
    """Every verb with the words that call it."""
    for command in of.registered_commands:
        assert command.callback is not None
        yield (*path, command.name or command.callback.__name__.replace("_", "-")), command
    for group in of.registered_groups:
        assert group.typer_instance is not None
        yield from verbs(group.typer_instance, (*path, str(group.name)))


VERBS = dict(verbs())


def test_every_verb_that_was_promised_is_there() -> None:
    """Given the promise, when the verbs are listed, then all are among them."""
    assert {(word,) for word in WANTED} | {("generate", "accompaniment")} <= set(VERBS)


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_verb_declares_its_permission_and_shows_an_example(
    words: tuple[str, ...], disco: Disco, tmp_path: Path
) -> None:
    """Given a verb, when asked, then it names the permission it needs, and its help shows how it is called."""
    command = VERBS[words]
    assert isinstance(declared(command.callback).permission, Permission)  # type: ignore[arg-type]  # a callback is there
    assert command.rich_help_panel in PANELS
    said = disco(tmp_path / "none", *words, "--help")
    assert said.status == 0
    assert f"Example: disco {' '.join(words)}" in " ".join(said.out.split())
    assert not (tmp_path / "none").exists()


def test_a_verb_without_a_permission_is_refused() -> None:
    """Given a function that declares no permission, when it is made a verb, then that is an error at once."""

    def careless(shell: object) -> None: ...

    with pytest.raises(TypeError, match="declares no permission"):
        verb("Look", example="disco careless")(careless)
    assert requirement_of(requires(Permission.READ)(careless)) is not None


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    """Given a new process, when it has all verbs, then none of the large libraries is loaded."""
    asked = f"import api.cli.main, sys; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    said = subprocess.run(
        [sys.executable, "-c", asked], env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


def test_the_generators_parameters_are_told(disco: Disco, tmp_path: Path) -> None:
    """Given the declared parameters, when help is asked for, then each is named with its range."""
    said = " ".join(disco(tmp_path, "generate", "accompaniment", "--help").out.split())
    assert "style: " in said
    assert "one of pop, ballad, swing, four-on-the-floor" in said
    assert "a number from 0 to 30 ms" in said


@pytest.mark.parametrize(
    "arguments", [("show",), ("nonsense",), ("show", "abcd", "--nonsense"), ("events", "--first", "x")]
)
def test_a_wrong_use_is_told_to_people_and_machines(arguments: tuple[str, ...], disco: Disco, tmp_path: Path) -> None:
    """Given a wrong call, when made, then the status is 2; with --json the error has its code."""
    assert disco(tmp_path, *arguments).status == 2
    told = disco(tmp_path, *arguments, "--json")
    assert (told.status, told.out, told.error["code"]) == (2, "", "malformed")
