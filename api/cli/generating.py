"""Making something new of what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from api.access import requires
from api.cli import ids
from api.cli.changing import pairs
from api.cli.paging import PAGE, every
from api.cli.shell import Shell
from api.cli.text import seconds_text
from api.cli.verbs import generate, verb
from api.cli.waiting import wait_for
from domain.access import Permission
from domain.errors import Conflict, DiscoError, NotFound
from domain.ids import ResourceId

if TYPE_CHECKING:
    from rich.console import Console

    from domain.views import Document, Node
    from infra.base import BaseDisco

NEEDED = ("beats", "key", "chords")


class WithParameters(TyperCommand):
    """A verb whose help tells the declared parameters, looked up only when the help is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # Any: typer's own
        """Write the help, the parameters at its end."""
        from domain.parameters import ACCOMPANIMENT_PARAMETERS

        told = [
            f"{item.name}: {item.help} It is {item.range}; {item.default} if not set."
            for item in ACCOMPANIMENT_PARAMETERS
        ]
        self.epilog = "\n\n".join(["What --set sets:", *told, self.epilog or ""])
        super().format_help(ctx, formatter)


@verb(
    "Make",
    to=generate,
    cls=WithParameters,
    example="disco generate accompaniment 3f2a91c4 --seed 7 --set style=swing --set density=0.8",
)
@requires(Permission.GENERATE, of="id")
def accompaniment(
    shell: Shell,
    id: Annotated[str, typer.Argument(help="An audio asset, or a score or MIDI file that was rendered.")],
    seed: Annotated[int, typer.Option(help="The same seed, parameters and analyses give the same bytes.")],
    set: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call it.")] = None,
    to: Annotated[str | None, typer.Option(metavar="FOLDER", help="Save the MIDI and audio files there.")] = None,
) -> None:
    """Write bass, chords and drums to an asset, as MIDI and rendered to audio."""
    parameters = pairs(set or ())
    with shell.service(run=True) as service:
        source = audio_of(shell, service, ids.resource(shell, service, id))
        made = accompany(shell, service, source, seed=seed, name=name, parameters=parameters)
        saved = _save(service, made, to)
        shell.answer({**made, "saved": saved}, lambda console: _show(console, made, saved))


@verb("Make", example="disco transcribe 3f2a91c4 --to notes.mid")
@requires(Permission.GENERATE, of="id")
def transcribe(
    shell: Shell,
    id: Annotated[str, typer.Argument(help="An audio asset.")],
    name: Annotated[str | None, typer.Option(help="What to call the notes.")] = None,
    to: Annotated[str | None, typer.Option(metavar="FILE", help="Save the MIDI file there.")] = None,
) -> None:
    """Make a MIDI asset of the notes that were heard in a recording."""
    from api.cli.saving import save_content
    from domain.commands import KeepTranscription

    with shell.service(run=True) as service:
        source = service.views.documents.get(ids.resource(shell, service, id))
        if source["variant"] == "audio" and "transcription" not in source["analyses"]:
            shell.note("waiting for the analyses")
            service.settle()
        done = service.execute(KeepTranscription(asset_id=source["id"], name=name), actor=shell.actor)
        service.settle()
        midi = service.views.documents.get(done.resource_id)
        saved = [str(save_content(service, midi, to))] if to else []
        answer = {"midi": midi, "job": done.job, "new": done.written > 0, "saved": saved}
        shell.answer(answer, lambda console: _show_notes(console, midi, saved))


def _show_notes(console: Console, midi: Document, saved: list[str]) -> None:
    length = seconds_text(midi["facts"]["duration_s"])
    told = f"{midi['facts']['notes']} notes {length}"
    console.print(f"midi  {ids.short(midi['id'])} {midi['name']} {told}", markup=False)
    for path in saved:
        console.print(f"saved {path}", markup=False)


def accompany(
    shell: Shell,
    service: BaseDisco,
    source: Document,
    *,
    seed: int,
    name: str | None = None,
    parameters: Mapping[str, Any] | None = None,  # Any: JSON
) -> dict[str, Any]:
    """Generate an accompaniment and wait for it; tells the generation, and the documents of what it made.

    Raises: DiscoError, with the dead letter's code, where the processing failed.
    """
    from domain.commands import GenerateAccompaniment

    if any(kind not in source["analyses"] for kind in NEEDED):
        shell.note("waiting for the analyses")
        service.settle()
    command = GenerateAccompaniment(asset_id=source["id"], seed=seed, name=name, parameters=dict(parameters or {}))
    done = service.execute(command, actor=shell.actor)
    wait_for(shell, service, done.job if done.written else service.log.about(done.resource_id)[0].correlation, "Making")
    midi, audio = made_by(service, done.resource_id)
    return {"generation": done.resource_id, "job": done.job, "new": done.written > 0, "midi": midi, "audio": audio}


def made_by(service: BaseDisco, generation: ResourceId) -> tuple[Document, Document]:
    """The MIDI that a generation wrote, and its rendered audio. Raises: Conflict, where it failed."""
    from domain.views import Direction, Relation

    graph = service.views.graph
    midi = graph.neighbours([generation], Relation.GENERATED_BY, Direction.DOWN)[generation]
    audio = _audio(graph.neighbours([midi[0].id], Relation.DERIVED_FROM, Direction.DOWN)[midi[0].id]) if midi else []
    if not midi or not audio:
        raise _failure(service, generation, midi)
    found = service.views.documents.many([midi[0].id, audio[0].id])
    return found[midi[0].id], found[audio[0].id]


def _audio(nodes: list[Node]) -> list[Node]:
    return [node for node in nodes if node.variant == "audio"]


def _failure(service: BaseDisco, generation: ResourceId, midi: list[Node]) -> DiscoError:
    about = {generation, *(node.id for node in midi)}
    letters = every(lambda after: service.views.dead_letters.page(first=PAGE, after=after))
    letter = next((letter for letter in letters if letter["resource_id"] in about), None)
    if letter is not None:
        return Conflict(
            f"{letter['processor']} failed: {letter['message']} [{letter['code']}]; "
            f"disco retry {ids.short(letter['id'])} tries again",
            id=letter["id"],
        )
    return NotFound(f"nothing came of generation {generation}; disco verify looks for what is wrong", id=generation)


def audio_of(shell: Shell, service: BaseDisco, id: ResourceId) -> Document:
    """The asset itself, or the audio that a score or MIDI file was rendered to."""
    from domain.views import Direction, Relation

    document = service.views.documents.get(id)
    if document["kind"] != "asset" or document["variant"] == "audio":
        return document
    rendered = _audio(service.views.graph.neighbours([id], Relation.DERIVED_FROM, Direction.DOWN)[id])
    if not rendered:
        service.settle()
        rendered = _audio(service.views.graph.neighbours([id], Relation.DERIVED_FROM, Direction.DOWN)[id])
    if not rendered:
        raise NotFound(f"{document['name']!r} has not been rendered to audio; disco dead-letters may tell why", id=id)
    shell.note(f"{document['name']} is a {document['variant']}; its rendered audio {rendered[0].id} is accompanied")
    return service.views.documents.get(rendered[0].id)


def _save(service: BaseDisco, made: Mapping[str, Any], to: str | None) -> list[str]:
    from pathlib import Path

    from api.cli.saving import save_content

    if to is None:
        return []
    Path(to).expanduser().mkdir(parents=True, exist_ok=True)
    return [str(save_content(service, made[part], to)) for part in ("midi", "audio")]


def _show(console: Console, made: Mapping[str, Any], saved: list[str]) -> None:
    if not made["new"]:
        console.print("it was made before, with the same seed and parameters:")
    for part in ("midi", "audio"):
        document = made[part]
        length = seconds_text(document["facts"]["duration_s"])
        console.print(f"{part:<5} {ids.short(document['id'])} {document['name']} {length}", markup=False)
    for path in saved:
        console.print(f"saved {path}", markup=False)
    if not saved:
        console.print(f"disco save {ids.short(made['audio']['id'])} FILE writes it to a file", style="dim")
