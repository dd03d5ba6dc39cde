"""Documents in SQLite: JSON rows by id, with columns to filter by and, for resources, a full-text index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw
import orjson

from domain.errors import NotFound
from domain.ids import ResourceId
from domain.views import Document, Filter, Hit
from infra.embedded.generation import Snapshot
from infra.embedded.rows import fetch, fetch_one, id_of, key_of

Words = tuple[str, str, str, str]
"""What a resource is searched by: name, tags, other words, and its project."""

RECORDS = """
CREATE TABLE {t}_rows (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, project TEXT NOT NULL, document TEXT NOT NULL);
CREATE INDEX {t}_by_project ON {t}_rows (project);
"""
RECORD_TABLES = ("rows",)
RESOURCES = """
CREATE TABLE {t}_rows (
    key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, project BLOB NOT NULL, kind TEXT NOT NULL,
    archived INTEGER NOT NULL, document TEXT NOT NULL);
CREATE INDEX {t}_by_kind ON {t}_rows (kind, archived);
CREATE INDEX {t}_by_project ON {t}_rows (project, kind, archived);
CREATE VIRTUAL TABLE {t}_words USING fts5(
    name, tags, words, project, tokenize="unicode61 remove_diacritics 2", prefix='2 3');
"""
RESOURCE_TABLES = ("words", "rows")
RESOURCE_COLUMNS = ("project", "kind", "archived")


class SqliteDocumentRows:
    """`DocumentRows` for one page: documents are read once, folded in memory, written once.

    `names` are the columns between id and document, `columns` makes them of a document; `words`, where given, its full
    text.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        table: str,
        *,
        key: Callable[[str], str | bytes],
        names: tuple[str, ...],
        columns: Callable[[Document], tuple[object, ...]],
        words: Callable[[Document], Words | None] | None = None,
    ) -> None:
        self._connection = connection
        self._table = table
        self._key = key
        self._names = names
        self._columns = columns
        self._words = words
        self._find = f"SELECT key FROM {table}_rows WHERE id = ?"
        self._held: dict[str, Document | None] = {}
        self._rows: dict[str, tuple[int, Document]] = {}
        self._changed: set[str] = set()

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
        self.get(id)  # whether there is a row to change is known from here on
        self._held[id] = document
        self._changed.add(id)

    def remove(self, id: str) -> None:
        """See `DocumentRows.remove`."""
        self.get(id)
        self._held[id] = None
        self._changed.add(id)

    def flush(self) -> None:
        """Write what changed, in the order of the resources' ids' first appearance."""
        inserted: list[tuple[object, ...]] = []
        updated: list[tuple[object, ...]] = []
        for id, document in self._held.items():
            if id not in self._changed:
                continue
            row = self._rows.get(id)
            if document is None:
                self._delete(row)
            elif row is None:
                inserted.append((self._key(id), *self._columns(document), orjson.dumps(document).decode()))
            else:
                updated.append((*self._columns(document), orjson.dumps(document).decode(), row[0]))
        self._write(inserted, updated)
        if self._words is not None:
            self._index()
        self._held.clear()
        self._rows.clear()
        self._changed.clear()

    def _write(self, inserted: list[tuple[object, ...]], updated: list[tuple[object, ...]]) -> None:
        names = ("id", *self._names, "document")
        if inserted:
            marks = ", ".join("?" * len(names))
            self._connection.executemany(
                f"INSERT INTO {self._table}_rows ({', '.join(names)}) VALUES ({marks})",
                inserted,
            )
        if updated:
            sets = ", ".join(f"{name} = ?" for name in names[1:])
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
            key = row[0] if row else fetch_one(self._connection, self._find, (self._key(id),))
            if words is None:
                gone.append((key,))
            else:
                rows.append((key, *words))
        self._connection.executemany(f"DELETE FROM {self._table}_words WHERE rowid = ?", gone)
        self._connection.executemany(
            f"INSERT OR REPLACE INTO {self._table}_words (rowid, name, tags, words, project) VALUES (?, ?, ?, ?, ?)",
            sorted(rows),
        )


def resource_rows(connection: apsw.Connection, table: str) -> SqliteDocumentRows:
    """Rows of the catalogue."""
    return SqliteDocumentRows(
        connection, table, key=key_of, names=RESOURCE_COLUMNS, columns=_resource_columns, words=words_of
    )


def record_rows(connection: apsw.Connection, table: str) -> SqliteDocumentRows:
    """Rows of jobs or dead letters."""
    return SqliteDocumentRows(
        connection, table, key=str, names=("project",), columns=lambda document: (document["project"],)
    )


def _resource_columns(document: Document) -> tuple[object, ...]:
    return key_of(document["project"]), str(document["kind"]), int(document["archived"])


def words_of(document: Document) -> Words | None:
    """The full text of a resource: its name, its tags, every word of its metadata and findings; none once archived."""
    if document["archived"]:
        return None
    words = [str(document["variant"]), str(document.get("file_name") or "")]
    for key, value in document["metadata"].items():
        words += [key.removeprefix("tag:"), str(value)]
    key = document["analyses"].get("key")
    if key and key["tonic"]:
        words.append(f"{key['tonic']} {key['mode']}")
    project = key_of(document["project"]).hex()
    return document["name"], " ".join(document["tags"]), " ".join(words), project


def content(connection: apsw.Connection, table: str) -> Iterator[tuple[str, str]]:
    """Every row as (key, content), in order of id."""
    for id, document in connection.execute(f"SELECT id, document FROM {table}_rows ORDER BY id"):
        name = id.hex() if isinstance(id, bytes) else id
        yield f"document {name}", orjson.dumps(orjson.loads(document), option=orjson.OPT_SORT_KEYS).decode()


def resource_content(connection: apsw.Connection, table: str) -> Iterator[tuple[str, str]]:
    """Every document and what can be searched of it, as (key, content), in order of id."""
    query = f"""SELECT r.id, r.document, w.name, w.tags, w.words, w.project
                FROM {table}_rows r
                LEFT JOIN {table}_words w ON w.rowid = r.key ORDER BY r.id"""
    for id, document, *words in connection.execute(query):
        content = orjson.dumps(orjson.loads(document), option=orjson.OPT_SORT_KEYS).decode()
        yield f"document {id.hex()}", f"{content} {words}"


class SqliteDocuments:
    """`Documents` over the live generation."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def get(self, id: str) -> Document:
        """See `Documents.get`."""
        found = self.many([id])
        if id not in found:
            raise NotFound(f"there is no resource {id}", id=id)
        return found[id]

    def many(self, ids: Sequence[str]) -> dict[str, Document]:
        """See `Documents.many`."""
        with self._snapshot() as (connection, table):
            query = f"SELECT document FROM {table}_rows WHERE id = ?"
            found = ((id, connection.execute(query, (key_of(id),)).get) for id in ids)
            return {id: orjson.loads(document) for id, document in found if document is not None}

    def find(self, prefix: str) -> list[str]:
        """See `Documents.find`."""
        digits = prefix.replace("-", "").lower()
        if not re.fullmatch(r"[0-9a-f]{1,32}", digits):
            return []
        low, high = bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
        with self._snapshot() as (connection, table):
            query = f"SELECT id FROM {table}_rows WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 10"
            return [id_of(id) for (id,) in connection.execute(query, (low, high))]

    def page(self, filter: Filter, *, first: int = 50, after: int = 0) -> tuple[list[tuple[int, Document]], bool]:
        """See `Documents.page`."""
        where, values = _where(filter)
        with self._snapshot() as (connection, table):
            query = f"SELECT key, document FROM {table}_rows WHERE key > ?{where} ORDER BY key LIMIT ?"
            rows = fetch(connection, query, [after, *values, first + 1])
        return [(key, orjson.loads(document)) for key, document in rows[:first]], len(rows) > first

    def count(self, filter: Filter) -> int:
        """See `Documents.count`."""
        where, values = _where(filter)
        with self._snapshot() as (connection, table):
            query = f"SELECT count(*) FROM {table}_rows WHERE key > 0{where}"
            return int(connection.execute(query, values).get)

    def search(self, text: str, *, first: int = 20, project: str | None = None) -> list[Hit]:
        """See `Documents.search`. The index ranks, and knows the project: rows are looked up for the best hits only."""
        wanted = _match(text)
        if not wanted:
            return []
        wanted = f"{{name tags words}} : ({wanted})"
        if project:
            wanted += f' AND project : "{key_of(project).hex()}"'
        with self._snapshot() as (connection, table):
            query = f"""SELECT r.id, best.rank FROM
                            (SELECT rowid, rank FROM {table}_words WHERE {table}_words MATCH ?
                             AND rank MATCH 'bm25(10.0, 5.0, 1.0, 0.0)' ORDER BY rank LIMIT ?) best
                        JOIN {table}_rows r ON r.key = best.rowid ORDER BY best.rank, r.key"""
            return [Hit(ResourceId(id_of(id)), -score) for id, score in connection.execute(query, (wanted, first))]


def _match(text: str) -> str:
    """All the words, the last one as the beginning of a word; everything else in the text is taken as a space."""
    words = re.findall(r"\w+", text)
    return " ".join([f'"{word}"' for word in words[:-1]] + [f'"{word}"*' for word in words[-1:]])


def _where(filter: Filter) -> tuple[str, list[Any]]:  # Any: what SQLite holds
    where, values = "", list[Any]()

    def add(condition: str, *bound: Any) -> None:  # Any: the same
        nonlocal where
        where += f" AND {condition}"
        values.extend(bound)

    if filter.project:
        add("project = ?", key_of(filter.project))
    if filter.kinds:
        add(f"kind IN ({', '.join('?' * len(filter.kinds))})", *filter.kinds)
    if not filter.archived:
        add("archived = 0")
    if filter.variants:
        add(f"document ->> 'variant' IN ({', '.join('?' * len(filter.variants))})", *filter.variants)
    if filter.container:
        add("document ->> 'container' = ?", filter.container)
    if filter.tag:
        add("EXISTS (SELECT 1 FROM json_each(document, '$.tags') t WHERE t.value = ?)", filter.tag)
    if filter.name_contains:
        add("instr(lower(document ->> 'name'), lower(?)) > 0", filter.name_contains)
    if filter.key:
        found = "(document ->> '$.analyses.key.tonic') || ' ' || (document ->> '$.analyses.key.mode')"
        add(f"{found} = ?", filter.key)
    if filter.tempo_from_bpm is not None:
        add("document ->> '$.analyses.beats.tempo_bpm' >= ?", filter.tempo_from_bpm)
    if filter.tempo_to_bpm is not None:
        add("document ->> '$.analyses.beats.tempo_bpm' <= ?", filter.tempo_to_bpm)
    return where, values


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
