"""The service: GraphQL, REST and subscriptions over the data folder."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.access import requires
from api.cli.shell import Shell, importing
from api.cli.verbs import verb
from domain.access import Permission
from domain.errors import Unavailable

if TYPE_CHECKING:
    from infra.settings import Settings

BACKLOG = 128
GRACE_S = 3
WARM_AFTER_S = 0.5


@verb("Operate", example="disco serve --port 8765 --development")
@requires(Permission.OPERATE)
def serve(
    shell: Shell,
    host: Annotated[str | None, typer.Option(help="Where to listen; else DISCO_HOST, else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one; else DISCO_PORT.")] = None,
    development: Annotated[
        bool | None, typer.Option("--development/--production", help="GraphiQL, introspection and suggestions.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further name to answer as, for others who reach it by; may be repeated."),
    ] = None,
) -> None:
    """Serve the data folder until stopped: answers, subscriptions, and all processing."""
    settings = shell.settings.model_copy(
        update={
            name: value
            for name, value in (("host", host), ("port", port), ("development", development))
            if value is not None
        }
    )
    listening = listen(settings.host, settings.port)
    with importing():
        import uvicorn  # noqa: F401  # wanted below; imported before the service works beside

        from api.app import create_app
        from api.guard import LOOPBACK
    with shell.service(run=True, fresh=False) as service:
        names = (*LOOPBACK, settings.host, *(allow_host or ()))
        app = create_app(service, development=settings.development, allowed_hosts=names)

        def ready() -> None:
            _announce(shell, settings, listening)
            warming = threading.Timer(WARM_AFTER_S, service.warm)  # not while it is asked whether it is ready
            warming.daemon = True
            warming.start()

        _run(app, listening, ready)
    shell.note("stopped")


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A socket that listens: who connects before anybody answers waits. `option` names its port.

    Raises: Unavailable.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}; name another with {option}") from error
    return listening


def _run(app: Any, listening: socket.socket, ready: Callable[[], None]) -> None:  # Any: an ASGI application
    """Serve until SIGINT or SIGTERM, then let requests end."""
    import uvicorn

    class Server(uvicorn.Server):
        """Tells when it answers."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn sends itself again what it caught
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S, ws="websockets-sansio"
    )
    Server(config).run(sockets=[listening])


def _announce(shell: Shell, settings: Settings, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    base = f"{'[' + host + ']' if ':' in host else host}:{port}"
    addresses = {
        "page": f"http://{base}/",
        "graphql": f"http://{base}/graphql",
        "subscriptions": f"ws://{base}/graphql",
        "sse": f"http://{base}/graphql/stream",
        "health": f"http://{base}/healthz",
        "ready": f"http://{base}/readyz",
        **({"graphiql": f"http://{base}/graphql"} if settings.development else {}),
    }
    if shell.json:
        shell.line({"serving": addresses, "home": settings.home})
        return
    for name, address in addresses.items():
        shell.console().print(f"{name:<14} {address}", markup=False)
    shell.console().print(f"{'data':<14} {settings.home}", markup=False)
    shell.note("stop it with Ctrl+C")
