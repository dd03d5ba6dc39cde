"""PostgreSQL: a pool of connections, what a transaction is, and what the driver's errors mean.

Everything of one installation lies in one schema, named by its prefix, and its views in schemas that begin with it.
"""

from __future__ import annotations

import re
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

import psycopg
import psycopg_pool
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from domain.errors import Corrupted, DiscoError, Malformed, Unavailable
from infra.settings import Settings

Pg = psycopg.Connection[tuple[Any, ...]]  # Any: the columns are typed by the schema, which mypy cannot read
Answer = TypeVar("Answer")

MOST_CONNECTIONS = 20
TAKE_S = 5.0
CONNECT_S = 5
STATEMENT_S = 60.0
RETRY_S = 2
ATTEMPTS = 8
BACK_OFF_S = 0.01
LONGEST_PREFIX = 40
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
_PREFIX = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_PREFIX - 1}}}\Z")


class Crossed(Unavailable):
    """Two transactions wanted the same rows, and the server broke this one off; it can be done again at once."""


class Postgres:
    """Connections to one database, each with the installation's schema on its path.

    A connection is taken from the pool for one read or transaction, and looked at before it is given: one that died
    with its server, or was ended by it, is replaced, not handed on.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "disco",
        most: int = MOST_CONNECTIONS,
        take_s: float = TAKE_S,
        statement_s: float = STATEMENT_S,
    ) -> None:
        self.schema = checked_prefix(prefix)
        self.where = _where(url)
        self._url = url
        self._take_s = take_s
        self._how = {
            "autocommit": True,
            "connect_timeout": CONNECT_S,
            "application_name": f"disco-musica {prefix}",
            "options": f"-c search_path={prefix},public -c statement_timeout={int(statement_s * 1000)}",
            **_KEEPALIVE,
        }
        self._pool: psycopg_pool.ConnectionPool[Pg] = psycopg_pool.ConnectionPool(
            url,
            min_size=1,
            max_size=most,
            timeout=take_s,
            kwargs=self._how,
            check=_look,
            name=f"postgres {prefix}",
            open=True,
        )

    @contextmanager
    def read(self, *, snapshot: bool = False) -> Iterator[Pg]:
        """A connection for reading: each statement sees what is committed, or with `snapshot` all see the same.

        Raises: Unavailable.
        """
        with self._taken() as connection:
            if snapshot:
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection  # the pool ends what was begun

    @contextmanager
    def transaction(self, *, statement_s: float | None = None) -> Iterator[Pg]:
        """One transaction that writes, rolled back on any error.

        statement_s: for statements that take longer than usual; 0 for as long as it takes.
        Raises: Unavailable; Crossed, where it would do to begin again.
        """
        with self._taken() as connection, connection.transaction():
            if statement_s is not None:
                set_local(connection, "statement_timeout", int(statement_s * 1000))
            with _broken_off(connection):
                yield connection

    def retrying(
        self,
        work: Callable[[Pg], Answer],
        *,
        attempts: int = ATTEMPTS,
        random: Random | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Answer:
        """Do this in a transaction, and again from the start where another transaction crossed it.

        Raises: Unavailable, after so many attempts.
        """
        random = random or Random()
        for attempt in range(1, attempts + 1):
            try:
                with self.transaction() as connection:
                    return work(connection)
            except Crossed:
                if attempt == attempts:
                    raise
                sleep(random.uniform(0, BACK_OFF_S * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def session(self) -> Iterator[Pg]:
        """A connection of one's own, beside the pool: to listen, or to hold a lock for long. In autocommit mode.

        Raises: Unavailable.
        """
        with translated(self.where), psycopg.connect(self._url, **self._how) as connection:  # type: ignore[arg-type]  # typed for each keyword apart
            yield connection

    @contextmanager
    def _taken(self) -> Iterator[Pg]:
        with translated(self.where), self._pool.connection() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection of the pool."""
        self._pool.close()


def _look(connection: Pg) -> None:
    """See whether a connection that lay idle still leads anywhere; it costs a round trip only where there is news.

    A server that ends a connection says so, and one that is gone is found out by keepalives: either can be read. A
    question each time would be as long as most answers are. Raises: psycopg.OperationalError.
    """
    news = select.poll()
    news.register(connection.fileno(), select.POLLIN)
    if news.poll(0):
        psycopg_pool.ConnectionPool.check_connection(connection)


@contextmanager
def _broken_off(connection: Pg) -> Iterator[None]:
    """Close a connection that an error leaves in mid-COPY: the server waits for more of that, not for a rollback."""
    try:
        yield
    except BaseException:
        if connection.info.transaction_status == TransactionStatus.ACTIVE:
            connection.close()
        raise


def postgres_of(settings: Settings) -> Postgres:
    """The connections that the settings ask for. Raises: Malformed."""
    return Postgres(settings.address("postgres"), prefix=settings.topic_prefix, most=settings.postgres_connections)


def checked_prefix(prefix: str) -> str:
    """The prefix, which names a schema. Raises: Malformed."""
    if not _PREFIX.match(prefix):
        raise Malformed(
            f"the prefix {prefix!r} cannot name a schema; give a small letter, then up to {LONGEST_PREFIX - 1} small"
            " letters, digits and underscores",
            field="topic_prefix",
        )
    return prefix


def _where(url: str) -> str:
    """What to call this server in a message: never its user or password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        message = "the address of PostgreSQL cannot be read; give postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        raise Malformed(message, field="postgres") from None  # the cause tells the address, and so the password
    host, port, name = parts.get("host") or "localhost", parts.get("port") or 5432, parts.get("dbname") or ""
    return f"PostgreSQL at {host}:{port}/{name}"


def set_local(connection: Pg, setting: str, value: object) -> None:
    """Set one of the server's settings until the transaction ends."""
    connection.execute("SELECT set_config(%s, %s, true)", (setting, str(value)))


def lock_until_commit(connection: Pg, name: str) -> None:
    """Hold a lock of this name until the transaction ends; one transaction has it at a time."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))


def identifier(*parts: str) -> str:
    """A quoted, dotted name for use in a statement's text."""
    return sql.Identifier(*parts).as_string(None)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn the driver's errors into ours; what only a fault in a statement can cause passes as it is."""
    try:
        yield
    except DiscoError:
        raise
    except psycopg_pool.PoolTimeout as error:
        message = f"{where} gave no connection in time: it is down, or all of them are busy; see that it runs"
        raise Unavailable(message, retry_s=RETRY_S) from error
    except psycopg_pool.PoolClosed as error:
        raise Unavailable(f"{where} was let go of; this process is ending", retry_s=RETRY_S) from error
    except (errors.SerializationFailure, errors.DeadlockDetected) as error:
        raise Crossed(f"{where} broke off a transaction that crossed another; try again", retry_s=RETRY_S) from error
    except (errors.DiskFull, errors.OutOfMemory) as error:
        message = f"{where} has no room left ({_told(error)}); free some and try again"
        raise Unavailable(message, retry_s=RETRY_S) from error
    except errors.QueryCanceled as error:
        raise Unavailable(f"{where} took too long and was stopped: {_told(error)}", retry_s=RETRY_S) from error
    except (errors.DataCorrupted, errors.IndexCorrupted) as error:
        raise Corrupted(f"{where} is damaged ({_told(error)}); restore a backup, or rebuild from Kafka") from error
    except (psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction) as error:
        message = f"{where} does not answer ({_told(error)}); see that it runs"
        raise Unavailable(message, retry_s=RETRY_S) from error


def _told(error: Exception) -> str:
    """The first line of what the driver says; it names hosts and users, never passwords."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
