"""Generations of views, and how far each has come in each partition; kept in PostgreSQL for views of any server."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.errors import Unavailable
from infra.server import ledger
from infra.server.postgres import Pg, Postgres

REMEMBERED_S = 1.0
RETIRED_S = 120
"""How long a replaced generation is kept for those who still read from it."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A view's rows as one version of its projection made them; state is live, building or retired."""

    name: str
    number: int
    version: int
    state: str


class Registry:
    """Which generations there are. What is live is remembered for a moment, so that reads need not ask each time."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._live: dict[str, int] = {}
        self._known_at = 0.0
        self._lock = threading.Lock()

    def live(self, name: str) -> int:
        """The number of a view's live generation. Raises: Unavailable, where it has none yet."""
        with self._lock:
            if time.monotonic() - self._known_at > REMEMBERED_S or name not in self._live:
                with self._postgres.read() as connection:
                    self._live = {each.name: each.number for each in generations(connection) if each.state == "live"}
                self._known_at = time.monotonic()
            if name not in self._live:
                raise Unavailable(f"the view {name} has not been built yet; start a worker: disco worker", retry_s=1)
            return self._live[name]

    def look_again(self) -> None:
        """Forget which generations are live."""
        with self._lock:
            self._known_at = 0.0


def generations(connection: Pg, name: str | None = None) -> list[Generation]:
    """All generations, or those of one view, oldest first."""
    query = """SELECT name, generation, version, state FROM views WHERE %s::text IS NULL OR name = %s
               ORDER BY name, generation"""
    return [Generation(*row) for row in connection.execute(query, (name, name))]


def live_locked(connection: Pg, name: str) -> Generation | None:
    """A view's live generation, which stays live until the transaction ends."""
    query = "SELECT name, generation, version, state FROM views WHERE name = %s AND state = 'live' FOR SHARE"
    row = connection.execute(query, (name,)).fetchone()
    return None if row is None else Generation(*row)


def add(connection: Pg, name: str, version: int, state: str) -> Generation:
    """A new generation."""
    query = """INSERT INTO views (name, generation, version, state)
               SELECT %s, coalesce(max(generation), 0) + 1, %s, %s FROM views WHERE name = %s RETURNING generation"""
    row = connection.execute(query, (name, version, state, name)).fetchone()
    assert row is not None  # noqa: S101  # an insert of one row returns one
    return Generation(name, int(row[0]), version, state)


def positions(connection: Pg, name: str, generation: int) -> dict[int, int]:
    """How far a generation has come, by partition."""
    query = "SELECT partition, position FROM checkpoints WHERE name = %s AND generation = %s"
    return {int(partition): int(position) for partition, position in connection.execute(query, (name, generation))}


def position_locked(connection: Pg, name: str, generation: int, partition: int) -> int:
    """How far a generation has come in a partition; nobody else moves it until the transaction ends."""
    connection.execute(
        "INSERT INTO checkpoints VALUES (%s, %s, %s, 0) ON CONFLICT DO NOTHING", (name, generation, partition)
    )
    row = connection.execute(
        "SELECT position FROM checkpoints WHERE name = %s AND generation = %s AND partition = %s FOR UPDATE",
        (name, generation, partition),
    ).fetchone()
    assert row is not None  # noqa: S101  # it was just made
    return int(row[0])


def move(connection: Pg, name: str, generation: int, to: Mapping[int, int]) -> None:
    """A generation has come to these positions, by partition."""
    connection.cursor().executemany(
        """INSERT INTO checkpoints VALUES (%s, %s, %s, %s)
           ON CONFLICT (name, generation, partition) DO UPDATE SET position = excluded.position, failure = NULL""",
        [(name, generation, partition, position) for partition, position in to.items()],
    )


def stand_still(connection: Pg, name: str, generation: int, partition: int, why: str, *, short_of: int) -> None:
    """A generation gets no further in a partition, unless another worker has brought it to this position meanwhile."""
    connection.execute(
        """INSERT INTO checkpoints AS c VALUES (%s, %s, %s, 0, %s)
           ON CONFLICT (name, generation, partition) DO UPDATE SET failure = excluded.failure WHERE c.position < %s""",
        (name, generation, partition, why, short_of),
    )


def note(connection: Pg, generation: Generation, why: str | None) -> None:
    """Why a generation cannot be built; None where it goes on."""
    query = "UPDATE views SET failure = %s WHERE name = %s AND generation = %s AND failure IS DISTINCT FROM %s"
    connection.execute(query, (why, generation.name, generation.number, why))


def failures(connection: Pg) -> dict[tuple[str, int], str]:
    """Why generations get no further, by name and number."""
    query = """(SELECT name, generation, failure FROM checkpoints WHERE failure IS NOT NULL ORDER BY partition DESC)
               UNION ALL SELECT name, generation, failure FROM views WHERE failure IS NOT NULL"""
    return {(name, int(number)): why for name, number, why in connection.execute(query)}


def switch(connection: Pg, generation: Generation) -> None:
    """Make a generation the live one, and retire the one that was."""
    retire = "UPDATE views SET state = 'retired', changed = now() WHERE name = %s AND state = 'live'"
    connection.execute(retire, (generation.name,))
    connection.execute(
        "UPDATE views SET state = 'live', failure = NULL, changed = now() WHERE name = %s AND generation = %s",
        (generation.name, generation.number),
    )


def retired(connection: Pg) -> Sequence[Generation]:
    """Generations that nobody reads from any more."""
    query = """SELECT name, generation, version, state FROM views
               WHERE state = 'retired' AND changed < now() - make_interval(secs => %s)"""
    return [Generation(*row) for row in connection.execute(query, (RETIRED_S,))]


def remove(connection: Pg, generation: Generation) -> None:
    """Forget a generation."""
    query = "DELETE FROM views WHERE name = %s AND generation = %s"
    connection.execute(query, (generation.name, generation.number))


def watermark(connection: Pg, name: str, generation: int) -> int:
    """The position up to which a generation has everything, whichever partition it lies in."""
    return reached_by(connection, positions(connection, name, generation))


def position(connection: Pg, name: str | None = None) -> int:
    """The least watermark of what is live, or that of one view.

    One question, and one that is planned once for all times: every walk of a lineage asks it.
    """
    query = f"""SELECT CASE WHEN count(*) > 0
                      THEN coalesce(min(coalesce(c.position, 0)) FILTER (WHERE coalesce(c.position, 0) < p.last),
                                    (SELECT max(last) FROM published)) END
               FROM views v LEFT JOIN partitions p ON true LEFT JOIN checkpoints c
               ON c.name = v.name AND c.generation = v.generation AND c.partition = p.partition
               WHERE v.state = 'live' {"" if name is None else "AND v.name = %s"}"""
    row = connection.execute(query, () if name is None else (name,)).fetchone()
    return int(row[0] or 0) if row else 0


def watermarks(connection: Pg) -> dict[tuple[str, int], int]:
    """The watermark of every generation, by name and number, in one question."""
    query = """SELECT v.name, v.generation,
                      coalesce(min(coalesce(c.position, 0)) FILTER (WHERE coalesce(c.position, 0) < p.last),
                               (SELECT coalesce(max(last), 0) FROM published))
               FROM views v LEFT JOIN partitions p ON true LEFT JOIN checkpoints c
               ON c.name = v.name AND c.generation = v.generation AND c.partition = p.partition
               GROUP BY v.name, v.generation"""
    return {(name, int(number)): int(position) for name, number, position in connection.execute(query)}


def reached_by(connection: Pg, reached: Mapping[int, int]) -> int:
    """The position up to which somebody has everything who has come so far in each partition."""
    behind = [reached.get(each, 0) for each, end in ledger.ends(connection).items() if reached.get(each, 0) < end]
    return min(behind) if behind else ledger.published(connection)
