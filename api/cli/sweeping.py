"""Taking away blobs that no event names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.access import requires
from api.cli.progress import bar
from api.cli.shell import Shell
from api.cli.verbs import verb
from domain.access import Permission
from domain.errors import Unsupported

if TYPE_CHECKING:
    from rich.console import Console

KINDS = (("condemned", "to the trash"), ("removed", "gone for good"), ("brought_back", "brought back"))


@verb("Operate", example="disco sweep-blobs --profile server --dry-run")
@requires(Permission.OPERATE)
def sweep_blobs(
    shell: Shell,
    grace_days: Annotated[int, typer.Option(min=1, help="Leave what is younger; as long, what is in the trash.")] = 7,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
) -> None:
    """Take away content that no event names, first to a trash, then for good (server profile)."""
    from datetime import UTC, datetime, timedelta

    if shell.settings.profile != "server":
        raise Unsupported("the embedded profile keeps all content; that of the server profile is swept")
    with shell.service(fresh=False) as service:
        from infra.server.blob_sweep import named_blobs, sweep
        from infra.server.blobs import S3Blobs

        assert isinstance(service.blobs, S3Blobs)  # noqa: S101  # as this profile's are
        with bar(shell, "Sweeping the blobs"):
            grace = timedelta(days=grace_days)
            swept = sweep(service.blobs, named_blobs(service.log), now=datetime.now(UTC), grace=grace, dry_run=dry_run)
        answer = {name: getattr(swept, name) for name in ("kept", "uploads", "freed_bytes")}
        answer |= {name: getattr(swept, name) for name, _ in KINDS} | {"dry_run": dry_run}
        shell.answer(answer, lambda console: _show(console, answer))


def _show(console: Console, answer: dict[str, Any]) -> None:  # Any: JSON
    for name, said in KINDS:
        for sha256 in answer[name]:
            console.print(f"{sha256} {said}", markup=False)
    would = "would be " if answer["dry_run"] else ""
    told = ", ".join(f"{len(answer[name]):,} {would}{said}" for name, said in KINDS)
    console.print(f"{told}; {answer['uploads']:,} abandoned uploads; {answer['freed_bytes']:,} bytes freed")
