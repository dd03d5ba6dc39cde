"""Documents in PostgreSQL as projections write them: read together, folded in memory, written together.

`document` is what is answered, letter for letter: jsonb would turn -0.0 into 0.0 and 1e16 into an integer, and cannot
hold NUL. `facets` is jsonb: what a resource can be filtered by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from domain.views import Document
from infra.embedded.words import words_of
from infra.server.asking import facets
from infra.server.postgres import Pg
from infra.server.words import vector

RECORDS = """
CREATE TABLE IF NOT EXISTS {s}.documents (
    id text COLLATE "C" PRIMARY KEY, place bigint NOT NULL, project text NOT NULL, document json NOT NULL)
    WITH (fillfactor = 80)
"""
RECORD_INDEXES = """
CREATE INDEX IF NOT EXISTS by_place ON {s}.documents (place);
CREATE INDEX IF NOT EXISTS by_project ON {s}.documents (project, place);
"""
RESOURCES = """
CREATE TABLE IF NOT EXISTS {s}.documents (
    id uuid PRIMARY KEY, place bigint NOT NULL, created_us bigint NOT NULL, position bigint NOT NULL,
    updated_us bigint NOT NULL, project uuid NOT NULL, kind text NOT NULL, archived boolean NOT NULL,
    ever_archived boolean NOT NULL, facets jsonb NOT NULL, words tsvector NOT NULL, document json NOT NULL)
    WITH (fillfactor = 80)
"""
RESOURCE_INDEXES = """
CREATE INDEX IF NOT EXISTS by_place ON {s}.documents (place);
CREATE INDEX IF NOT EXISTS by_kind ON {s}.documents (kind, archived, place);
CREATE INDEX IF NOT EXISTS by_project ON {s}.documents (project, kind, archived, place);
CREATE INDEX IF NOT EXISTS by_facet ON {s}.documents USING gin (facets jsonb_path_ops);
CREATE INDEX IF NOT EXISTS by_tempo ON {s}.documents (((facets ->> 'tempo_bpm')::float8));
CREATE INDEX IF NOT EXISTS by_word ON {s}.documents USING gin (words);
"""
"""`place` is the position of the first event: documents come in its order, and it is their cursor."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a row holds beside the document: its columns, between id and document, and how they are made of it.

    shared: several partitions may bring events about one document at once, so that even its first must wait in turn.
    """

    id_type: str
    names: tuple[str, ...]
    columns: Callable[[Document], tuple[object, ...]]
    shared: bool = False


def _resource(document: Document) -> tuple[object, ...]:
    return (
        document["created"],
        document["created_us"],
        document["position"],
        document["updated_us"],
        document["project"],
        str(document["kind"]),
        document["archived"],
        document.get("ever_archived", False),
        facets(document),
        vector(words_of(document)),
    )


RESOURCE = Shape(
    "uuid",
    (
        "place",
        "created_us",
        "position",
        "updated_us",
        "project",
        "kind",
        "archived",
        "ever_archived",
        "facets",
        "words",
    ),
    _resource,
)
LETTER = Shape("text", ("place", "project"), lambda letter: (letter["position"], letter["project"]))
JOB = Shape("text", ("place", "project"), lambda job: (job["started"], job["project"]), shared=True)


class PgDocumentRows:
    """`DocumentRows` for one page, within the transaction that commits it.

    What is read stays locked until then, so that of two transactions that fold events of one document, the second waits
    for what the first made of it. `fresh`: nobody else writes, and rows that are new may be copied in.
    """

    def __init__(self, connection: Pg, table: str, shape: Shape, *, fresh: bool) -> None:
        self._connection = connection
        self._table = table
        self._shape = shape
        self._fresh = fresh
        self._held: dict[str, Document | None] = {}
        self._there: set[str] = set()
        self._changed: dict[str, None] = {}

    def expect(self, ids: Iterable[str]) -> None:
        """See `DocumentRows.expect`. In order of id: two that want the same rows cannot wait for each other."""
        wanted = sorted(set(ids) - self._held.keys())
        if not wanted:
            return
        self._held.update(dict.fromkeys(wanted))
        ids_given = f"%s::{self._shape.id_type}[]"
        if self._shape.shared and not self._fresh:
            self._hold_places(wanted, ids_given)
        lock = "" if self._fresh else " ORDER BY id FOR UPDATE"
        query = f"SELECT id::text, document::text FROM {self._table} WHERE id = ANY({ids_given}){lock}"
        for id, document in self._connection.execute(query, (wanted,)):
            self._held[id] = orjson.loads(document)
            self._there.add(id)

    def _hold_places(self, wanted: list[str], ids_given: str) -> None:
        """Have a row for each id, for who comes second to wait at: what is not there yet cannot be locked."""
        query = f"""INSERT INTO {self._table} (id, place, project, document)
                    SELECT id, 0, '', 'null' FROM unnest({ids_given}) id ORDER BY id ON CONFLICT DO NOTHING"""
        self._connection.execute(query, (wanted,))

    def get(self, id: str) -> Document | None:
        """See `DocumentRows.get`."""
        if id not in self._held:
            self.expect([id])
        return self._held[id]

    def put(self, id: str, document: Document) -> None:
        """See `DocumentRows.put`."""
        self.get(id)  # whether there is a row to change is known from here on
        self._held[id] = document
        self._changed[id] = None

    def remove(self, id: str) -> None:
        """See `DocumentRows.remove`."""
        self.get(id)
        self._held[id] = None
        self._changed[id] = None

    def flush(self) -> None:
        """Write what changed."""
        gone = [id for id in self._there if self._held[id] is None]
        if gone:
            self._connection.execute(f"DELETE FROM {self._table} WHERE id = ANY(%s::{self._shape.id_type}[])", (gone,))
        kept = {id: document for id in sorted(self._changed) if (document := self._held[id]) is not None}
        if self._fresh:
            self._copy([self._row(id, document) for id, document in kept.items() if id not in self._there])
            kept = {id: document for id, document in kept.items() if id in self._there}
        self._upsert([self._row(id, document) for id, document in kept.items()])
        self._held.clear()
        self._there.clear()
        self._changed.clear()

    def _row(self, id: str, document: Document) -> tuple[Any, ...]:  # Any: what psycopg can bind
        columns = (_json(value) if isinstance(value, dict) else value for value in self._shape.columns(document))
        return (id, *columns, _json(document))

    def _names(self) -> tuple[str, ...]:
        return ("id", *self._shape.names, "document")

    def _copy(self, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {self._table} ({', '.join(self._names())}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def _upsert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        names = self._names()
        sets = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        query = f"""INSERT INTO {self._table} ({", ".join(names)}) VALUES ({", ".join(["%s"] * len(names))})
                    ON CONFLICT (id) DO UPDATE SET {sets}"""
        with self._connection.cursor() as cursor:
            cursor.executemany(query, rows)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
