"""Neo4j: the connections of a process, transactions that are tried again, and what the driver's errors mean.

The driver takes a second to import, so it is imported when something is first asked of the server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from domain.errors import DiscoError, LimitExceeded, Malformed, Unavailable

if TYPE_CHECKING:
    from neo4j import Driver, ManagedTransaction, Record, Result, Session, Transaction

    Tx = ManagedTransaction | Transaction
    Ask = Callable[[str, dict[str, object]], Result]

Answer = TypeVar("Answer")

SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
CONNECT_S = 5.0
TAKE_S = 10.0
RETRY_FOR_S = 20.0
"""For how long a transaction is tried again that others crossed, or whose connection broke."""
READ_S = 30.0
READ_TRIES = 3
BACK_OFF_S = 0.05
WRITE_S = 300.0
IDLE_S = 30.0
"""A connection that lay unused for longer is looked at before it is used."""
RETRY_S = 2
_TIMED_OUT = "Neo.ClientError.Transaction.TransactionTimedOut"
_NO_MEMORY = "OutOfMemoryError"


class Neo4j:
    """One database, by one driver: it keeps the connections of all threads of this process.

    The address: bolt://USER:PASSWORD@HOST:PORT[/DATABASE], `neo4j://` for a cluster, `+s` behind either for TLS, `+ssc`
    where the server signed its certificate itself. Nothing is connected before it is first used.
    """

    def __init__(self, url: str, *, connect_s: float = CONNECT_S, retry_for_s: float = RETRY_FOR_S) -> None:
        self._server, self._user, self._password, self._database = _parts(url)
        self.where = f"Neo4j at {self._server.split('//')[1]}/{self._database}"
        self._connect_s = connect_s
        self._retry_for_s = retry_for_s
        self._lock = threading.Lock()
        self._driver: Driver | None = None

    def read(self, work: Callable[[Ask], Answer]) -> Answer:
        """Do this with what asks a statement, and once more from the start where it was broken off.

        Each statement is a transaction of its own: two round trips less, and no statement would see less for being in
        one with others. Raises: Unavailable, soon: somebody waits.
        """
        from neo4j import Query

        for attempt in range(READ_TRIES):
            try:
                with self._session() as session:
                    return work(lambda query, values: session.run(Query(query, timeout=READ_S), values))
            except Unavailable as error:
                if attempt == READ_TRIES - 1 or not _passing(error.__cause__):
                    raise
                time.sleep(BACK_OFF_S * 2**attempt)
        raise AssertionError("the last try returns or raises")

    def write(self, work: Callable[[Tx], Answer]) -> Answer:
        """Do this in a transaction, and again from the start where it was broken off, or where that is not known.

        Raises: Unavailable.
        """
        from neo4j import unit_of_work

        with self._session() as session:
            return session.execute_write(unit_of_work(timeout=WRITE_S)(work))

    def write_once(self, work: Callable[[Tx], Answer]) -> Answer:
        """Do this in a transaction that is not tried again. Raises: Unavailable, also where it may have been done."""
        with self._session() as session, session.begin_transaction(timeout=WRITE_S) as transaction:
            answer = work(transaction)
            transaction.commit()
            return answer

    def ask(self, query: str, **values: object) -> list[Record]:
        """All rows of one statement that cannot be part of a transaction. Raises: Unavailable."""
        with self._session() as session:
            return list(session.run(query, values))

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with translated(self.where), self._opened().session(database=self._database) as session:
            yield session

    def _opened(self) -> Driver:
        from neo4j import GraphDatabase, NotificationMinimumSeverity

        with self._lock:
            if self._driver is None:
                self._driver = GraphDatabase.driver(
                    self._server,
                    auth=(self._user, self._password),
                    connection_timeout=self._connect_s,
                    connection_acquisition_timeout=TAKE_S,
                    max_transaction_retry_time=self._retry_for_s,
                    liveness_check_timeout=IDLE_S,
                    notifications_min_severity=NotificationMinimumSeverity.OFF,
                    user_agent="disco-musica",
                    telemetry_disabled=True,
                )
            return self._driver

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._driver is not None:
                self._driver.close()
                self._driver = None


def _parts(url: str) -> tuple[str, str, str, str]:
    """Server, user, password and database. Raises: Malformed, without the address: it holds the password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 7687
    except ValueError:
        parts, host, port = urlsplit(""), "", 0
    if parts.scheme not in SCHEMES or not host or not parts.username:
        message = "the address of Neo4j cannot be read; give bolt://USER:PASSWORD@HOST:PORT[/DATABASE]"
        raise Malformed(message, field="neo4j") from None
    host = f"[{host}]" if ":" in host else host
    database = unquote(parts.path.strip("/")) or "neo4j"
    return f"{parts.scheme}://{host}:{port}", unquote(parts.username), unquote(parts.password or ""), database


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn the driver's errors into ours; what only a fault in a statement can cause passes as it is."""
    from neo4j import exceptions as said

    try:
        yield
    except DiscoError:
        raise
    except said.AuthError as error:
        message = f"{where} refuses the user or the password; see DISCO_NEO4J"
        raise Unavailable(message, retry_s=RETRY_S) from error
    except (said.TransientError, said.ConstraintError) as error:
        if (error.code or "").endswith(_NO_MEMORY):
            raise LimitExceeded(f"{where} has not the memory for this; ask for less", what="memory") from error
        message = f"{where} broke off a transaction that crossed another ({_told(error)}); try again"
        raise Unavailable(message, retry_s=RETRY_S) from error
    except said.ClientError as error:
        if not (error.code or "").startswith(_TIMED_OUT):
            raise
        raise Unavailable(f"{where} took too long and was stopped; try again, or ask for less") from error
    except said.DatabaseError as error:
        message = f"{where} could not carry it out ({_told(error)}); see its log, and that its disk is not full"
        raise Unavailable(message, retry_s=RETRY_S) from error
    except said.ResultError:
        raise
    except said.DriverError as error:
        message = f"{where} does not answer ({_told(error)}); see that it runs"
        raise Unavailable(message, retry_s=RETRY_S) from error


def _passing(cause: BaseException | None) -> bool:
    """Whether the driver holds that trying again may help: a broken connection, a transaction that crossed another."""
    from neo4j.exceptions import DriverError, Neo4jError

    return isinstance(cause, DriverError | Neo4jError) and cause.is_retryable()


def _told(error: Exception) -> str:
    """The first line of what the server or the driver says; it names hosts, never passwords."""
    text = getattr(error, "message", None) or str(error)
    return (str(text).strip().splitlines() or [type(error).__name__])[0][:200]
