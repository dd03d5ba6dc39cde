"""Having what is there answered by the processors as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.access import requires
from api.cli import ids
from api.cli.paging import PAGE, every
from api.cli.shell import Shell
from api.cli.verbs import verb
from api.cli.waiting import wait_for
from domain.access import Permission

if TYPE_CHECKING:
    from rich.console import Console

    from infra.base import BaseDisco


@verb("Operate", example="disco reprocess --processor track_beats --project Demos")
@requires(Permission.OPERATE, of="project")
def reprocess(
    shell: Shell,
    processor: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this processor; may be repeated.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Only in this project, by name or id.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until all is answered.")] = True,
) -> None:
    """Have all that older versions of processors have answered answered by the current ones."""
    from uuid import uuid4

    from api.reprocessing import known_processors
    from domain.commands import Reprocess

    with shell.service(run=wait) as service:
        names = known_processors(service, processor or ())
        projects = [ids.project(shell, service, project)] if project else _projects(shell, service)
        job, before = str(uuid4()), service.log.head()
        for id in projects:
            service.execute(Reprocess(project_id=id, processors=names), actor=shell.actor, job=job)
        failed = wait_for(shell, service, job, "Reprocessing") if wait and projects else 0
        answer = {"job": job, "projects": len(projects), **_planned(service, job, before, wait=wait)}
        answer["failed"] = failed if wait else None
        shell.answer(answer, lambda console: _show(console, answer))


def _projects(shell: Shell, service: BaseDisco) -> list[str]:
    """Every project, archived ones too: what is brought back is to be found as well as all else."""
    from domain.views import Filter, Kind

    filter = Filter(kinds=(Kind.PROJECT,), archived=True)
    documents = every(lambda after: service.views.documents.page(filter, first=PAGE, after=after))
    found = [str(document["id"]) for document in documents]
    for id in found:
        shell.allowed(service, id)
    return found


def _planned(service: BaseDisco, job: str, before: int, *, wait: bool) -> dict[str, int | None]:
    """How many events are to have how many answers; None where nobody has found out yet."""
    from domain.ports import Selection
    from events.processing import ReprocessingPlanned

    if not wait:
        return {"causes": None, "answers": None}
    selection = Selection(types=(ReprocessingPlanned.TYPE,), correlation=job)
    found = [event.json for event in service.log.read(before, limit=1_000_000, selection=selection)]
    return {name: sum(int(item[name]) for item in found) for name in ("causes", "answers")}


def _show(console: Console, answer: dict[str, Any]) -> None:  # Any: JSON
    if answer["answers"] is None:
        console.print("asked for; it is done while a service runs, or at the next import")
        return
    console.print(
        f"{answer['answers']:,} answers to {answer['causes']:,} events made anew"
        if answer["answers"]
        else "all is answered by the current versions already"
    )
    if answer["failed"]:
        console.print(f"{answer['failed']} failed: disco dead-letters tells why, disco retry --all tries again")
