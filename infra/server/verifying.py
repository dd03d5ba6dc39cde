"""Views of the server profile against a fresh fold: the embedded profile's own, of the same events, is the measure."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from domain.ports import EventLog
from domain.views import Difference
from events.envelope import Recorded
from infra.embedded.comparing import compare, digest
from infra.embedded.database import Database
from infra.embedded.view import VIEWS
from infra.server import registry
from infra.server.postgres import Pg, Postgres
from infra.server.relay import partition_of
from infra.server.store import View

PAGE = 2_000


def digests(postgres: Postgres, views: Sequence[View]) -> dict[str, str]:
    """A digest of the live generation of every view."""
    found = {}
    for view in views:
        with postgres.transaction(statement_s=0) as connection:
            live = _held(connection, view.name)
            if live is not None:
                found[view.name] = digest(view.store.content(connection, live))
    return found


def differences(postgres: Postgres, views: Sequence[View], log: EventLog, partitions: int) -> Iterator[Difference]:
    """Compare each view with a fold of as much of the log as it has had. Nothing is folded into it meanwhile.

    One that another version of its projection made is compared by the release that has that.
    """
    for view in views:
        with postgres.transaction(statement_s=0) as connection:
            live = _held(connection, view.name, version=view.store.version)
            if live is None:
                continue
            reached = registry.positions(connection, view.name, live)
            with tempfile.TemporaryDirectory(prefix="disco-verify-") as folder:
                fresh = Database(Path(folder) / "fold.sqlite")
                try:
                    expected = _fresh(fresh, view.name, _had(log, reached, partitions))
                    yield from compare(view.name, view.store.content(connection, live), expected)
                finally:
                    fresh.close()


def _held(connection: Pg, name: str, *, version: int | None = None) -> int | None:
    """The live generation, of this version if that matters, which nothing is folded into until the transaction ends."""
    query = """SELECT generation FROM views WHERE name = %s AND state = 'live' AND (%s::int IS NULL OR version = %s)
               FOR UPDATE"""
    row = connection.execute(query, (name, version, version)).fetchone()
    return None if row is None else int(row[0])


def _had(log: EventLog, reached: Mapping[int, int], partitions: int) -> Iterator[list[Recorded]]:
    """The events that a view has had, in pages."""
    position, upto = 0, max(reached.values(), default=0)
    while page := log.read(position, limit=PAGE, upto=upto):
        position = page[-1].position
        yield [each for each in page if each.position <= reached.get(partition_of(each.project, partitions), 0)]


def _fresh(database: Database, name: str, pages: Iterator[list[Recorded]]) -> Iterator[tuple[str, str]]:
    view = next(each for each in VIEWS if each.name == name)
    with database.write(durable=False) as connection:
        connection.execute(view.schema.format(t="fresh"))
        rows = view.rows(connection, "fresh", {})
        for page in pages:
            view.apply(rows, page)
            rows.flush()
    return view.content(database.reader(), "fresh")
