"""Questions about documents as of a moment, put to the rows as they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from heapq import merge
from itertools import islice
from operator import itemgetter

import apsw
import orjson

from domain.ids import ResourceId
from domain.views import Document, Filter, Hit, Kind
from infra.embedded.asking import Clause, amended, changing, either, negated, steady, together
from infra.embedded.words import NOW_TEXTS, PAST_WEIGHTS, WEIGHTS, index, match, once_matched, within, words_of
from infra.past import Past, Placed

MOST_RANKED = 1024  # more than anybody pages through; of fewer hits the order is that of all
FLOOR = 1e-6
EVER = (1 << 62) - 1


class PastDocuments:
    """The documents of one generation, as of the moment of a `Past`."""

    def __init__(self, connection: apsw.Connection, table: str, past: Past) -> None:
        self._connection = connection
        self._table = table
        self._past = past
        moment, by_position = past.as_of, past.as_of.position is not None
        values = [moment.position if by_position else moment.time_us]
        self._later: Clause = f"{'position' if by_position else 'updated_us'} > ?", values
        self._begun: Clause = f"{'key' if by_position else 'created_us'} <= ?", values

    def page(self, filter: Filter, *, first: int, after: int) -> list[Placed]:
        """The first that fitted behind a cursor, and one more if there are more."""
        fitted = either(changing(filter), self._later)
        rows = self._rows(filter, together(("key > ?", [after]), fitted))
        return list(islice(self._fitting(rows, filter), first + 1))

    def count(self, filter: Filter) -> int:
        """How many fitted. Only what was archived at some time is read back, where nothing else could tell."""
        never = "1" if filter.archived else "ever_archived = 0"
        told: Clause = ("0" if amended(filter)[1] else never), []
        unchanged = together(negated(self._later), changing(filter))
        where, values = together(self._begun, steady(filter), either(unchanged, together(self._later, told)))
        counted = int(self._connection.execute(f"SELECT count(*) FROM {self._table}_rows WHERE {where}", values).get)
        rows = self._rows(filter, together(self._later, negated(told)))
        return counted + sum(1 for _ in self._fitting(rows, filter))

    def _rows(self, filter: Filter, more: Clause) -> Iterator[Placed]:
        """Rows in the order they came. The indexes hold those of each kind so, archived or not: they are merged."""
        asked = together(self._begun, steady(filter), more)
        kinds = filter.kinds or (tuple(Kind) if filter.project else ())
        each: list[Clause] = [("kind = ? AND archived = ?", [kind, put_by]) for kind in kinds for put_by in (0, 1)]
        return merge(*[self._read(together(one, asked)) for one in each or [asked]], key=itemgetter(0))

    def _read(self, where: Clause) -> Iterator[Placed]:
        query = f"SELECT key, document FROM {self._table}_rows WHERE {where[0]} ORDER BY key"
        for key, document in self._connection.execute(query, where[1]):
            yield key, orjson.loads(document)

    def _fitting(self, rows: Iterable[Placed], filter: Filter) -> Iterator[Placed]:
        where, values = changing(filter)
        query = f"""SELECT place FROM (
                        SELECT key AS place, value AS document, value ->> 'archived' AS archived FROM json_each(?))
                    WHERE {where}"""

        def fits(documents: Sequence[Document]) -> list[bool]:
            fitted = {
                place for (place,) in self._connection.execute(query, (orjson.dumps(documents).decode(), *values))
            }
            return [place in fitted for place in range(len(documents))]

        return self._past.fitting(rows, fits)

    def search(self, text: str, first: int, project: str | None) -> list[Hit]:
        """What a search would have found, best first."""
        words = f"{self._table}_words"
        query = f"""SELECT rowid FROM {words} WHERE {words} MATCH ? AND rowid <= ?
                    AND rank MATCH '{PAST_WEIGHTS}' ORDER BY rank"""
        position = self._past.as_of.position
        last = position if position is not None else EVER
        keys = [key for (key,) in self._connection.execute(query, (within(once_matched(text), project), last))]
        with closing(Matched(match(text))) as matched:
            hits = self._past.fitting(self._of(keys), matched.fits)
            deque(islice(hits, max(first, MOST_RANKED)), maxlen=0)
            return matched.ranked(first)

    def _of(self, keys: Iterable[int]) -> Iterator[Placed]:
        query = f"SELECT document FROM {self._table}_rows WHERE key = ?"
        for key in keys:
            yield key, orjson.loads(self._connection.execute(query, (key,)).get)


class Matched:
    """An index in memory of the documents that match, as they were."""

    def __init__(self, wanted: str) -> None:
        self._wanted = f"{NOW_TEXTS} : ({wanted})"
        self._ids: list[str] = []
        self._connection = apsw.Connection(":memory:")
        self._connection.execute(index("texts"))

    def fits(self, documents: Sequence[Document]) -> list[bool]:
        """Which of the documents match; the others are forgotten."""
        first = len(self._ids)
        self._ids += [document["id"] for document in documents]
        rows = [(place, *words_of(document)) for place, document in enumerate(documents, first)]
        self._connection.executemany(
            "INSERT INTO texts (rowid, name, tags, words, project, former) VALUES (?, ?, ?, ?, ?, ?)", rows
        )
        query = "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid >= ?"
        found = {place for (place,) in self._connection.execute(query, (self._wanted, first))}
        places = range(first, len(self._ids))
        self._connection.executemany("DELETE FROM texts WHERE rowid = ?", [(at,) for at in places if at not in found])
        return [place in found for place in places]

    def ranked(self, first: int) -> list[Hit]:
        """The best."""
        query = (
            f"SELECT rowid, rank FROM texts WHERE texts MATCH ? AND rank MATCH '{WEIGHTS}' ORDER BY rank, rowid LIMIT ?"
        )
        # To FTS5 a word that all rows hold weighs next to nothing, and here all rows hold all words.
        rows = self._connection.execute(query, (self._wanted, first))
        return [Hit(ResourceId(self._ids[place]), -rank / FLOOR) for place, rank in rows]

    def close(self) -> None:
        """Forget it."""
        self._connection.close()
