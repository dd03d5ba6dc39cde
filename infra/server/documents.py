"""Documents in PostgreSQL: the generations they lie in, and questions to the one that is live."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from domain.errors import NotFound
from domain.ids import ResourceId
from domain.ports import EventLog
from domain.views import NOW, AsOf, Document, Filter, Hit
from infra import content
from infra.embedded.words import words_of
from infra.keys import new_key
from infra.past import Past
from infra.server.asking import changing, steady, together, uuid_of
from infra.server.document_rows import (
    JOB,
    LETTER,
    RECORD_INDEXES,
    RECORDS,
    RESOURCE,
    RESOURCE_INDEXES,
    RESOURCES,
    PgDocumentRows,
    Shape,
)
from infra.server.generations import Live, drop, make, pages, schema_of
from infra.server.past_documents import PastDocuments
from infra.server.postgres import Pg, identifier, set_local
from infra.server.words import BY_LENGTH, WEIGHTS
from infra.server.words import query as words_query
from projections import catalogue, dead_letters, jobs

PAGE = 500
DAMAGED = (KeyError, TypeError, AttributeError, ValueError)
"""What a document raises that is none: a comparison names it."""
MEMORY = "256MB"


@dataclass(frozen=True, slots=True)
class DocumentStore:
    """Where the documents of one view lie, a schema for each generation. `told` makes the row that digests are of."""

    prefix: str
    name: str
    version: int
    shape: Shape
    tables: str
    indexes: str
    told: Callable[[str, Document], content.Row]

    def create(self, connection: Pg, generation: int) -> None:
        """Make the table of a generation; what is there stays."""
        make(connection, self._schema(generation), self.tables)

    def rows(self, connection: Pg, generation: int, *, fresh: bool) -> PgDocumentRows:
        """What the projection writes to, in the transaction of the page."""
        return PgDocumentRows(connection, self._table(generation), self.shape, fresh=fresh)

    def finish(self, connection: Pg, generation: int) -> None:
        """Make the indexes that only readers need."""
        set_local(connection, "statement_timeout", 0)
        set_local(connection, "maintenance_work_mem", MEMORY)
        connection.execute(self.indexes.format(s=identifier(self._schema(generation))))
        connection.execute(f"ANALYZE {self._table(generation)}")

    def drop(self, connection: Pg, generation: int) -> None:
        """Take a generation away."""
        drop(connection, self._schema(generation))

    def content(self, connection: Pg, generation: int) -> Iterator[content.Row]:
        """Every row as (key, content), in order of key; one that would be found by what it is not is told apart."""
        table = self._table(generation)
        query = f"SELECT id::text, document::text FROM {table} ORDER BY id"
        for page in pages(connection, query, PAGE):
            documents = {id: orjson.loads(document) for id, document in page}
            odd = self._odd(connection, table, documents)
            for id, document in documents.items():
                key, told = self.told(id, document)
                yield key, f"{told} but found as another" if id in odd else told

    def _odd(self, connection: Pg, table: str, documents: dict[str, Document]) -> set[str]:
        """Those whose other columns are not what their document makes them."""
        names, expected, odd = self.shape.names, [], set()
        for id, document in documents.items():
            try:
                columns = zip(names, self.shape.columns(document), strict=True)
            except DAMAGED:
                odd.add(id)
            else:
                expected.append({"id": id, **dict(columns)})
        rows = ", ".join(f"d.{name}" for name in names), ", ".join(f"r.{name}" for name in names)
        query = f"""SELECT d.id::text FROM json_populate_recordset(NULL::{table}, %s) r JOIN {table} d ON d.id = r.id
                    WHERE ({rows[0]}) IS DISTINCT FROM ({rows[1]})"""
        return odd | {id for (id,) in connection.execute(query, (orjson.dumps(expected).decode(),))}

    def _schema(self, generation: int) -> str:
        return schema_of(self.prefix, self.name, generation)

    def _table(self, generation: int) -> str:
        return identifier(self._schema(generation), "documents")


def _resource(id: str, document: Document) -> content.Row:
    try:
        words = list(words_of(document))
    except DAMAGED:
        words = []
    return content.resource_row(new_key(id), document, words)


def catalogue_store(prefix: str) -> DocumentStore:
    """Where the resources' documents lie."""
    return DocumentStore(prefix, catalogue.NAME, catalogue.VERSION, RESOURCE, RESOURCES, RESOURCE_INDEXES, _resource)


def jobs_store(prefix: str) -> DocumentStore:
    """Where the jobs lie."""
    return DocumentStore(prefix, jobs.NAME, jobs.VERSION, JOB, RECORDS, RECORD_INDEXES, content.document_row)


def dead_letters_store(prefix: str) -> DocumentStore:
    """Where the dead letters lie."""
    return DocumentStore(
        prefix, dead_letters.NAME, dead_letters.VERSION, LETTER, RECORDS, RECORD_INDEXES, content.document_row
    )


class PgDocuments:
    """`Documents` over the live generation, and over the log for what has changed since a moment asked for."""

    def __init__(self, live: Live, log: EventLog) -> None:
        self._live = live
        self._log = log

    def get(self, id: str, as_of: AsOf = NOW) -> Document:
        """See `Documents.get`."""
        found = self.many([id], as_of)
        if id not in found:
            raise NotFound(f"there is no resource {id}{'' if as_of == NOW else ' at that moment'}", id=id)
        return found[id]

    def many(self, ids: Sequence[str], as_of: AsOf = NOW) -> dict[str, Document]:
        """See `Documents.many`."""
        keys = {id: uuid_of(id) for id in ids}
        query = "SELECT id::text, document::text FROM {s}.documents WHERE id = ANY(%s::uuid[])"
        found = dict(self._live.fetch(query, [[*keys.values()]]))
        now = {id: orjson.loads(found[key]) for id, key in keys.items() if key in found}
        return now if as_of == NOW else Past(self._log, as_of).many(ids, now)

    def find(self, prefix: str) -> list[str]:
        """See `Documents.find`."""
        digits = prefix.replace("-", "").lower()
        if not re.fullmatch(r"[0-9a-f]{1,32}", digits):
            return []
        query = "SELECT id::text FROM {s}.documents WHERE id BETWEEN %s::uuid AND %s::uuid ORDER BY id LIMIT 10"
        return [id for (id,) in self._live.fetch(query, [digits.ljust(32, "0"), digits.ljust(32, "f")])]

    def page(
        self, filter: Filter, *, first: int = 50, after: int = 0, as_of: AsOf = NOW
    ) -> tuple[list[tuple[int, Document]], bool]:
        """See `Documents.page`."""
        if as_of != NOW:
            found = self._past(as_of).page(filter, first=first, after=after)
            return found[:first], len(found) > first
        where, values = together(steady(filter), changing(filter))
        query = f"""SELECT place, document::text FROM {{s}}.documents WHERE place > %s AND {where}
                    ORDER BY place LIMIT %s"""
        rows = self._live.fetch(query, [after, *values, first + 1])
        return [(place, orjson.loads(document)) for place, document in rows[:first]], len(rows) > first

    def count(self, filter: Filter, as_of: AsOf = NOW) -> int:
        """See `Documents.count`."""
        if as_of != NOW:
            return self._past(as_of).count(filter)
        where, values = together(steady(filter), changing(filter))
        return int(self._live.fetch(f"SELECT count(*) FROM {{s}}.documents WHERE {where}", values)[0][0])

    def search(self, text: str, *, first: int = 20, project: str | None = None, as_of: AsOf = NOW) -> list[Hit]:
        """See `Documents.search`."""
        wanted = words_query(text, project)
        if not wanted:
            return []
        if as_of != NOW:
            return self._past(as_of).search(text, first, project)
        asked = f"""SELECT id::text, ts_rank(%s::real[], words, wanted, {BY_LENGTH}) AS rank
                    FROM {{s}}.documents, (SELECT %s::tsquery AS wanted) asked
                    WHERE words @@ wanted ORDER BY rank DESC, place LIMIT %s"""
        return [Hit(ResourceId(id), rank) for id, rank in self._live.fetch(asked, [WEIGHTS, wanted, first])]

    def _past(self, as_of: AsOf) -> PastDocuments:
        return PastDocuments(self._live.fetch, Past(self._log, as_of))


class PgRecords:
    """`Records` over the live generation."""

    def __init__(self, live: Live, what: str) -> None:
        self._live = live
        self._what = what

    def get(self, id: str) -> Document:
        """See `Records.get`."""
        query = "SELECT document::text FROM {s}.documents WHERE id = %s"
        rows = [] if "\0" in id else self._live.fetch(query, [id])
        if not rows:
            raise NotFound(f"there is no {self._what} {id}", id=id)
        document: Document = orjson.loads(rows[0][0])
        return document

    def page(
        self, *, project: str | None = None, first: int = 50, after: int = 0
    ) -> tuple[list[tuple[int, Document]], bool]:
        """See `Records.page`."""
        within, values = (" AND project = %s", [project]) if project else ("", [])
        query = f"""SELECT place, document::text FROM {{s}}.documents WHERE place > %s{within}
                    ORDER BY place LIMIT %s"""
        rows = self._live.fetch(query, [after, *values, first + 1])
        return [(place, orjson.loads(document)) for place, document in rows[:first]], len(rows) > first

    def count(self) -> int:
        """See `Records.count`."""
        return int(self._live.fetch("SELECT count(*) FROM {s}.documents", [])[0][0])
