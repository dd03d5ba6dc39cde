"""Rows: how they are fetched."""

from __future__ import annotations

from typing import Any

import apsw

from infra.keys import id_of, key_of, new_key

__all__ = ["fetch", "fetch_one", "id_of", "key_of", "new_key"]


def fetch(connection: apsw.Connection, query: str, values: tuple[Any, ...] | list[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of a query. Any: the columns are typed by the schema, which mypy cannot read."""
    return connection.execute(query, values).fetchall()


def fetch_one(connection: apsw.Connection, query: str, values: tuple[Any, ...] = ()) -> Any:
    """The only column of the only row, None where there is none. Any: as in `fetch`."""
    return connection.execute(query, values).get
