"""Start, stop, kill and look at the servers of one run folder."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from domain.errors import DiscoError, Malformed, Unavailable, Unsupported
from infra.local_servers import ports, processes
from infra.local_servers.installing import Tell, install, is_installed
from infra.local_servers.places import Places, locked, write_private
from infra.local_servers.processes import Running
from infra.local_servers.recipe import Recipe, Site
from infra.local_servers.recipes import RECIPES, USUAL
from infra.local_servers.steps import Steps, end_of, found

READY_POLL_S = 0.1
START_ATTEMPTS = 20
RETRY_S = 0.5


@dataclass(frozen=True)
class Status:
    """How one server is."""

    name: str
    version: str
    installed: bool
    pid: int | None
    port: int | None
    ready: bool
    memory_mib: int

    @property
    def state(self) -> str:
        """In one word."""
        if self.pid is not None:
            return "ready" if self.ready else "starting"
        return "stopped" if self.installed else "not installed"


class LocalServers:
    """The servers of one run folder, by name. Every method may be called again, and by several processes.

    recipes: the servers there may be, where they are to be started otherwise than usual.
    """

    def __init__(
        self, places: Places, tell: Tell = lambda _name, _what: None, *, recipes: Mapping[str, Recipe] = RECIPES
    ) -> None:
        self.places = places
        self._tell = tell
        self._recipes = recipes

    def install(self, names: Iterable[str] = USUAL) -> None:
        """Install what is not there.

        Raises: DiscoError, with every failure in its message.
        """
        _raise(install([self._known(name).name for name in names], self.places, self._tell))

    def start(self, *names: str) -> dict[str, str]:
        """Start what does not run, side by side, and wait until all answer; the addresses, as settings of ours.

        Raises: DiscoError, with the end of each log of those that failed; the others go on running.
        """
        failures = self._side_by_side(self._start, [self._known(name) for name in names or USUAL])
        addresses = self.write_addresses()
        _raise(failures)
        return addresses

    def stop(self, *names: str) -> None:
        """End servers gently, those who linger firmly. Their data stays."""
        _raise(self._side_by_side(self._stop, self._present(names)))

    def kill(self, *names: str) -> None:
        """End servers as kill -9 and a crash do, their children included."""
        _raise(self._side_by_side(self._kill, self._present(names)))

    def restart(self, *names: str) -> None:
        """Stop, then start on the same ports, what was started here before."""
        if chosen := [recipe.name for recipe in self._present(names)]:
            self.stop(*chosen)
            self.start(*chosen)

    def wipe(self, *names: str) -> None:
        """Stop servers and remove their data, ports and passwords."""
        for recipe in self._present(names):
            self.stop(recipe.name)
            shutil.rmtree(self._folder(recipe))
            self._tell(recipe.name, "its data is removed")
        if not names:
            self.places.addresses.unlink(missing_ok=True)
        elif self.places.addresses.exists():
            self.write_addresses()

    def running(self, name: str) -> Running | None:
        """A server's process, if it lives."""
        return processes.recorded(self._folder(self._known(name)) / "process.json")

    def status(self) -> list[Status]:
        """How each server is."""
        return [self._status(recipe) for recipe in self._recipes.values()]

    def addresses(self) -> dict[str, str]:
        """The addresses of all that was ever started here and not wiped, running or not, as settings of ours."""
        found_here: dict[str, str] = {}
        for recipe in self._present(()):
            found_here |= recipe.addresses(self._site(recipe))
        return found_here

    def write_addresses(self) -> dict[str, str]:
        """Write them to the run folder, readable by its owner alone, for they hold passwords."""
        addresses = self.addresses()
        write_private(self.places.addresses, "".join(f"{name}={value}\n" for name, value in addresses.items()))
        return addresses

    def _known(self, name: str) -> Recipe:
        if name not in self._recipes:
            raise Malformed(f"there is no server {name!r}; there are {', '.join(self._recipes)}")
        return self._recipes[name]

    def _folder(self, recipe: Recipe) -> Path:
        return self.places.run / recipe.name

    def _present(self, names: Iterable[str]) -> list[Recipe]:
        """Those named, or all, of which this run folder has heard."""
        chosen = [self._known(name) for name in names] or list(self._recipes.values())
        return [recipe for recipe in chosen if (self._folder(recipe) / "site.json").exists()]

    def _site(self, recipe: Recipe) -> Site:
        folder, programs = self._folder(recipe), self.places.installed(recipe.name, recipe.version)
        steps = Steps(recipe.name, folder / "start.log", lambda step: self._tell(recipe.name, step))
        return Site(folder=folder, programs=programs, steps=steps, **json.loads((folder / "site.json").read_text()))

    def _status(self, recipe: Recipe) -> Status:
        site = self._site(recipe) if self._present([recipe.name]) else None
        running = self.running(recipe.name) if site else None
        return Status(
            name=recipe.name,
            version=recipe.version,
            installed=is_installed(recipe, self.places),
            pid=running.pid if running else None,
            port=site.port if site else None,
            ready=bool(site and running and recipe.ready(site)),
            memory_mib=sum(_memory_mib(one.pid) for one in processes.family(running.pid)) if running else 0,
        )

    def _side_by_side(self, act: Callable[[Recipe], None], recipes: list[Recipe]) -> list[DiscoError]:
        """Do something to each server, holding its lock; the failures."""

        def attempt(recipe: Recipe) -> DiscoError | None:
            try:
                with locked(self._folder(recipe) / ".lock"):
                    act(recipe)
            except DiscoError as error:
                self._tell(recipe.name, "failed")
                return error
            return None

        with ThreadPoolExecutor(max(1, len(recipes))) as threads:
            return [error for error in threads.map(attempt, recipes) if error is not None]

    def _stop(self, recipe: Recipe) -> None:
        running = self.running(recipe.name)
        if running is None:
            return
        began = time.monotonic()
        gently = processes.end(running, gently=recipe.ends_by, timeout_s=recipe.stop_timeout_s)
        how = "stopped" if gently else f"killed, for it had not stopped after {recipe.stop_timeout_s:.0f} s;"
        self._tell(recipe.name, f"{how} in {time.monotonic() - began:.1f} s")

    def _kill(self, recipe: Recipe) -> None:
        if running := self.running(recipe.name):
            processes.kill(running)
            self._tell(recipe.name, "killed")

    def _start(self, recipe: Recipe) -> None:
        running = self.running(recipe.name)
        if running and (recipe.ready(self._site(recipe)) or self._wait(recipe, running) is None):
            return  # or it was just about to end, and what it said concerns nobody now
        running = self._spawn(recipe)
        attempts = START_ATTEMPTS
        while (said := self._wait(recipe, running)) is not None:
            attempts -= 1
            if not attempts or not any(sign in said for sign in recipe.try_again_at):
                raise self._ended(recipe, said)
            time.sleep(RETRY_S)
            running = self._spawn(recipe)

    def _ended(self, recipe: Recipe, said: str) -> Unavailable:
        hint = recipe.hint or f"read the log; if its data is spoilt, remove it: stop --wipe {recipe.name}"
        return Unavailable(
            f"{recipe.name} was started and ended before it answered.\n"
            f"  log: {self._folder(recipe) / 'server.log'}, which ends:\n{end_of(said)}\n  what to do: {hint}"
        )

    def _spawn(self, recipe: Recipe) -> Running:
        if not is_installed(recipe, self.places):
            raise Unsupported(f"{recipe.name} is not installed; python -m infra.local_servers install {recipe.name}")
        for program in recipe.runs_with:
            found(program, wanted_by=recipe.name)
        with locked(self.places.run / ".lock"):  # two that start at once must not choose the same port
            self._choose(recipe)
        site = self._site(recipe)
        self._tell(recipe.name, "starting")
        recipe.prepare(site)
        command = recipe.command(site)
        return processes.spawn(
            command.arguments,
            cwd=site.folder,
            log=site.folder / "server.log",
            file=site.folder / "process.json",
            environment=command.environment,
        )

    def _choose(self, recipe: Recipe) -> None:
        """Choose ports and passwords once; a port that somebody took meanwhile is chosen anew."""
        file = self._folder(recipe) / "site.json"
        kept = json.loads(file.read_text()) if file.exists() else {"ports": {}, "secrets": {}}
        taken = self._others_ports(recipe)
        chosen: dict[str, int] = {}
        for name, usual in recipe.ports.items():
            chosen[name] = ports.choose(kept["ports"].get(name, usual), [*taken, *chosen.values()])
        keys = {name: kept["secrets"].get(name) or secrets.token_hex(16) for name in recipe.secrets}
        write_private(file, json.dumps({"ports": chosen, "secrets": keys}))

    def _others_ports(self, recipe: Recipe) -> list[int]:
        """Ports that other servers of this folder will want back, running or not."""
        return [port for one in self._present(()) if one != recipe for port in self._site(one).ports.values()]

    def _wait(self, recipe: Recipe, running: Running) -> str | None:
        """Wait until a server answers; what it said, if it ended instead.

        Raises: Unavailable, when it does neither in time.
        """
        site, began = self._site(recipe), time.monotonic()
        while not recipe.ready(site):
            if not running.alive:
                return _tail(site.folder / "server.log")
            if time.monotonic() - began > recipe.start_timeout_s:
                raise Unavailable(
                    f"{recipe.name} runs (process {running.pid}) but has not answered on port {site.port} for "
                    f"{recipe.start_timeout_s:.0f} s.\n  log: {site.folder / 'server.log'}, which ends:\n"
                    f"{end_of(_tail(site.folder / 'server.log'))}"
                )
            time.sleep(READY_POLL_S)
        self._tell(recipe.name, f"answers on 127.0.0.1:{site.port} after {time.monotonic() - began:.1f} s")
        return None


def _raise(failures: list[DiscoError]) -> None:
    """Raise what failed as one error."""
    if len(failures) > 1:
        raise Unavailable("\n\n".join(failure.message for failure in failures))
    if failures:
        raise failures[0]


def _tail(log: Path) -> str:
    with log.open("rb") as said:
        said.seek(max(0, log.stat().st_size - 8192))
        return said.read().decode(errors="replace")


def _memory_mib(pid: int) -> int:
    """What a process takes, its share of what several share counted once."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0  # it ended while we looked
    return int(rollup.partition("\nPss:")[2].split()[0]) >> 10
