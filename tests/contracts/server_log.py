"""The log over real servers: PostgreSQL as the sequencer, Kafka behind a relay; each adapter under names of its own."""

from __future__ import annotations

import contextlib
import sys
import uuid
from pathlib import Path
from typing import Any

import psycopg
from kafka.admin import KafkaAdminClient

from domain.ports import EventLog
from infra.server.archive import Archive
from infra.server.log import ServerLog
from infra.server.migrating import migrate
from infra.server.postgres import Postgres, identifier
from infra.server.relay import Relay
from infra.server.topics import events_topic, make_topics
from infra.settings import Settings
from tests.servers import servers

PARTITIONS = 4


def settings_for(prefix: str) -> Settings:
    """Settings of an installation under this prefix."""
    found = servers()
    return Settings(
        kafka=found.kafka, postgres=found.postgres, topic_prefix=prefix, partitions=PARTITIONS, outbox_limit=1_000_000
    )


def postgres_of(settings: Settings) -> Postgres:
    """A pool of connections to an installation."""
    assert settings.postgres is not None
    return Postgres(settings.postgres.get_secret_value(), prefix=settings.topic_prefix)


class Handle:
    """One process's handle on the log."""

    def __init__(self, settings: Settings) -> None:
        assert settings.kafka is not None
        self.postgres = postgres_of(settings)
        archive = Archive(self.postgres, settings.kafka, events_topic(settings))
        self.log = ServerLog(self.postgres, archive, outbox_limit=settings.outbox_limit)

    def close(self) -> None:
        """Let go of everything."""
        self.log.close()
        self.postgres.close()


class ServerLogAdapter:
    """The log of a fresh installation; a relay runs unless it is told otherwise."""

    def __init__(self, folder: Path, *, relay: bool = True) -> None:
        self.settings = settings_for(f"t{uuid.uuid4().hex[:12]}")
        assert self.settings.kafka is not None
        make_topics(self.settings, self.settings.kafka)
        self.postgres = postgres_of(self.settings)
        migrate(self.postgres)
        self._relay = Relay(self.postgres, self.settings.kafka, events_topic(self.settings), PARTITIONS)
        if relay:
            self._relay.start()
        self._handles: list[Handle] = []

    def open(self) -> EventLog:
        """See `LogAdapter.open`."""
        self._handles.append(Handle(self.settings))
        return self._handles[-1].log

    def process(self, *arguments: str) -> list[str]:
        """See `LogAdapter.process`."""
        return [sys.executable, "-m", "tests.contracts.appender", self.settings.topic_prefix, *arguments]

    def fields(self, position: int) -> dict[str, Any]:
        """See `LogAdapter.fields`."""
        with self.postgres.read() as connection:
            cursor = connection.execute("SELECT * FROM ledger WHERE position = %s", (position,))
            row = cursor.fetchone()
            assert row is not None
            assert cursor.description is not None
            return {column.name: value for column, value in zip(cursor.description, row, strict=True)}

    def store(self, position: int, field: str, value: Any) -> bool:
        """See `LogAdapter.store`."""
        try:
            if isinstance(value, bytes) and field in ("type", "source", "actor", "correlation"):
                value = value.decode()
            with self.postgres.transaction() as connection:
                connection.execute("DROP INDEX IF EXISTS ledger_by_project")  # a bad disk asks no index
                connection.execute(
                    f"UPDATE ledger SET {identifier(field)} = %s WHERE position = %s",  # noqa: S608  # a column's name
                    (value, position),
                )
        except (UnicodeDecodeError, psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError):
            return False
        return True

    def delete(self, position: int) -> None:
        """See `LogAdapter.delete`."""
        with self.postgres.transaction() as connection:
            connection.execute("DELETE FROM ledger WHERE position = %s", (position,))

    def close(self) -> None:
        """See `LogAdapter.close`."""
        for handle in self._handles:
            handle.close()
        self._relay.stop()
        with self.postgres.transaction() as connection:
            connection.execute(f"DROP SCHEMA {identifier(self.settings.topic_prefix)} CASCADE")
        self.postgres.close()
        admin = KafkaAdminClient(bootstrap_servers=self.settings.kafka)
        with contextlib.suppress(Exception):  # a leftover topic harms nobody
            admin.delete_topics([events_topic(self.settings)])
        admin.close()
