"""What there is to know about a server: how it is installed, started, asked, addressed and ended."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.local_servers.steps import Program, Steps


@dataclass(frozen=True)
class Site:
    """One server as it stands in one run folder."""

    folder: Path
    programs: Path
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    steps: Steps

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.ports["port"]

    @property
    def data(self) -> Path:
        """The folder of its data."""
        return self.folder / "data"


@dataclass(frozen=True)
class Command:
    """What starts a server."""

    arguments: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """A server; `prepare` is called before every start and does once what is to be done once."""

    name: str
    version: str
    install: Callable[[Steps, Path], None]
    prepare: Callable[[Site], None]
    command: Callable[[Site], Command]
    ready: Callable[[Site], bool]
    addresses: Callable[[Site], dict[str, str]]
    ports: Mapping[str, int]
    secrets: tuple[str, ...] = ()
    runs_with: tuple[Program, ...] = ()
    ends_by: int = signal.SIGTERM
    builds: bool = False  # keeps every core busy for minutes: one at a time
    try_again_at: tuple[str, ...] = ()  # said by a server whose killed forerunner is not quite gone
    stands_in_for: str = ""
    hint: str = ""  # what to look at when it does not start
    start_timeout_s: float = 120.0
    stop_timeout_s: float = 30.0
