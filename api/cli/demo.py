"""The demonstration: real pieces in, an accompaniment out, its lineage, and a replay that comes to the same."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.access import requires
from api.cli import ids
from api.cli.progress import bar
from api.cli.shell import Options, Shell
from api.cli.text import seconds_text
from api.cli.verbs import verb
from domain.access import Permission
from domain.errors import Conflict, Corrupted, Malformed, Unsupported
from domain.ids import ResourceId

if TYPE_CHECKING:
    from rich.console import Console

    from infra.base import BaseDisco

DEPTH = 12
MARKER = ".disco-demo"


@verb("Make", example="disco demo ~/Music/song.wav --into build/demo --seed 1", hidden=True)
@requires(Permission.OPERATE)
def demo(
    shell: Shell,
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH...", help="Your own music.")] = None,
    into: Annotated[Path, typer.Option(help="A folder for its data; made afresh each time.")] = Path("build/demo"),
    seed: Annotated[int, typer.Option(help="The seed of the accompaniment.")] = 1,
) -> None:
    """Show what Disco Musica does, from the first file to a replay."""
    pieces = paths or _corpus()
    _fresh(into)
    inner = Shell(Options(home=into / "home").over(shell.options), shell.requirement)
    with inner.service(run=True) as service:
        told = _Demo(inner, service, into).run(pieces, seed)
    if shell.json:
        shell.line(told, indent=2)
    if not told["same"]:
        raise Corrupted("the replay came to other views than those that grew live; that is a fault of ours")


def _corpus() -> list[Path]:
    try:
        from benchmarks.pieces import corpus_paths
    except ImportError as error:
        raise Unsupported("the pieces come with the source tree; name files of your own") from error
    return corpus_paths()


def _fresh(into: Path) -> None:
    """Make the folder empty, if it is one of ours."""
    if into.exists() and any(into.iterdir()):
        if not (into / MARKER).exists():
            raise Conflict(f"{into} holds something else than a demonstration; name another folder with --into")
        shutil.rmtree(into)
    into.mkdir(parents=True, exist_ok=True)
    (into / MARKER).touch()


def _command() -> str:
    """How to call this command line again."""
    return "disco" if Path(sys.argv[0]).name == "disco" else f"{os.path.relpath(sys.executable)} -m api.cli.main"


class _Demo:
    """One demonstration, told step by step."""

    def __init__(self, shell: Shell, service: BaseDisco, into: Path) -> None:
        self._shell = shell
        self._service = service
        self._into = into
        self._step = 0

    def run(self, pieces: list[Path], seed: int) -> dict[str, Any]:  # Any: JSON
        job, sources = self._import(pieces)
        self._analyse(job)
        made = self._generate(sources, seed)
        self._lineage(made)
        compared = self._replay()
        return {
            "midi": str(self._into / "accompaniment.mid"),
            "audio": str(self._into / "accompaniment.flac"),
            "generation": made["generation"],
            "views": compared,
            "same": all(item["same"] for item in compared),
        }

    def _say(self, text: str, *, step: bool = True) -> None:
        if self._shell.json:
            return
        self._step += step
        console: Console = self._shell.console()
        console.print(f"\n{self._step}. {text}" if step else f"   {text}", style="bold" if step else None, markup=False)

    def _import(self, pieces: list[Path]) -> tuple[str, list[ResourceId]]:
        self._say(f"Import {len(pieces)} pieces: each file becomes an event, its content a blob named by its hash")
        with bar(self._shell, "Importing") as progress:
            report = self._service.import_paths(
                pieces,
                actor=self._shell.actor,
                project="Demonstration",
                on_file=lambda result, done, total: progress(done, total),
            )
        for item in report.imported:
            self._say(f"{ids.short(item.asset_id)} {item.path}", step=False)
        for failure in report.failed:
            self._say(f"not imported: {failure.message}", step=False)
        if not report.imported:
            raise Malformed("nothing could be imported; name audio, MIDI or MusicXML files", field="INPUT")
        return report.job, [item.asset_id for item in report.imported]

    def _analyse(self, job: str) -> None:
        from api.cli.waiting import standing, wait_for

        self._say("Render and analyse: each event goes to the processors that answer its type")
        failed = wait_for(self._shell, self._service, job, "Analysing")
        _, done, _ = standing(self._service, job)
        self._say(f"{done} answers, {failed} failed; the log holds {self._service.log.head()} events", step=False)

    def _generate(self, sources: list[ResourceId], seed: int) -> dict[str, Any]:  # Any: JSON
        from api.cli.generating import accompany, audio_of

        source = audio_of(Shell(Options(json=True), self._shell.requirement), self._service, sources[0])
        self._say(f"Generate an accompaniment to {source['name']!r} with seed {seed}, and render it")
        made = accompany(self._shell, self._service, source, seed=seed)
        for part, name in (("midi", "accompaniment.mid"), ("audio", "accompaniment.flac")):
            document = made[part]
            shutil.copyfile(self._service.blobs.path(document["content"]["sha256"]), self._into / name)
            length = seconds_text(document["facts"]["duration_s"])
            sha256 = document["content"]["sha256"][:16]
            self._say(f"{part:<5} {self._into / name}  {length}  sha256 {sha256}", step=False)
        return made

    def _lineage(self, made: dict[str, Any]) -> None:  # Any: JSON
        from api.cli.tree import print_tree
        from domain.views import Direction

        self._say("What is that made of?   disco lineage " + ids.short(made["audio"]["id"]))
        walk = self._service.views.graph.lineage(made["audio"]["id"], Direction.UP, depth=DEPTH, first=500)
        events = self._service.log.at(sorted({node.position for node in walk.nodes}))
        if not self._shell.json:
            print_tree(self._shell.console(), walk, Direction.UP, events)

    def _replay(self) -> list[dict[str, Any]]:  # Any: JSON
        from api.cli.operating import rebuilt, show_compared

        self._say("Replay the log into fresh views: they hold the same as those that grew live")
        compared = rebuilt(self._shell, self._service)
        if not self._shell.json:
            show_compared(self._shell.console(), compared)
            self._say(f"look around: {_command()} --home {self._into / 'home'} projects", step=False)
        return compared
