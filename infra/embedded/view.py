"""The views there are, and what each is made of: tables, a projection that fills them, a way to read them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import apsw

from events.envelope import Recorded
from infra.embedded import documents, graph_rows, series, vectors
from projections import catalogue, dead_letters, jobs, lineage_graph, measurements, similarity


class Rows(Protocol):
    """What a projection writes to, gathered until flushed."""

    def flush(self) -> None:
        """Write what was gathered."""


@dataclass(frozen=True, slots=True)
class View:
    """One view: how its tables are made, filled and read back.

    `indexes` are for readers only: a generation that is built beside another gets them at its end, in one go.
    `rows` is given a connection, the prefix of the tables, and a cache that lives as long as no transaction fails.
    """

    name: str
    version: int
    schema: str
    tables: tuple[str, ...]
    rows: Callable[[apsw.Connection, str, dict[str, Any]], Any]  # Any: the rows this view's projection takes
    apply: Callable[[Any, list[Recorded]], None]  # Any: the same
    content: Callable[[apsw.Connection, str], Iterator[tuple[str, str]]]
    indexes: str = ""


def _record(module: Any, place: str) -> View:  # Any: a projection module
    return View(
        module.NAME,
        module.VERSION,
        documents.RECORDS,
        documents.RECORD_TABLES,
        lambda connection, table, cache: documents.record_rows(connection, table, place),
        module.apply,
        documents.content,
    )


VIEWS: tuple[View, ...] = (
    View(
        lineage_graph.NAME,
        lineage_graph.VERSION,
        graph_rows.SCHEMA,
        graph_rows.TABLES,
        graph_rows.SqliteGraphRows,
        lineage_graph.apply,
        graph_rows.content,
        graph_rows.INDEXES,
    ),
    View(
        similarity.NAME,
        similarity.VERSION,
        vectors.SCHEMA,
        vectors.TABLES,
        lambda connection, table, cache: vectors.SqliteVectorRows(connection, table),
        similarity.apply,
        vectors.content,
    ),
    View(
        measurements.NAME,
        measurements.VERSION,
        series.SCHEMA,
        series.TABLES,
        lambda connection, table, cache: series.SqliteSeriesRows(connection, table),
        measurements.apply,
        series.content,
    ),
    View(
        catalogue.NAME,
        catalogue.VERSION,
        documents.RESOURCES,
        documents.RESOURCE_TABLES,
        lambda connection, table, cache: documents.resource_rows(connection, table),
        catalogue.apply,
        documents.resource_content,
    ),
    _record(jobs, "started"),
    _record(dead_letters, "position"),
)
