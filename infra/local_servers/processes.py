"""Processes that outlive the command that started them, told apart from others that got their number later."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local_servers.places import write_private

POLL_S = 0.05
DIES_WITHIN_S = 10.0
LOG_LIMIT_BYTES = 16 << 20


@dataclass(frozen=True)
class Running:
    """A process: its number, and when it started in the kernel's ticks, for numbers come again."""

    pid: int
    started: int
    boot: str

    @property
    def alive(self) -> bool:
        """Whether it is this very process that runs now."""
        return self.boot == _boot() and started(self.pid) == self.started


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; nothing of one that is gone or a zombie."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return said if said[0] not in "ZX" else []


def started(pid: int) -> int | None:
    """When a process started, in ticks since the machine did; None if there is none."""
    said = _stat(pid)
    return int(said[19]) if said else None


def recorded(file: Path) -> Running | None:
    """The process that a file names, if it is still that one."""
    try:
        running = Running(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None  # none was started, or a start was cut short
    return running if running.alive else None


def spawn(command: list[str], *, cwd: Path, log: Path, file: Path, environment: Mapping[str, str]) -> Running:
    """Start a process in a session of its own, its output appended to `log`, and record it in `file`."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as said:
        process = subprocess.Popen(  # noqa: S603  # our own tables' commands, no shell
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # no Ctrl+C of our terminal reaches it
            umask=0o077,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # so that it never stays a zombie of ours
    running = Running(process.pid, started(process.pid) or 0, _boot())
    write_private(file, json.dumps(asdict(running)))
    return running


def family(pid: int) -> list[Running]:
    """A process and all that descend from it, as far as they live."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (said := _stat(int(entry.name))):
            children.setdefault(int(said[1]), []).append(int(entry.name))
    found, boot = [pid], _boot()
    for one in found:
        found.extend(children.get(one, []))
    return [Running(one, ticks, boot) for one in found if (ticks := started(one)) is not None]


def end(running: Running, *, gently: int, timeout_s: float) -> bool:
    """Ask a process to end by a signal, and kill it and its family when it has not by then; whether it was gentle."""
    _signal([running], gently)
    if _gone([running], timeout_s):
        return True
    kill(running)
    return False


def kill(running: Running) -> None:
    """End a process and its family at once, as kill -9 and a crash do, and wait until they are gone."""
    all_of_it = family(running.pid)
    _signal(all_of_it, signal.SIGKILL)
    if not _gone(all_of_it, DIES_WITHIN_S):
        raise TimeoutError(f"process {running.pid} does not die, not even of SIGKILL")


def _signal(processes: Iterable[Running], number: int) -> None:
    for process in processes:
        if process.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _gone(processes: list[Running], timeout_s: float) -> bool:
    until = time.monotonic() + timeout_s
    while any(process.alive for process in processes):
        if time.monotonic() > until:
            return False
        time.sleep(POLL_S)
    return True
