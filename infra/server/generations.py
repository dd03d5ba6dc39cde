"""A view's generation in PostgreSQL: a schema of its own, and reading from the one that is live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from psycopg import errors
from psycopg.pq import TransactionStatus

from domain.errors import Unavailable
from infra.server.postgres import Pg, Postgres, identifier, set_local

Answer = TypeVar("Answer")
TRIES = 4


def schema_of(prefix: str, view: str, generation: int) -> str:
    """The schema of a generation."""
    return f"{prefix}_{view}_{generation}"


def make(connection: Pg, schema: str, statements: str) -> None:
    """Make a generation's schema and what lies in it; `{s}` in the statements stands for the schema."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)}")
    connection.execute(statements.format(s=identifier(schema)))


def drop(connection: Pg, schema: str) -> None:
    """Drop a generation, whole; that of a large view takes longer than a statement usually may."""
    set_local(connection, "statement_timeout", 0)
    connection.execute(f"DROP SCHEMA IF EXISTS {identifier(schema)} CASCADE")


def pages(connection: Pg, query: str, size: int) -> Iterator[list[tuple[Any, ...]]]:  # Any: typed by the schema
    """The rows of a query by the page, for answers of any size; the connection may be used between two pages."""
    alone = connection.info.transaction_status == TransactionStatus.IDLE
    with connection.cursor("pages", withhold=alone) as cursor:
        cursor.execute(query)
        while page := cursor.fetchmany(size):
            yield page


class Live:
    """Questions to the live generation of a view.

    A generation that is replaced is dropped some time later; a question that was on its way to it is asked anew.
    """

    def __init__(self, postgres: Postgres, view: str, generation: Callable[[], int]) -> None:
        self._postgres = postgres
        self._view = view
        self._generation = generation

    def ask(self, question: Callable[[Pg, str], Answer], *, snapshot: bool = False) -> Answer:
        """Ask with a connection and the quoted schema; see `Postgres.read`. Raises: Unavailable."""
        for _ in range(TRIES):
            schema = schema_of(self._postgres.schema, self._view, self._generation())
            try:
                with self._postgres.read(snapshot=snapshot) as connection:
                    return question(connection, identifier(schema))
            except (errors.UndefinedTable, errors.InvalidSchemaName):
                continue
        raise Unavailable(f"the view {self._view} is not where it should be; run: disco replay", retry_s=1)

    def fetch(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:  # Any: typed by the schema
        """All rows of one query, in which `{s}` stands for the schema. Raises: Unavailable."""
        return self.ask(lambda connection, schema: connection.execute(query.replace("{s}", schema), values).fetchall())
