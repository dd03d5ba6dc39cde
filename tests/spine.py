"""A log and its views in one file, with nothing running behind one's back; and views told through their ports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from domain.commands import Command
from domain.handling import Done, execute
from domain.views import NOW, AsOf, Direction, Graph, Relation
from events.envelope import Proposed, Recorded
from infra.embedded.database import Database
from infra.embedded.log import SqliteLog
from infra.embedded.views import VIEWS, SqliteViews, View

Json = dict[str, Any]  # Any: JSON


class SetClock:
    """A clock that moves one microsecond each time it is asked."""

    def __init__(self, now_us: int = 1_750_000_000_000_000) -> None:
        self.time_us = now_us

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        self.time_us += 1
        return self.time_us


class Spine:
    """One process's log and views, without a runner: what is folded is folded when asked."""

    def __init__(self, path: Path, *, vfs: str | None = None, views: Sequence[View] = VIEWS) -> None:
        self.path = path
        self.clock = SetClock()
        self.database = Database(path, vfs=vfs)
        self.log = SqliteLog(self.database)
        self.views = SqliteViews(self.database, self.log, views)

    def append(self, events: Iterable[Proposed]) -> list[int]:
        """Append events of any projects, in order; returns their positions."""
        positions: list[int] = []
        for _, together in groupby(events, key=lambda event: event.project):
            positions += self.log.append(list(together)).positions
        return positions

    def execute(self, command: Command, **how: Any) -> Done:  # Any: what `execute` takes
        """Carry out a command."""
        return execute(self.log, self.clock, command, **{"actor": "ada", **how})

    def events(self) -> list[Recorded]:
        """The whole log."""
        return self.log.read(0, limit=1_000_000)

    def close(self) -> None:
        """Close the file."""
        self.log.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def digests_of(events: Iterable[Recorded]) -> dict[str, str]:
    """The digests of the embedded profile's views of these events, which are a whole log."""
    with TemporaryDirectory() as folder, Spine(Path(folder) / "disco.sqlite") as spine:
        for event in events:
            how = (event.time_us, event.source, event.actor, event.correlation, event.causation, event.duration_ms)
            spine.append([Proposed(event.id, event.project, event.data, *how)])
        spine.views.catch_up()
        return spine.views.digests()


def ids_in(events: Iterable[Recorded]) -> list[str]:
    """Every id that is, or may be, a node: what events are about, and the events themselves."""
    return sorted({id for event in events for id in (event.subject, event.id)})


def graph_of(graph: Graph, ids: Sequence[str], as_of: AsOf = NOW) -> Json:
    """What the graph says of these ids: their nodes without positions, and every edge at them."""
    nodes = {
        node.id: (node.kind, node.variant, node.label, node.project, node.archived, dict(node.facts))
        for node in graph.nodes(ids, as_of).values()
    }
    edges = set()
    for relation in Relation:
        for id, found in graph.neighbours(ids, relation, Direction.UP, as_of).items():
            edges |= {(relation, node.id, id) for node in found}
        for id, found in graph.neighbours(ids, relation, Direction.DOWN, as_of).items():
            edges |= {(relation, id, node.id) for node in found}
    return {"nodes": nodes, "edges": edges}


def told(views: SqliteViews, events: Sequence[Recorded]) -> Json:
    """All that the views say about a log, without positions and the order that comes of them."""
    ids = ids_in(events)
    documents = views.documents.many(ids)
    embedded = [event.subject for event in events if event.type == "disco.embedding.computed"]
    return {
        **graph_of(views.graph, ids),
        "documents": {id: _bare(document) for id, document in documents.items()},
        "jobs": {job: _bare(views.jobs.get(job)) for job in {event.correlation for event in events}},
        "dead letters": {letter["id"]: _bare(letter) for _, letter in views.dead_letters.page(first=100_000)[0]},
        "series": {
            (name, project): sorted(map(repr, views.series.points(name, project=project, first=100_000)))
            for project in {event.project for event in events}
            for name in views.series.names(project)
        },
        "similar": {
            id: {(hit.id, round(hit.score, 5)) for hit in views.vectors.similar(id, first=50)} for id in embedded
        },
    }


def _bare(document: Json) -> Json:
    return {key: value for key, value in document.items() if key not in ("position", "created", "started", "reached")}
