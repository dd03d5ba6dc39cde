"""Migrations: numbered steps that take the tables of an installation forward, applied once, in order, all or none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import structlog
from psycopg import errors, sql

from domain.errors import Conflict, NewerVersion
from infra.server.postgres import Pg, Postgres, identifier, lock_until_commit

RECORD = """
CREATE TABLE IF NOT EXISTS migrations (
    number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
    applied timestamptz NOT NULL DEFAULT now())
"""
_FILE = re.compile(r"(\d{4})_(\w+)\.sql\Z")

log_ = structlog.get_logger("migrations")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: statements, and the number that orders it."""

    number: int
    name: str
    statements: str

    @property
    def checksum(self) -> str:
        """What it must still be once it was applied."""
        return hashlib.sha256(self.statements.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """The steps of this release, in order."""
    found = []
    for file in resources.files("infra.server.migrations").iterdir():
        matched = _FILE.match(file.name)
        if matched:
            found.append(Migration(int(matched[1]), matched[2], file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.number))


def migrate(postgres: Postgres, steps: Sequence[Migration] | None = None) -> list[int]:
    """Bring an installation's tables up to this release, data and all; return the numbers of the steps taken.

    Several processes may begin at once: one goes, the others wait and find nothing left to do.
    Raises: Conflict, where an applied step is no longer what it was; NewerVersion, where a later release was here.
    """
    steps = migrations() if steps is None else steps
    add_timescale(postgres)
    with postgres.transaction(statement_s=0) as connection:
        lock_until_commit(connection, f"disco {postgres.schema} migrations")
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(postgres.schema)}")
        connection.execute(RECORD)
        applied = {number: (name, checksum) for number, name, checksum in connection.execute(_APPLIED)}
        _check(steps, applied, postgres.where)
        due = [step for step in steps if step.number not in applied]
        for step in due:
            connection.execute(sql.SQL(step.statements))
            connection.execute(_NOTE, (step.number, step.name, step.checksum))
            log_.info("migrated", number=step.number, name=step.name, schema=postgres.schema)
    return [step.number for step in due]


_APPLIED = "SELECT number, name, checksum FROM migrations ORDER BY number"
_NOTE = "INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)"


def _check(steps: Sequence[Migration], applied: dict[int, tuple[str, str]], where: str) -> None:
    known = {step.number: step for step in steps}
    newest = max(applied, default=0)
    for number, (name, checksum) in applied.items():
        if number not in known:
            raise NewerVersion(f"{where} has had migration {number} ({name}), which this release lacks; upgrade")
        if known[number].checksum != checksum:
            raise Conflict(
                f"migration {number} ({name}) is not what was applied to {where}; restore the file, and write what"
                " is to change as a new migration",
                number=number,
            )
    for number in known:
        if number < newest and number not in applied:
            raise Conflict(f"migration {number} comes before {newest}, which {where} has had; give it a later number")


def add_timescale(postgres: Postgres) -> None:
    """Have TimescaleDB in the database where the server has it; without it, series are plain tables."""
    with postgres.read() as connection:
        if _has_timescale(connection):
            return
        # Asked of a server that has not loaded the library, CREATE EXTENSION would end the connection.
        if connection.execute(_OFFERED).fetchone() is None:
            log_.warning("no_timescaledb", where=postgres.where, what="series are kept in plain tables")
            return
    try:
        with postgres.transaction() as connection:
            lock_until_commit(connection, "disco timescaledb")
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA public")
    except (errors.InsufficientPrivilege, errors.FeatureNotSupported) as error:
        log_.warning("no_timescaledb", where=postgres.where, what="series are kept in plain tables", error=str(error))


_OFFERED = """SELECT 1 FROM pg_available_extensions
              WHERE name = 'timescaledb' AND current_setting('timescaledb.disable_load', true) IS NOT NULL"""


def _has_timescale(connection: Pg) -> bool:
    return connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone() is not None
