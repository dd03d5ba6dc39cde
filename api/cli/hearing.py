"""What was heard in a recording: whole findings, and annotations for other programs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.access import requires
from api.cli import ids
from api.cli.moments import AsOfOption, moment_of
from api.cli.saving import plain_name, write_new
from api.cli.shell import Shell
from api.cli.text import one_line
from api.cli.verbs import verb
from domain.access import Permission
from domain.errors import Malformed, NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from api.heard import Heard
    from domain.views import AsOf
    from infra.base import BaseDisco


class Format(StrEnum):
    """A form of annotations."""

    JAMS = "jams"
    CSV = "csv"
    AUDACITY = "audacity"


class Picture(StrEnum):
    """What can be drawn."""

    WAVEFORM = "waveform"
    CHROMA = "chroma"
    LOUDNESS = "loudness"
    STRUCTURE = "structure"
    MELODY = "melody"


AssetArgument = Annotated[str, typer.Argument(help="The asset; the beginning of its id will do.")]


@verb("Look", example="disco findings 3f2a91c4 chords")
@requires(Permission.READ, of="id")
def findings(
    shell: Shell,
    id: AssetArgument,
    kinds: Annotated[list[str] | None, typer.Argument(metavar="[KIND]…", help="Of these kinds alone.")] = None,
    as_of: AsOfOption = None,
) -> None:
    """Show all that was found in an asset: every beat, chord and curve, as the events tell it."""
    with shell.service() as service:
        found = _heard(shell, service, id, moment_of(as_of)).found
    for kind in kinds or ():
        if kind not in found:
            there = f"there are {', '.join(found)}" if found else "nothing was found in it yet"
            raise NotFound(f"there is no finding {kind!r} of this asset; {there}", field="kinds")
    chosen = {kind: event for kind, event in found.items() if not kinds or kind in kinds}
    told = [
        {"kind": kind, "id": event.id, "source": event.source, "position": event.position, "data": event.json}
        for kind, event in chosen.items()
    ]
    shell.answer(told, lambda console: _print(console, told))


@verb("Make", name="annotations", example="disco annotations 3f2a91c4 --format audacity --layer chords --to chords.txt")
@requires(Permission.READ, of="id")
def write_annotations(
    shell: Shell,
    id: AssetArgument,
    format: Annotated[
        Format, typer.Option(help="JAMS, CSV with a row a mark, or a label track of Audacity.")
    ] = Format.JAMS,
    layer: Annotated[list[str] | None, typer.Option(help="Only this layer; may be said again.")] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that is not there yet. [default: print]")
    ] = None,
    as_of: AsOfOption = None,
) -> None:
    """Write what was heard along time for other programs: beats, chords, sections and more."""
    from api.annotations import annotated

    with shell.service() as service:
        heard = _heard(shell, service, id, moment_of(as_of))
        text = annotated(heard, format, layer or ())
    if to is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    write_new(to, text.encode())
    shell.answer({"id": heard.document["id"], "path": to}, lambda console: console.print(str(to), markup=False))


@verb("Make", example="disco plot 3f2a91c4 chroma --to chords.svg")
@requires(Permission.READ, of="id")
def plot(
    shell: Shell,
    id: AssetArgument,
    what: Annotated[Picture, typer.Argument(help="What to draw.")] = Picture.WAVEFORM,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A new .png or .svg. [default: a .png named after the asset]")
    ] = None,
    as_of: AsOfOption = None,
) -> None:
    """Draw what was heard: the wave with its beats, pitch classes with chords, loudness, the structure."""
    from api.plots import FORMATS, drawn

    with shell.service() as service:
        heard = _heard(shell, service, id, moment_of(as_of))
        path = to or Path(f"{plain_name(heard.document)}-{what}.png")
        format = path.suffix.removeprefix(".").lower()
        if format not in FORMATS:
            raise Malformed(f"{path} is neither a .png nor a .svg; name the file so with --to", field="to")
        picture = drawn(heard, what, format)
    write_new(path, picture)
    shell.answer({"id": heard.document["id"], "path": path}, lambda console: console.print(str(path), markup=False))


def _heard(shell: Shell, service: BaseDisco, id: str, moment: AsOf) -> Heard:
    from api.heard import Heard

    return Heard.of(service, ids.resource(shell, service, id), moment)


def _print(console: Console, found: list[dict[str, Any]]) -> None:  # Any: JSON
    for finding in found:
        console.print(f"{finding['kind']}  ({finding['source']})", style="bold", markup=False)
        for name, value in finding["data"].items():
            if name != "asset_id":
                console.print(f"  {name:<18} {one_line(value)}", markup=False)
