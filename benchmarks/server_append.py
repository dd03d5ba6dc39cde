"""Appending to the server profile's log, against a COPY of the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from statistics import median

from benchmarks.catalogue import batches
from benchmarks.figures import Bench, Measured
from benchmarks.server_room import drop_schemas, forget, settings_of
from benchmarks.timing import in_turn
from infra.event_rows import Row
from infra.server import ledger
from infra.server.archive import Archive
from infra.server.log import ServerLog
from infra.server.migrating import migrate
from infra.server.postgres import Pg, Postgres, postgres_of
from infra.server.topics import events_topic, make_topics
from infra.settings import Settings

SIZE = 1_000
BATCHES = 80
TABLES = ("ledger", "outbox")
COLUMNS = "position, sequence, checksum, id, project, subject, causation, type, source, actor, correlation, version"
LEDGER = f"SELECT {COLUMNS}, time_us, duration_ms, data, finding FROM ledger ORDER BY position"
OUTBOX = "SELECT position, data FROM outbox ORDER BY position"


@dataclass(frozen=True, slots=True)
class Sequencer:
    """A log of the server profile whose events nobody relays yet."""

    settings: Settings
    brokers: str
    postgres: Postgres
    log: ServerLog


@contextmanager
def sequencer(bench: Bench) -> Iterator[Sequencer]:
    """The tables and topics of a log, and nothing of views."""
    settings = settings_of(bench)
    brokers = settings.address("kafka")
    make_topics(settings, brokers)
    with closing(postgres_of(settings)) as postgres:
        migrate(postgres)
        archive = Archive(postgres, brokers, events_topic(settings))
        with closing(ServerLog(postgres, archive, outbox_limit=settings.outbox_limit)) as log:
            try:
                yield Sequencer(settings, brokers, postgres, log)
            finally:
                drop_schemas(postgres)
    forget(brokers, settings.topic_prefix)


def append(bench: Bench) -> Measured:
    """Events a second by the thousand, to acknowledgement; and the COPY of the rows that came of them before."""
    work = batches(SIZE, bench.scaled(BATCHES, least=10))
    with sequencer(bench) as model, sequencer(bench) as ours, sequencer(bench) as raw:
        for batch in work:
            model.log.append(batch)
        rows = iter(_rows(model.postgres))
        taken, bare = in_turn(ours.log.append, lambda _: _copy(raw.postgres, *next(rows)), work)
        with ours.postgres.read() as one, raw.postgres.read() as other:
            assert _counts(one) == _counts(other) == [SIZE * len(work)] * len(TABLES), "not all was written"
    return Measured(SIZE / median(taken), SIZE / median(bare), f"{SIZE * len(work):,} events by the {SIZE:,}")


def _rows(postgres: Postgres) -> list[tuple[list[Row], list[Row]]]:
    """What each batch has put into ledger and outbox."""
    with postgres.read() as connection:
        held = [connection.execute(query).fetchall() for query in (LEDGER, OUTBOX)]
    return [(held[0][at : at + SIZE], held[1][at : at + SIZE]) for at in range(0, len(held[0]), SIZE)]


def _copy(postgres: Postgres, in_ledger: list[Row], in_outbox: list[Row]) -> None:
    """The bare COPY of ready rows, in one transaction, under the same indexes."""
    types = (ledger.LEDGER_TYPES, ledger.OUTBOX_TYPES)
    with postgres.transaction() as connection, connection.cursor() as cursor:
        for table, kinds, rows in zip(TABLES, types, (in_ledger, in_outbox), strict=True):
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(kinds)
                for row in rows:
                    copy.write_row(row)


def _counts(connection: Pg) -> list[int]:
    return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]  # type: ignore[index]  # a count is a row
