"""The event log of the server profile: PostgreSQL orders and acknowledges, Kafka keeps.

An append is acknowledged by the commit in PostgreSQL, which gives positions and sequences and puts the events in the
outbox; the relay brings them to Kafka (see `infra.server.relay`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import psycopg

from domain.errors import Conflict, Corrupted, DiscoError, Malformed, Unavailable
from domain.ids import EventId, ResourceId
from domain.ports import ALL, Appended, Selection
from domain.tracing import Spans
from events.envelope import Proposed, Recorded
from infra.event_rows import Row, recorded
from infra.group_commit import Clash, GroupCommit, Next, Places, Request, check_expected
from infra.server import ledger
from infra.server.archive import Archive
from infra.server.heads import Heads
from infra.server.postgres import Pg, Postgres
from infra.tracing import OFF

RETRY_S = 5
LOOK_S = 0.1


class OutboxFull(Unavailable):
    """As many events wait for Kafka as may."""


class ServerLog:
    """`EventLog` over PostgreSQL and Kafka.

    patience_s: how long a write waits for room in the outbox before it fails.
    """

    patience_s = 0.0

    def __init__(self, postgres: Postgres, archive: Archive, *, outbox_limit: int, spans: Spans = OFF) -> None:
        self._postgres = postgres
        self._archive = archive
        self._outbox_limit = outbox_limit
        self._heads = Heads(postgres)
        self._commits = GroupCommit(self._write_group, lambda: None, spans)

    # Writing

    def append(self, events: Sequence[Proposed], *, expected: Mapping[ResourceId, int] | None = None) -> Appended:
        """See `EventLog.append`."""
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return self._commits.append(events, expected)
            except OutboxFull:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_S)

    def _write_group(self, group: Sequence[Request], probe: bool) -> list[Appended | DiscoError]:
        """See `Write`."""
        answers: list[Appended | DiscoError] = []
        rows: list[Row] = []
        try:
            with self._postgres.transaction() as connection:
                following, published = ledger.lock(connection, group)
                self._check_room(following.position - 1 - published, group)
                looked_up = [request for request in group if probe or request.expected]
                known = self._known(connection, looked_up) if looked_up else None
                for request in group:
                    answers.append(self._place(request, known, probe, following, rows))
                if rows:
                    ledger.write(connection, rows, following, self._heads.channel)
        except psycopg.errors.UniqueViolation as error:
            raise Clash from error
        return answers

    def _check_room(self, waiting: int, group: Sequence[Request]) -> None:
        if waiting + sum(len(request.events) for request in group) > self._outbox_limit:
            raise OutboxFull(
                f"{waiting} events wait for Kafka, and {self._outbox_limit} may; see whether Kafka and a relay run",
                retry_s=RETRY_S,
            )

    def _known(self, connection: Pg, group: Sequence[Request]) -> ledger.Known:
        events = [event for request in group for event in request.events]
        subjects = sorted({subject for request in group for subject in request.expected})
        return ledger.known(connection, events, subjects)

    def _place(
        self, request: Request, known: ledger.Known | None, probe: bool, following: Next, rows: list[Row]
    ) -> Appended | DiscoError:
        """Answer one request of a group, its rows added to those to be written; what it gets wrong is its own."""
        written = len(rows)
        places: Places | None = None
        try:
            if known is not None and (probe or request.expected):
                known.check(request)
                places = dict(known.places)
                check_expected(request, places, known.head)
            answer = following.place(request, places, rows)
        except (Conflict, Malformed) as error:
            return error
        if known is not None:
            known.add(rows[written:])
        return answer

    # Reading

    def read(
        self, after: int, *, limit: int = 1000, upto: int | None = None, selection: Selection = ALL
    ) -> list[Recorded]:
        """See `EventLog.read`."""
        with self._postgres.read() as connection:
            rows = ledger.page(connection, after, limit, upto, selection)
        events = self._events(rows)
        if selection == ALL:
            _check_contiguous(after, events)
        return events

    def about(self, subject: ResourceId, *, after: int = 0) -> list[Recorded]:
        """See `EventLog.about`."""
        with self._postgres.read() as connection:
            rows = ledger.about(connection, subject, after)
        return self._events(rows)

    def at(self, positions: Sequence[int]) -> dict[int, Recorded]:
        """See `EventLog.at`."""
        with self._postgres.read() as connection:
            rows = ledger.at(connection, positions)
        return {event.position: event for event in self._events(rows)}

    def _events(self, rows: Sequence[tuple[Any, ...]]) -> list[Recorded]:  # Any: typed by the schema
        """Rows as events, with the payloads that only Kafka has."""
        missing = [row[0] for row in rows if row[ledger.DATA] is None]
        data = self._archive.payloads(missing) if missing else {}
        whole = (
            row if row[ledger.DATA] is not None else (*row[: ledger.DATA], data[row[0]], row[ledger.FINDING])
            for row in rows
        )
        return list(recorded(whole))

    def places(self, ids: Iterable[EventId], *, subject: ResourceId | None = None) -> dict[EventId, int]:
        """See `EventLog.places`."""
        with self._postgres.read() as connection:
            return ledger.places(connection, ids, subject)

    def head(self) -> int:
        """See `EventLog.head`."""
        with self._postgres.read() as connection:
            return ledger.head(connection)

    def wait(self, after: int, timeout_s: float) -> int:
        """See `EventLog.wait`."""
        return self._heads.wait(after, timeout_s)

    def on_append(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `EventLog.on_append`."""
        return self._heads.listen(listener)

    def close(self) -> None:
        """Stop listening to the server; whoever waits is let go."""
        self._heads.close()
        self._archive.close()


def _check_contiguous(after: int, events: Sequence[Recorded]) -> None:
    for expected, event in enumerate(events, after + 1):
        if event.position != expected:
            raise Corrupted(
                f"the event at position {expected} is missing from the ledger; run: disco rebuild-ledger",
                position=expected,
            )
