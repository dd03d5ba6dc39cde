"""Neo4j: the connections of a process, transactions that are tried again, and what the driver's errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from neo4j import (
    Auth,
    Driver,
    GraphDatabase,
    ManagedTransaction,
    NotificationMinimumSeverity,
    Query,
    Record,
    Transaction,
)
from neo4j import unit_of_work as limited
from neo4j.exceptions import (
    AuthError,
    ClientError,
    ConstraintError,
    DatabaseError,
    DriverError,
    ResultError,
    TransientError,
)

from domain.errors import DiscoError, Malformed, Unavailable

Tx = ManagedTransaction | Transaction
Answer = TypeVar("Answer")

SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
CONNECT_S = 5.0
TAKE_S = 10.0
RETRY_FOR_S = 20.0
"""For how long a transaction is tried again that others crossed, or whose connection broke."""
READ_S = 30.0
WRITE_S = 300.0
IDLE_S = 30.0
"""A connection that lay unused for longer is looked at before it is used."""
RETRY_S = 2
_TIMED_OUT = "Neo.ClientError.Transaction.TransactionTimedOut"


class Neo4j:
    """One database, by one driver: it keeps the connections of all threads of this process.

    The address: bolt://USER:PASSWORD@HOST:PORT[/DATABASE], `neo4j://` for a cluster, `+s` behind either for TLS, `+ssc`
    where the server signed its certificate itself. Nothing is connected before it is first used.
    """

    def __init__(self, url: str, *, connect_s: float = CONNECT_S, retry_for_s: float = RETRY_FOR_S) -> None:
        self.where, self._database, self._driver = _opened(url, connect_s, retry_for_s)

    def read(self, work: Callable[[Tx], Answer], *, limit_s: float = READ_S) -> Answer:
        """Do this in a transaction that only reads, and again from the start where it was broken off.

        limit_s: how long one try may take. Raises: Unavailable.
        """
        with translated(self.where), self._driver.session(database=self._database) as session:
            return session.execute_read(limited(timeout=limit_s)(work))

    def write(self, work: Callable[[Tx], Answer]) -> Answer:
        """Do this in a transaction, and again from the start where it was broken off, or where that is not known.

        Raises: Unavailable.
        """
        with translated(self.where), self._driver.session(database=self._database) as session:
            return session.execute_write(limited(timeout=WRITE_S)(work))

    def write_once(self, work: Callable[[Tx], Answer]) -> Answer:
        """Do this in a transaction that is not tried again. Raises: Unavailable, also where it may have been done."""
        with translated(self.where), self._driver.session(database=self._database) as session:
            with session.begin_transaction(timeout=WRITE_S) as transaction:
                answer = work(transaction)
                transaction.commit()
            return answer

    def ask(self, query: str, **values: Any) -> list[Record]:  # Any: what the driver can bind
        """All rows of one statement, in a transaction of its own; for what may not be part of another.

        Raises: Unavailable.
        """
        with translated(self.where), self._driver.session(database=self._database) as session:
            return list(session.run(Query(query), values))

    def close(self) -> None:
        """Close every connection."""
        self._driver.close()


def _opened(url: str, connect_s: float, retry_for_s: float) -> tuple[str, str, Driver]:
    """What to call the server in a message, its database, and the driver. Raises: Malformed."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 7687
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    if parts.scheme not in SCHEMES or not host or not parts.username:
        message = "the address of Neo4j cannot be read; give bolt://USER:PASSWORD@HOST:PORT[/DATABASE]"
        raise Malformed(message, field="neo4j") from None  # never the address itself: it holds the password
    host = f"[{host}]" if ":" in host else host
    database = parts.path.strip("/") or "neo4j"
    driver = GraphDatabase.driver(
        f"{parts.scheme}://{host}:{port}",
        auth=Auth("basic", unquote(parts.username), unquote(parts.password or "")),
        connection_timeout=connect_s,
        connection_acquisition_timeout=TAKE_S,
        max_transaction_retry_time=retry_for_s,
        liveness_check_timeout=IDLE_S,
        notifications_min_severity=NotificationMinimumSeverity.OFF,
        user_agent="disco-musica",
        telemetry_disabled=True,
    )
    return f"Neo4j at {host}:{port}/{database}", database, driver


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn the driver's errors into ours; what only a fault in a statement can cause passes as it is."""
    try:
        yield
    except DiscoError:
        raise
    except AuthError as error:
        message = f"{where} refuses the user or the password; see DISCO_NEO4J"
        raise Unavailable(message, retry_s=RETRY_S) from error
    except (TransientError, ConstraintError) as error:
        message = f"{where} broke off a transaction that crossed another ({_told(error)}); try again"
        raise Unavailable(message, retry_s=RETRY_S) from error
    except ClientError as error:
        if not (error.code or "").startswith(_TIMED_OUT):
            raise
        raise Unavailable(f"{where} took too long and was stopped; try again, or ask for less") from error
    except DatabaseError as error:
        message = f"{where} could not carry it out ({_told(error)}); see its log, and that its disk is not full"
        raise Unavailable(message, retry_s=RETRY_S) from error
    except ResultError:
        raise
    except DriverError as error:
        message = f"{where} does not answer ({_told(error)}); see that it runs"
        raise Unavailable(message, retry_s=RETRY_S) from error


def _told(error: Exception) -> str:
    """The first line of what the server or the driver says; it names hosts, never passwords."""
    text = getattr(error, "message", None) or str(error)
    return (str(text).strip().splitlines() or [type(error).__name__])[0][:200]
