"""The server profile alone: a worker, which answers events and folds them into views; the ledger made anew."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from api.access import requires
from api.cli.progress import bar
from api.cli.serving import listen
from api.cli.shell import Shell, importing
from api.cli.verbs import verb
from domain.access import Permission

if TYPE_CHECKING:
    from domain.service import Service

LOOPBACK = "127.0.0.1"
LEAVE_S = 10.0


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
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Tell how it is at this port; 0 takes a free one."),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(help="Where that port listens; whoever reaches it may read health and metrics.")
    ] = LOOPBACK,
) -> None:
    """Answer events and fold views until stopped, beside any number of other workers (server profile)."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with shell.service(run=True, fresh=False) as service:
        groups = service.work(processors=_names(processors), views=_names(views))
        with _watched(service, metrics_host, metrics_port) as metrics:
            told = {"working": groups, **({"metrics": metrics} if metrics else {})}
            lines = [*groups, *([metrics] if metrics else [])]
            shell.answer(told, lambda console: console.print("\n".join(lines), markup=False))
            shell.note("stop it with Ctrl+C")
            ended.wait()
    shell.note("stopped")


@verb("Operate", name="rebuild-ledger", example="disco rebuild-ledger --profile server")
@requires(Permission.OPERATE)
def rebuild_ledger(
    shell: Shell,
    give_up_lost: Annotated[
        bool, typer.Option(help="Where Kafka has lost events, go on without those that nothing else has.")
    ] = False,
) -> None:
    """Make PostgreSQL's ledger anew from Kafka, as after a restore of an older backup; stop all else first."""
    from infra import opening

    with bar(shell, "Reading Kafka") as progress:
        made = opening.rebuild_ledger(shell.settings, give_up_lost=give_up_lost, on_progress=progress)
    told = {"events": made.events, "waiting": made.waiting, "given_up": made.given_up}
    lines = [f"the ledger knows {made.events:,} events from Kafka, and {made.waiting:,} that wait to go there"]
    if made.given_up:
        lines.append(f"{made.given_up:,} findings are given up: workers make them again, and build all views anew")
    shell.answer(told, lambda console: console.print("\n".join(lines)))


@contextmanager
def _watched(service: Service, host: str, port: int | None) -> Iterator[str | None]:
    """Answer /healthz, /readyz and /metrics at a port, in a thread; the last one's address. Raises: Unavailable.

    Beyond loopback it answers under every name: a scraper asks by the address of a pod, which nobody knows before.
    """
    if port is None:
        yield None
        return
    listening = listen(host, port, option="--metrics-port")
    with importing():
        import uvicorn

        from api.app import create_probes
        from api.guard import LOOPBACK as GUARDED
    names = GUARDED if host == LOOPBACK else ("*",)
    app = create_probes(service, allowed_hosts=names)
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="metrics", daemon=True)
    thread.start()
    try:
        told = f"[{host}]" if ":" in host else host
        yield f"http://{told}:{listening.getsockname()[1]}/metrics"
    finally:
        server.should_exit = True
        thread.join(LEAVE_S)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
