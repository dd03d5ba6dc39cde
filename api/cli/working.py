"""The server profile alone: a worker, which answers events and folds them into views; the ledger made anew."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from api.access import requires
from api.cli.progress import bar
from api.cli.shell import Shell
from api.cli.verbs import verb
from domain.access import Permission


@verb("Operate", example="disco worker --profile server --views lineage_graph,similarity")
@requires(Permission.OPERATE)
def worker(
    shell: Shell,
    processors: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="Answer events by these alone; '' for none. [default: all]")
    ] = None,
    views: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="Fold into these alone; '' for none. [default: all]")
    ] = None,
) -> None:
    """Answer events and fold views until stopped, beside any number of other workers (server profile)."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with shell.service(run=True, fresh=False) as service:
        groups = service.work(processors=_names(processors), views=_names(views))
        shell.answer({"working": groups}, lambda console: console.print("\n".join(groups), markup=False))
        shell.note("stop it with Ctrl+C")
        ended.wait()
    shell.note("stopped")


@verb("Operate", name="rebuild-ledger", example="disco rebuild-ledger --profile server")
@requires(Permission.OPERATE)
def rebuild_ledger(shell: Shell) -> None:
    """Make PostgreSQL's ledger anew from Kafka, as after a restore of an older backup; stop all else first."""
    from infra import opening

    with bar(shell, "Reading Kafka") as progress:
        events = opening.rebuild_ledger(shell.settings, on_progress=progress)
    shell.answer({"events": events}, lambda console: console.print(f"the ledger knows {events:,} events from Kafka"))


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
