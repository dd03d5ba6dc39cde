"""The agents of a worker: one a view that folds, one that has events answered by the processors."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from functools import partial

from domain.errors import Unavailable
from events.envelope import Recorded
from infra.processing import Processing, asked
from infra.server.folding import Folding
from infra.server.following import DeadLetters, Follower
from infra.server.postgres import Postgres
from infra.server.replay import History

VIEW_PAGE = 500
ANSWER_PAGE = 64


def view_agent(name: str, postgres: Postgres, history: History, folding: Folding) -> Follower:
    """Folds the log into a view."""
    return Follower(
        f"{postgres.schema}.view.{name}",
        VIEW_PAGE,
        postgres,
        history,
        position=partial(folding.position, name),
        apply=partial(folding.fold, name),
    )


class Answering:
    """Has events answered, and remembers how far in each partition."""

    def __init__(self, postgres: Postgres, processing: Processing, processors: Sequence[str]) -> None:
        self._postgres = postgres
        self._processing = processing
        self._processors = tuple(processors)
        self._stop = threading.Event()

    def agent(self, history: History, dead_letters: DeadLetters) -> Follower:
        """Follows the log in a group of all who answer by these processors."""
        group = f"{self._postgres.schema}.processors.{'+'.join(sorted(self._processors))}"
        return Follower(
            group,
            ANSWER_PAGE,
            self._postgres,
            history,
            position=self._position,
            apply=self._apply,
            dead_letters=dead_letters,
        )

    def stop(self) -> None:
        """Have what is at hand broken off, to be done again by whoever comes next."""
        self._stop.set()
        self._processing.halt()

    def _position(self, partition: int) -> int:
        return min(self._positions(partition).values(), default=0)

    def _positions(self, partition: int) -> dict[str, int]:
        with self._postgres.read() as connection:
            found = dict(
                connection.execute(
                    "SELECT processor, position FROM processed WHERE partition = %s AND processor = ANY(%s)",
                    (partition, list(self._processors)),
                ).fetchall()
            )
        return {name: int(found.get(name, 0)) for name in self._processors}

    def _apply(self, partition: int, previous: int, events: Sequence[Recorded]) -> int:
        positions = self._positions(partition)
        under_way = []
        for event in events:
            wanted = [name for name in asked(event) if positions.get(name, event.position) < event.position]
            answered = self._processing.take(event, wanted, self._stop)
            if answered is not None:
                under_way.append(answered)
        ended = [_ended(each) for each in under_way]
        if self._stop.is_set() or not all(ended):
            raise Unavailable("this worker is stopping; another one goes on")
        with self._postgres.transaction() as connection:
            connection.cursor().executemany(
                """INSERT INTO processed VALUES (%s, %s, %s) ON CONFLICT (processor, partition)
                   DO UPDATE SET position = greatest(processed.position, excluded.position)""",
                [(name, partition, events[-1].position) for name in self._processors],
            )
        return events[-1].position


def _ended(answered: Future[None]) -> bool:
    """Wait until it is done; False where it was broken off, of which `concurrent.futures.wait` would not hear."""
    try:
        answered.result()
    except CancelledError:
        return False
    return True
