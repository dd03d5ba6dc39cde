"""Changes to resources: each one command, told as an event."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.access import requires
from api.cli import ids
from api.cli.shell import Shell
from api.cli.verbs import verb
from domain.access import Permission
from domain.errors import Malformed

if TYPE_CHECKING:
    from domain.commands import Command

IdArgument = Annotated[str, typer.Argument(help="The resource; the beginning of its id will do.")]
ExpectedOption = Annotated[
    int | None, typer.Option("--expect", metavar="VERSION", help="Fail if it is no longer at this version.")
]


def _made(make: type[Command], **fields: Any) -> Command:
    """A command of these fields, or an error that names the one that does not fit. Any: fields."""
    from pydantic import ValidationError

    try:
        return make(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Malformed(f"{where}: {first['msg']}", field=where) from error


def _change(shell: Shell, id: str, kind: str, *, expect: int | None, others: dict[str, str], **fields: Any) -> None:
    """Carry out a command on a resource; `others` are fields that hold ids as people type them. Any: fields."""
    from api.tokens import token_text
    from domain import commands

    with shell.service() as service:
        found = ids.resource(shell, service, id)
        fields |= {field: ids.resource(shell, service, text) for field, text in others.items()}
        command = _made(getattr(commands, kind), resource_id=found, expected_version=expect, **fields)
        done = service.execute(command, actor=shell.actor)
        answer = {"id": found, "changed": done.written > 0, "token": token_text(done.token), "job": done.job}
        shell.answer(answer, lambda console: console.print("done" if done.written else "nothing to change"))


@verb("Change", example='disco create "Rough mixes" --in 3f2a91c4')
@requires(Permission.WRITE, of="within")
def create(
    shell: Shell,
    name: Annotated[str, typer.Argument(help="What it is to be called.")],
    within: Annotated[
        str | None, typer.Option("--in", metavar="PROJECT", help="Make a track in this project, not a project.")
    ] = None,
) -> None:
    """Begin a project, or with --in a track of a project."""
    from api.tokens import token_text
    from domain.commands import CreateProject, CreateTrack

    with shell.service() as service:
        if within is None:
            command = _made(CreateProject, name=name)
        else:
            command = _made(CreateTrack, project_id=ids.resource(shell, service, within), name=name)
        done = service.execute(command, actor=shell.actor)
        answer = {"id": done.resource_id, "token": token_text(done.token), "job": done.job}
        shell.answer(answer, lambda console: console.print(done.resource_id))


@verb("Change", example='disco rename 3f2a91c4 "Second take"')
@requires(Permission.WRITE, of="id")
def rename(
    shell: Shell,
    id: IdArgument,
    name: Annotated[str, typer.Argument(help="The new name.")],
    expect: ExpectedOption = None,
) -> None:
    """Give a resource another name."""
    _change(shell, id, "RenameResource", expect=expect, others={}, name=name)


@verb("Change", example="disco tag 3f2a91c4 favourite live --remove draft")
@requires(Permission.WRITE, of="id")
def tag(
    shell: Shell,
    id: IdArgument,
    tags: Annotated[list[str] | None, typer.Argument(help="Tags to put on it.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", "-r", help="A tag to take off it.")] = None,
    expect: ExpectedOption = None,
) -> None:
    """Put tags on a resource and take tags off it."""
    if not tags and not remove:
        raise Malformed("name at least one tag to add, or one to --remove", field="tags")
    _change(shell, id, "TagResource", expect=expect, others={}, add=tuple(tags or ()), remove=tuple(remove or ()))


@verb("Change", example="disco describe 3f2a91c4 singer=Ana take=2 mood=")
@requires(Permission.WRITE, of="id")
def describe(
    shell: Shell,
    id: IdArgument,
    changes: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="JSON or text; KEY= removes.")],
    expect: ExpectedOption = None,
) -> None:
    """Change a resource's free metadata."""
    _change(shell, id, "DescribeResource", expect=expect, others={}, changes=pairs(changes))


@verb("Change", example="disco move 3f2a91c4 77b0c5d2")
@requires(Permission.WRITE, of="id")
def move(
    shell: Shell,
    id: IdArgument,
    to: Annotated[str, typer.Argument(help="The track or project to put it in.")],
    expect: ExpectedOption = None,
) -> None:
    """Put an asset into another track of its project."""
    _change(shell, id, "MoveResource", expect=expect, others={"to_id": to})


@verb("Change", example="disco archive 3f2a91c4")
@requires(Permission.WRITE, of="id")
def archive(shell: Shell, id: IdArgument, expect: ExpectedOption = None) -> None:
    """Put a resource out of the way; nothing is lost."""
    _change(shell, id, "ArchiveResource", expect=expect, others={})


@verb("Change", example="disco restore 3f2a91c4")
@requires(Permission.WRITE, of="id")
def restore(shell: Shell, id: IdArgument, expect: ExpectedOption = None) -> None:
    """Bring an archived resource back."""
    _change(shell, id, "RestoreResource", expect=expect, others={})


@verb("Change", example="disco link-version 3f2a91c4 90ab12cd")
@requires(Permission.WRITE, of="id")
def link_version(
    shell: Shell,
    id: IdArgument,
    previous: Annotated[str, typer.Argument(help="The older version.")],
    expect: ExpectedOption = None,
) -> None:
    """Say that an asset is a newer version of another."""
    _change(shell, id, "LinkVersion", expect=expect, others={"previous_id": previous})


def pairs(texts: Sequence[str]) -> dict[str, Any]:  # Any: JSON
    """KEY=VALUE as a mapping: a value is JSON where it is JSON, else text; an empty one is null. Raises: Malformed."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise Malformed(f"{text!r} is not KEY=VALUE", field="changes")
        try:
            found[key] = json.loads(value) if value else None
        except ValueError:
            found[key] = value
    return found
