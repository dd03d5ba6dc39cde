"""A log as the server profile's workers get it, and what the embedded profile makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from events.envelope import Recorded
from infra.embedded import view as embedded
from infra.embedded.database import Database


def cut(events: Sequence[Recorded], random: Random) -> list[list[Recorded]]:
    """Pages as partitions bring them: each project's events in order, the projects' pages in any."""
    by_project: dict[str, list[Recorded]] = {}
    for event in events:
        by_project.setdefault(event.project, []).append(event)
    pages = []
    while by_project:
        project = random.choice(sorted(by_project))
        size = random.randint(1, 15)
        pages.append(by_project[project][:size])
        by_project[project] = by_project[project][size:]
        if not by_project[project]:
            del by_project[project]
    return pages


def embedded_content(folder: Path, name: str, events: Sequence[Recorded]) -> list[tuple[str, str]]:
    """The content of the embedded view of this name."""
    view = next(each for each in embedded.VIEWS if each.name == name)
    database = Database(folder / "fold.sqlite")
    with database.write() as connection:
        connection.execute(view.schema.format(t="t"))
        rows = view.rows(connection, "t", {})
        view.apply(rows, list(events))
        rows.flush()
        found = list(view.content(connection, "t"))
    database.close()
    return found
