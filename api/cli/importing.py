"""Taking files in."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.access import requires
from api.cli import ids
from api.cli.failures import status_of
from api.cli.progress import bar
from api.cli.shell import Shell
from api.cli.verbs import verb
from api.cli.waiting import wait_for
from domain.access import Permission
from domain.errors import Malformed
from domain.ids import ResourceId

if TYPE_CHECKING:
    from rich.console import Console

    from domain.service import Failure, Imported, ImportReport
    from infra.base import BaseDisco


@verb("Make", name="import", example="disco import ~/Music/Demos --project Demos")
@requires(Permission.WRITE)
def import_(
    shell: Shell,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, and folders: each a project.")],
    project: Annotated[str | None, typer.Option(help="The project to import to, by name or id; made if new.")] = None,
    version_of: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="The asset that the file is a newer version of; once for each PATH."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until all is analysed.")] = True,
) -> None:
    """Import audio, MIDI and scores, and have them analysed; what is known already is recognised."""
    _check_versions(paths, version_of)
    with shell.service(run=wait) as service:
        older = [ids.resource(shell, service, text) for text in version_of or ()]
        if older and project is None:
            project = service.views.documents.get(older[0])["project"]
        job = str(uuid.uuid4())
        with bar(shell, "Importing") as progress:

            def on_file(result: Imported | Failure, done: int, total: int) -> None:
                progress(done, total)

            report = service.import_paths(paths, actor=shell.actor, project=project, job=job, on_file=on_file)
        _link(shell, service, report, paths, older)
        unprocessed = wait_for(shell, service, job, "Analysing") if wait else 0
        shell.answer(
            {
                "job": job,
                "imported": report.imported,
                "failed": report.failed,
                "processing_failed": unprocessed,
                "pending": 0 if wait else None,
            },
            lambda console: _show(console, report, unprocessed, wait=wait),
        )
    if report.failed:
        raise SystemExit(status_of(report.failed[0].code))


def _check_versions(paths: Sequence[Path], version_of: Sequence[str] | None) -> None:
    if version_of and (len(version_of) != len(paths) or any(path.is_dir() for path in paths)):
        raise Malformed("--version-of goes with files, once for each PATH and in their order", field="version-of")


def _link(
    shell: Shell, service: BaseDisco, report: ImportReport, paths: Sequence[Path], older: Sequence[ResourceId]
) -> None:
    from domain.commands import LinkVersion

    imported = {item.path: item.asset_id for item in report.imported}
    for path, previous in zip(paths, older, strict=False):
        if str(path) in imported:
            command = LinkVersion(resource_id=imported[str(path)], previous_id=previous)
            service.execute(command, actor=shell.actor, job=report.job)


def _show(console: Console, report: ImportReport, unprocessed: int, *, wait: bool) -> None:
    for item in report.imported:
        console.print(f"{'new  ' if item.new else 'known'} {ids.short(item.asset_id)} {item.path}", markup=False)
    for failure in report.failed:
        console.print(f"bad   {'':8} {failure.message} [{failure.code}]", markup=False)
    new = sum(item.new for item in report.imported)
    told = f"{new} imported, {len(report.imported) - new} known already, {len(report.failed)} failed"
    console.print(told + ("" if wait else "; the analyses are done while a service runs, or at the next import"))
    if unprocessed:
        console.print(f"{unprocessed} analyses failed: disco dead-letters tells why, disco retry --all tries again")
    for project in dict.fromkeys(item.project_id for item in report.imported):
        console.print(f"project {ids.short(project)}: disco show {ids.short(project)}", style="dim")
