"""Databases that hold a catalogue and all its views, built through the log once and kept for later runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import apsw

from benchmarks import catalogue
from benchmarks.catalogue import Catalogue, Project
from events.catalogue import EVENT_TYPES
from events.envelope import Proposed
from infra.disco import Disco
from infra.embedded.checkpoints import Checkpoints
from infra.embedded.database import Database
from infra.embedded.view import VIEWS
from infra.settings import Settings
from infra.wiring import PROCESSORS

SEED = 1
CHUNK = 5_000
EACH = 8
"""How many of a project's assets are remembered, to ask questions about."""


@dataclass(slots=True)
class Store:
    """An open catalogue.

    renders: assets made from others, in order of time; deep: the last assets of projects with 320 units.
    """

    home: Path
    events: int = 0
    build_s: float = 0.0
    renders: list[str] = field(default_factory=list)
    deep: list[str] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    _open: Disco | None = None

    @property
    def path(self) -> Path:
        """The database."""
        return self.home / "disco.sqlite"

    @property
    def disco(self) -> Disco:
        """The service over it, which processes nothing; closed with the run."""
        if self._open is None:
            self._open = Disco(Settings(home=self.home), run=False)
        return self._open

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened."""
        if self._open is not None:
            self._open.close()
            self._open = None


def ready_store(folder: Path, units: int, say: Callable[[str], None]) -> Store:
    """The catalogue of so many units: as an earlier run left it, or built anew where it is missing or stale."""
    home = folder / f"{units}"
    facts = home / "facts.json"
    signature = signature_of(units)
    if facts.exists():
        found = json.loads(facts.read_text())
        if found.pop("signature") == signature:
            return Store(home, **found)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    built = _build(home, units, say)
    kept = {name: getattr(built, name) for name in ("events", "build_s", "renders", "deep", "projects")}
    facts.write_text(json.dumps({"signature": signature, **kept}))
    return built


def signature_of(units: int) -> str:
    """What a stored catalogue depends on: the generator, the schemas of events and tables, the views' versions."""
    parts: list[object] = [units, SEED, catalogue.VERSION, [(view.name, view.version) for view in VIEWS]]
    parts += [(name, kind.VERSION, kind.model_json_schema()) for name, kind in EVENT_TYPES.items()]
    with tempfile.TemporaryDirectory(prefix="disco-bench-") as folder, Store(Path(folder)) as empty:
        empty.disco.views.status()
        connection = apsw.Connection(str(empty.path))
        parts += connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
        connection.close()
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _build(home: Path, units: int, say: Callable[[str], None]) -> Store:
    begun = time.perf_counter()
    store = Store(home)
    log, views = store.disco.log, store.disco.views
    done = 0
    for project in Catalogue(units, seed=SEED).projects():
        for chunk in _chunks(project.events):
            log.append(chunk)
        done += project.units
        _remember(store, project)
        say(f"building a catalogue: {done:,} of {units:,} units")
    store.events = log.head()
    views.catch_up(on_progress=lambda position, head: say(f"projecting: {position:,} of {head:,} events"))
    base = Database(store.path)
    Checkpoints(base).write(dict.fromkeys(PROCESSORS, log.head()))
    base.close()
    store.build_s = time.perf_counter() - begun
    return store


def _remember(store: Store, project: Project) -> None:
    store.projects.append(project.id)
    if project.reach == catalogue.DEEP_REACH:
        store.deep.append(project.last)
    else:
        renders = project.sources[1::2]
        store.renders += renders[:: -(-len(renders) // EACH)]


def _chunks(events: list[Proposed]) -> Iterator[list[Proposed]]:
    return (events[at : at + CHUNK] for at in range(0, len(events), CHUNK))
