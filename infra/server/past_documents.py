"""Questions about documents as of a moment, put to the rows as they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import orjson

from domain.views import Document, Filter, Hit
from infra.embedded.past_documents import MOST_RANKED, Matched
from infra.embedded.words import match
from infra.past import TOGETHER, Past, Placed
from infra.server.asking import Clause, amended, begun, changing, either, facets, later, negated, steady, together
from infra.server.words import BY_LENGTH, PAST_WEIGHTS, once_query

Fetch = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]  # Any: typed by the schema
"""All rows of a query, in which `{s}` stands for the live generation."""
BATCH = 500


class PastDocuments:
    """The documents of the live generation, as of the moment of a `Past`.

    Rows are fetched by the batch, so that no connection is held while others are folded back from the log.
    """

    def __init__(self, fetch: Fetch, past: Past) -> None:
        self._fetch = fetch
        self._past = past
        self._later = later(past.as_of)
        self._begun = begun(past.as_of)

    def page(self, filter: Filter, *, first: int, after: int) -> list[Placed]:
        """The first that fitted behind a cursor, and one more if there are more."""
        fitted = either(changing(filter), self._later)
        rows = self._rows(together(steady(filter), fitted), after)
        return list(islice(self._fitting(self._past.begun(rows), filter), first + 1))

    def count(self, filter: Filter) -> int:
        """How many fitted. Only what was archived at some time is read back, where nothing else could tell."""
        never = "true" if filter.archived else "NOT ever_archived"
        told: Clause = ("false" if amended(filter)[1] else never), []
        unchanged = together(negated(self._later), changing(filter))
        sure = either(unchanged, together(self._later, self._begun, told))
        where, values = together(steady(filter), sure)
        counted = int(self._fetch(f"SELECT count(*) FROM {{s}}.documents WHERE {where}", values)[0][0])
        rows = self._rows(together(steady(filter), self._later, negated(told)))
        return counted + sum(1 for _ in self._fitting(self._past.begun(rows), filter))

    def _rows(self, where: Clause, after: int = 0) -> Iterator[Placed]:
        query = f"""SELECT place, document::text FROM {{s}}.documents WHERE place > %s AND {where[0]}
                    ORDER BY place LIMIT {BATCH}"""
        while rows := self._fetch(query, [after, *where[1]]):
            for place, document in rows:
                yield place, orjson.loads(document)
            after = rows[-1][0]

    def _fitting(self, rows: Iterable[Placed], filter: Filter) -> Iterator[Placed]:
        where, values = changing(filter)
        query = f"""SELECT at FROM jsonb_to_recordset(%s::jsonb) AS d (at int, archived boolean, facets jsonb)
                    WHERE {where}"""

        def fits(documents: Sequence[Document]) -> list[bool]:
            then = [
                {"at": at, "archived": document["archived"], "facets": facets(document)}
                for at, document in enumerate(documents)
            ]
            fitted = {at for (at,) in self._fetch(query, [orjson.dumps(then).decode(), *values])}
            return [at in fitted for at in range(len(documents))]

        return self._past.fitting(rows, fits)

    def search(self, text: str, first: int, project: str | None) -> list[Hit]:
        """What a search would have found, best first."""
        query = f"""SELECT id::text FROM {{s}}.documents, (SELECT %s::tsquery AS wanted) asked WHERE words @@ wanted
                    ORDER BY ts_rank(%s::real[], words, wanted, {BY_LENGTH}) DESC, place"""
        ids = [id for (id,) in self._fetch(query, [once_query(text, project), PAST_WEIGHTS])]
        with closing(Matched(match(text))) as matched:
            hits = self._past.fitting(self._of(ids), matched.fits)
            deque(islice(hits, max(first, MOST_RANKED)), maxlen=0)
            return matched.ranked(first)

    def _of(self, ids: Sequence[str]) -> Iterator[Placed]:
        query = "SELECT id::text, place, document::text FROM {s}.documents WHERE id = ANY(%s::uuid[])"
        for start in range(0, len(ids), TOGETHER):
            some = ids[start : start + TOGETHER]
            found = {id: (place, document) for id, place, document in self._fetch(query, [some])}
            for id in some:
                if id in found:
                    yield found[id][0], orjson.loads(found[id][1])
