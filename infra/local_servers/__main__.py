"""The commands behind `make servers`: python -m infra.local_servers start|stop|… [names…]."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from domain.errors import DiscoError
from infra.local_servers import LocalServers, Places
from infra.local_servers.recipes import QUICK, RECIPES, USUAL
from infra.settings import LocalServersSettings

CONSOLE = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run one command; its exit status."""
    asked = _parser().parse_args()
    if sys.platform != "linux":
        CONSOLE.print("these servers run on Linux; elsewhere: docker compose -f infra/compose.yaml up")
        return 8
    began = time.monotonic()
    servers = LocalServers(Places.of(LocalServersSettings()), lambda name, what: _tell(began, name, what))
    try:
        _run(asked, servers)
    except DiscoError as error:
        CONSOLE.print(error.message, style="red", markup=False)
        return error.exit_status
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local_servers", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    told = {
        "install": "fetch and build what is not in the cache",
        "start": "start what does not run, and wait until it answers",
        "up": "install, then start",
        "stop": "end servers; their data stays",
        "kill": "end servers as a crash does",
        "restart": "stop, then start on the same ports",
        "status": "how each server is",
        "forget": "remove what was installed, for every checkout",
    }
    for verb, help in told.items():
        command = verbs.add_parser(verb, help=help)
        if verb not in ("status", "forget"):
            command.add_argument("names", nargs="*", help=f"of {', '.join(RECIPES)}", metavar="name")
        if verb in ("install", "start", "up"):
            command.add_argument("--quick", action="store_true", help="without MinIO; versitygw stands in for it")
        if verb == "stop":
            command.add_argument("--wipe", action="store_true", help="and remove their data")
    return parser


def _run(asked: argparse.Namespace, servers: LocalServers) -> None:
    if asked.verb in ("install", "start", "up"):
        names = asked.names or (QUICK if asked.quick else USUAL)
        if asked.verb != "start":
            servers.install(names)
        if asked.verb != "install":
            servers.start(*names)
            _show_addresses(servers)
    elif asked.verb == "status":
        _show_status(servers)
        _show_addresses(servers)
    elif asked.verb == "forget":
        shutil.rmtree(servers.places.cache, ignore_errors=True)
        CONSOLE.print(f"removed {servers.places.cache}")
    elif asked.verb == "stop" and asked.wipe:
        servers.wipe(*asked.names)
    else:
        {"stop": servers.stop, "kill": servers.kill, "restart": servers.restart}[asked.verb](*asked.names)


def _tell(began: float, name: str, what: str) -> None:
    CONSOLE.print(f"{time.monotonic() - began:7.1f} s  [bold]{name:12}[/bold] {what}")


def _show_status(servers: LocalServers) -> None:
    table = Table("server", "version", "state", "process", "port", "memory", box=None)
    for one in servers.status():
        memory = f"{one.memory_mib} MiB" if one.pid else ""
        table.add_row(one.name, one.version, one.state, str(one.pid or ""), str(one.port or ""), memory)
    CONSOLE.print(table)


def _show_addresses(servers: LocalServers) -> None:
    """Print where they listen, without passwords, and who stands in for whom."""
    addresses = servers.addresses()
    for name, address in addresses.items():
        CONSOLE.print(f"{name}={without_password(address)}")
    for recipe in RECIPES.values():
        real = RECIPES.get(recipe.stands_in_for)
        if real and servers.running(recipe.name) and not servers.running(real.name):
            CONSOLE.print(f"{recipe.name} stands in for {real.name} here", style="yellow")
    if addresses:
        CONSOLE.print(f"whole, with passwords: {servers.places.addresses}")


def without_password(address: str) -> str:
    """An address as it may be shown."""
    parts = urlsplit(address)
    if parts.password is None:
        return address
    return parts._replace(netloc=f"{parts.username}:…@{parts.hostname}:{parts.port}").geturl()


if __name__ == "__main__":
    sys.exit(main())
