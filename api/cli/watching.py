"""The log as it is, and as it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.access import requires
from api.cli import ids
from api.cli.shell import Shell
from api.cli.text import time_text
from api.cli.verbs import verb
from domain.access import Permission

if TYPE_CHECKING:
    from domain.ports import EventLog, Selection
    from events.envelope import Recorded

PAGE = 500
WAIT_S = 5.0


@verb("Look", example="disco events --follow --project Demos --json")
@requires(Permission.READ)
def events(
    shell: Shell,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay, and print what happens.")] = False,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Only what is behind: an event's cursor, or a write's token.")
    ] = None,
    type: Annotated[list[str] | None, typer.Option(help="Only this type, such as disco.audio.imported.")] = None,
    subject: Annotated[str | None, typer.Option(metavar="ID", help="Only what happened to this resource.")] = None,
    project: Annotated[str | None, typer.Option(help="Only in this project, by name or id.")] = None,
    first: Annotated[int | None, typer.Option(min=1, help="How many at most.")] = None,
) -> None:
    """Print what happened, in order; with --json one CloudEvent a line, with its cursor."""
    from domain.ids import ProjectId
    from domain.ports import Selection

    with shell.service(fresh=subject is not None or project is not None) as service:
        selection = Selection(
            types=tuple(type or ()),
            subject=ids.resource(shell, service, subject) if subject else None,
            project=ProjectId(ids.project(shell, service, project)) if project else None,
        )
        _print(shell, service.log, _position(after), selection, first=first, follow=follow)


def _position(after: str | None) -> int:
    """Where to begin: a cursor, a token, or a place in the log as a number."""
    from api.tokens import parse_position

    return int(after) if after and after.isdecimal() and len(after) < 19 else parse_position(after)


def _print(
    shell: Shell, log: EventLog, position: int, selection: Selection, *, first: int | None, follow: bool
) -> None:
    left = first
    while left is None or left > 0:
        upto = log.head()
        page = log.read(position, limit=min(PAGE, left or PAGE), upto=upto, selection=selection)
        for event in page:
            _line(shell, event)
        left = None if left is None else left - len(page)
        if page:
            position = page[-1].position
        elif follow:
            position = max(position, upto)
            while log.wait(position, WAIT_S) <= position:
                pass
        else:
            return


def _line(shell: Shell, event: Recorded) -> None:
    if shell.json:
        from api.tokens import event_text
        from events.envelope import to_cloudevent

        shell.line({**to_cloudevent(event), "cursor": event_text(event.position)})
        return
    by = event.processor or event.actor
    what = f"{event.position:>8} {time_text(event.time_us)} {event.type.removeprefix('disco.'):<26}"
    shell.console().print(f"{what} {ids.short(event.subject)} by {by} {_name(event)}", markup=False, soft_wrap=True)


def _name(event: Recorded) -> str:
    data: Any = event.data  # Any: events that have a name
    return str(getattr(data, "name", "") or getattr(data, "message", ""))
