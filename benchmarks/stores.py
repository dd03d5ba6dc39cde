"""Databases that hold a catalogue and all its views, built through the log once and kept for later runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import catalogue
from benchmarks.catalogue import Catalogue, Project
from domain.views import ViewStatus
from events.envelope import Proposed
from infra.embedded import database, views
from infra.embedded.checkpoints import Checkpoints
from infra.embedded.database import Database
from infra.embedded.log import SCHEMA, SqliteLog
from infra.embedded.views import VIEWS, SqliteViews
from infra.wiring import PROCESSORS

SEED = 1
CHUNK = 5_000
KEPT = 400
"""How many projects' ids are kept to ask questions about."""


@dataclass(slots=True)
class Store:
    """An open catalogue; `deep` are the last assets of deep projects, `lasts` of the others, in order of time."""

    home: Path
    events: int
    assets: list[str]
    lasts: list[str]
    deep: list[str]
    projects: list[str]
    build_s: float
    _open: list[Database | SqliteLog] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The database."""
        return self.home / "disco.sqlite"

    def open(self) -> tuple[Database, SqliteLog, SqliteViews]:
        """Open it in this process; closed with the run."""
        base = Database(self.path)
        log = SqliteLog(base)
        self._open += [base, log]
        return base, log, SqliteViews(base, log)

    def close(self) -> None:
        """Close what was opened."""
        for opened in reversed(self._open):
            opened.close()
        self._open.clear()


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
    kept = {name: getattr(built, name) for name in ("events", "assets", "lasts", "deep", "projects", "build_s")}
    facts.write_text(json.dumps({"signature": signature, **kept}))
    return built


def signature_of(units: int) -> str:
    """What a stored catalogue depends on: the generator, the file's format, the schemas and versions of the views."""
    parts = [units, SEED, catalogue.VERSION, database.FORMAT, SCHEMA]
    parts += [(view.name, view.version, view.schema) for view in VIEWS]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _build(home: Path, units: int, say: Callable[[str], None]) -> Store:
    begun = time.perf_counter()
    store = Store(home, 0, [], [], [], [], 0.0)
    base, log, kept = store.open()
    done = 0
    for project in Catalogue(units, seed=SEED).projects():
        for chunk in _chunks(project.events):
            log.append(chunk)
        done += project.units
        store.events += len(project.events)
        _remember(store, project)
        say(f"building a catalogue: {done:,} of {units:,} units, {store.events:,} events")
    say(f"projecting {store.events:,} events")
    kept.catch_up(on_progress=lambda position, head: say(f"projecting: {position:,} of {head:,} events"))
    Checkpoints(base).write(dict.fromkeys(PROCESSORS, log.head()))
    with base.read() as connection:
        connection.execute("SELECT 1")
    base.reader().pragma("wal_checkpoint")
    store.build_s = time.perf_counter() - begun
    return store


def _remember(store: Store, project: Project) -> None:
    if project.reach == catalogue.DEEP_REACH:
        store.deep.append(project.last)
    elif len(store.lasts) < KEPT:
        store.lasts.append(project.last)
    if len(store.projects) < KEPT:
        store.projects.append(project.id)
        store.assets += project.sources[:: max(1, len(project.sources) // 8)]


def _chunks(events: list[Proposed]) -> Iterator[list[Proposed]]:
    return (events[at : at + CHUNK] for at in range(0, len(events), CHUNK))


def live(status: list[ViewStatus]) -> int:
    """The position that every view has come to."""
    return min(view.position for view in status)


_ = views
