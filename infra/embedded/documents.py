"""Documents in SQLite: JSON rows by id, with columns to filter by and, for resources, a full-text index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apsw
import orjson

from domain.errors import NotFound
from domain.ids import ResourceId
from domain.ports import EventLog
from domain.views import NOW, AsOf, Document, Filter, Hit
from infra.content import document_row, resource_row
from infra.embedded.asking import changing, steady, together
from infra.embedded.generation import Snapshot
from infra.embedded.past_documents import PastDocuments
from infra.embedded.rows import fetch, id_of, key_of
from infra.embedded.words import NOW_TEXTS, TEXTS, WEIGHTS, Words, index, match, within, words_of
from infra.past import Past

RECORDS = """
CREATE TABLE {t}_rows (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, project TEXT NOT NULL, document TEXT NOT NULL);
CREATE INDEX {t}_by_project ON {t}_rows (project);
"""
RECORD_TABLES = ("rows",)
RESOURCES = """
CREATE TABLE {t}_rows (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, project BLOB NOT NULL, kind TEXT NOT NULL,
    archived INTEGER NOT NULL, ever_archived INTEGER NOT NULL, position INTEGER NOT NULL,
    created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, document TEXT NOT NULL);
CREATE INDEX {t}_by_kind ON {t}_rows (kind, archived);
CREATE INDEX {t}_by_project ON {t}_rows (project, kind, archived);
""" + index("{t}_words", "prefix='2 3'")
RESOURCE_TABLES = ("words", "rows")
RESOURCE_COLUMNS = ("project", "kind", "archived", "ever_archived", "position", "created_us", "updated_us")


class SqliteDocumentRows:
    """`DocumentRows` for one page: documents are read once, folded in memory, written once.

    `place` names the field with the position that a document is kept under, in whose order documents come. `names` are
    the columns between id and document, `columns` makes them of a document; `words`, where given, its full text.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        table: str,
        *,
        key: Callable[[str], str | bytes],
        place: str,
        names: tuple[str, ...],
        columns: Callable[[Document], tuple[object, ...]],
        words: Callable[[Document], Words | None] | None = None,
    ) -> None:
        self._connection = connection
        self._table = table
        self._key = key
        self._place = place
        self._names = names
        self._columns = columns
        self._words = words
        self._held: dict[str, Document | None] = {}
        self._rows: dict[str, tuple[int, Document]] = {}
        self._changed: dict[str, None] = {}  # in the order they came, which rows are asked for in

    def expect(self, ids: Iterable[str]) -> None:
        """See `DocumentRows.expect`. Here a row is as near as the next."""

    def get(self, id: str) -> Document | None:
        """See `DocumentRows.get`."""
        if id not in self._held:
            query = f"SELECT key, document FROM {self._table}_rows WHERE id = ?"
            row = self._connection.execute(query, (self._key(id),)).fetchone()
            self._held[id] = orjson.loads(row[1]) if row else None
            if row:
                document = self._held[id]
                assert document is not None  # noqa: S101  # just read
                self._rows[id] = (row[0], document)
        return self._held[id]

    def put(self, id: str, document: Document) -> None:
        """See `DocumentRows.put`."""
        if id not in self._held:
            self.get(id)  # whether there is a row to change is known from here on
        self._held[id] = document
        self._changed[id] = None

    def remove(self, id: str) -> None:
        """See `DocumentRows.remove`."""
        self.get(id)
        self._held[id] = None
        self._changed[id] = None

    def flush(self) -> None:
        """Write what changed, in the order in which it came to be."""
        inserted: list[tuple[object, ...]] = []
        updated: list[tuple[object, ...]] = []
        for id in self._changed:
            document, row = self._held[id], self._rows.get(id)
            if document is None:
                self._delete(row)
            elif row is None:
                place, columns = document[self._place], self._columns(document)
                inserted.append((place, self._key(id), *columns, orjson.dumps(document).decode()))
            else:
                updated.append((*self._columns(document), orjson.dumps(document).decode(), row[0]))
        self._write(inserted, updated)
        if self._words is not None:
            self._index()
        self._held.clear()
        self._rows.clear()
        self._changed.clear()

    def _write(self, inserted: list[tuple[object, ...]], updated: list[tuple[object, ...]]) -> None:
        names = ("key", "id", *self._names, "document")
        if inserted:
            marks = ", ".join("?" * len(names))
            self._connection.executemany(
                f"INSERT INTO {self._table}_rows ({', '.join(names)}) VALUES ({marks})",
                inserted,
            )
        if updated:
            sets = ", ".join(f"{name} = ?" for name in names[2:])
            self._connection.executemany(
                f"UPDATE {self._table}_rows SET {sets} WHERE key = ?",
                updated,
            )

    def _delete(self, row: tuple[int, Document] | None) -> None:
        if row is not None:
            self._connection.execute(f"DELETE FROM {self._table}_rows WHERE key = ?", (row[0],))

    def _index(self) -> None:
        assert self._words is not None  # noqa: S101  # asked by flush
        rows: list[tuple[Any, ...]] = []
        gone: list[tuple[int]] = []
        for id in self._changed:
            document, row = self._held[id], self._rows.get(id)
            words = self._words(document) if document is not None else None
            before = self._words(row[1]) if row is not None else None
            if words == before:
                continue
            if words is not None and document is not None:
                rows.append((document[self._place], *words))
            elif row is not None:
                gone.append((row[0],))
        self._connection.executemany(f"DELETE FROM {self._table}_words WHERE rowid = ?", gone)
        self._connection.executemany(
            f"INSERT OR REPLACE INTO {self._table}_words (rowid, {', '.join(TEXTS)}) VALUES (?, ?, ?, ?, ?, ?)",
            sorted(rows),
        )


def resource_rows(connection: apsw.Connection, table: str) -> SqliteDocumentRows:
    """Rows of the catalogue."""
    return SqliteDocumentRows(
        connection,
        table,
        key=key_of,
        place="created",
        names=RESOURCE_COLUMNS,
        columns=_resource_columns,
        words=words_of,
    )


def record_rows(connection: apsw.Connection, table: str, place: str) -> SqliteDocumentRows:
    """Rows of jobs or dead letters; `place` names the field with the position that they are kept under."""
    return SqliteDocumentRows(
        connection,
        table,
        key=str,
        place=place,
        names=("project",),
        columns=lambda document: (document["project"],),
    )


def _resource_columns(document: Document) -> tuple[object, ...]:
    archived, ever_archived = int(document["archived"]), int("ever_archived" in document)
    times = document["position"], document["created_us"], document["updated_us"]
    return key_of(document["project"]), str(document["kind"]), archived, ever_archived, *times


def content(connection: apsw.Connection, table: str) -> Iterator[tuple[str, str]]:
    """Every row as (key, content), in order of id."""
    for id, document in connection.execute(f"SELECT id, document FROM {table}_rows ORDER BY id"):
        yield document_row(id, orjson.loads(document))


def resource_content(connection: apsw.Connection, table: str) -> Iterator[tuple[str, str]]:
    """Every document and what can be searched of it, as (key, content), in order of id."""
    query = f"""SELECT r.id, r.document, w.name, w.tags, w.words, w.project, w.former
                FROM {table}_rows r
                LEFT JOIN {table}_words w ON w.rowid = r.key ORDER BY r.id"""
    for id, document, *words in connection.execute(query):
        yield resource_row(id, orjson.loads(document), words)


class SqliteDocuments:
    """`Documents` over the live generation, and over the log for what has changed since a moment asked for."""

    def __init__(self, snapshot: Snapshot, log: EventLog) -> None:
        self._snapshot = snapshot
        self._log = log

    def get(self, id: str, as_of: AsOf = NOW) -> Document:
        """See `Documents.get`."""
        found = self.many([id], as_of)
        if id not in found:
            raise NotFound(f"there is no resource {id}{'' if as_of == NOW else ' at that moment'}", id=id)
        return found[id]

    def many(self, ids: Sequence[str], as_of: AsOf = NOW) -> dict[str, Document]:
        """See `Documents.many`."""
        with self._snapshot() as (connection, table):
            query = f"SELECT document FROM {table}_rows WHERE id = ?"
            found = ((id, connection.execute(query, (key_of(id),)).get) for id in ids)
            now = {id: orjson.loads(document) for id, document in found if document is not None}
            return now if as_of == NOW else Past(self._log, as_of).many(ids, now)

    def find(self, prefix: str) -> list[str]:
        """See `Documents.find`."""
        digits = prefix.replace("-", "").lower()
        if not re.fullmatch(r"[0-9a-f]{1,32}", digits):
            return []
        low, high = bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
        with self._snapshot() as (connection, table):
            query = f"SELECT id FROM {table}_rows WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 10"
            return [id_of(id) for (id,) in connection.execute(query, (low, high))]

    def page(
        self, filter: Filter, *, first: int = 50, after: int = 0, as_of: AsOf = NOW
    ) -> tuple[list[tuple[int, Document]], bool]:
        """See `Documents.page`."""
        with self._snapshot() as (connection, table):
            if as_of != NOW:
                found = PastDocuments(connection, table, Past(self._log, as_of)).page(filter, first=first, after=after)
                return found[:first], len(found) > first
            where, values = together(steady(filter), changing(filter))
            query = f"SELECT key, document FROM {table}_rows WHERE key > ? AND {where} ORDER BY key LIMIT ?"
            rows = fetch(connection, query, [after, *values, first + 1])
        return [(key, orjson.loads(document)) for key, document in rows[:first]], len(rows) > first

    def count(self, filter: Filter, as_of: AsOf = NOW) -> int:
        """See `Documents.count`."""
        with self._snapshot() as (connection, table):
            if as_of != NOW:
                return PastDocuments(connection, table, Past(self._log, as_of)).count(filter)
            where, values = together(steady(filter), changing(filter))
            return int(connection.execute(f"SELECT count(*) FROM {table}_rows WHERE {where}", values).get)

    def search(self, text: str, *, first: int = 20, project: str | None = None, as_of: AsOf = NOW) -> list[Hit]:
        """See `Documents.search`. The index ranks, and knows the project: rows are looked up for the best hits only."""
        wanted = match(text)
        if not wanted:
            return []
        with self._snapshot() as (connection, table):
            if as_of != NOW:
                return PastDocuments(connection, table, Past(self._log, as_of)).search(text, first, project)
            query = f"""SELECT r.id, best.rank FROM
                            (SELECT rowid, rank FROM {table}_words WHERE {table}_words MATCH ?
                             AND rank MATCH '{WEIGHTS}' ORDER BY rank LIMIT ?) best
                        JOIN {table}_rows r ON r.key = best.rowid ORDER BY best.rank, r.key"""
            values = (within(f"{NOW_TEXTS} : ({wanted})", project), first)
            return [Hit(ResourceId(id_of(id)), -score) for id, score in connection.execute(query, values)]


class SqliteRecords:
    """`Records` over the live generation."""

    def __init__(self, snapshot: Snapshot, what: str) -> None:
        self._snapshot = snapshot
        self._what = what

    def get(self, id: str) -> Document:
        """See `Records.get`."""
        with self._snapshot() as (connection, table):
            found = connection.execute(f"SELECT document FROM {table}_rows WHERE id = ?", (id,)).get
        if found is None:
            raise NotFound(f"there is no {self._what} {id}", id=id)
        document: Document = orjson.loads(found)
        return document

    def page(
        self, *, project: str | None = None, first: int = 50, after: int = 0
    ) -> tuple[list[tuple[int, Document]], bool]:
        """See `Records.page`."""
        within = " AND project = ?" if project else ""
        with self._snapshot() as (connection, table):
            query = f"SELECT key, document FROM {table}_rows WHERE key > ?{within} ORDER BY key LIMIT ?"
            rows = fetch(connection, query, [after, *([project] if project else []), first + 1])
        return [(key, orjson.loads(document)) for key, document in rows[:first]], len(rows) > first

    def count(self) -> int:
        """See `Records.count`."""
        with self._snapshot() as (connection, table):
            return int(connection.execute(f"SELECT count(*) FROM {table}_rows").get)
