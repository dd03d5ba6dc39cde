"""Documents as they were: what a store holds of now, folded back from the log where it has changed since.

A document keeps no versions of itself. Most have not changed since the moment asked for and are taken as they are; the
others are few for one answer, and each is a fold of the events about it. A store gives its documents, and says which of
those that were folded back it would have answered with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile

from domain.errors import LimitExceeded
from domain.ids import ResourceId
from domain.ports import EventLog
from domain.views import AsOf, Document
from projections.catalogue import as_it_was

DEADLINE_S = 5.0
TOGETHER = 25

Placed = tuple[int, Document]
"""A document and its cursor."""
Fitting = Callable[[Sequence[Document]], Sequence[bool]]
"""Which of these documents a store would have answered with."""


class Past:
    """One question about documents as of a moment, answered within a bounded time."""

    def __init__(self, log: EventLog, as_of: AsOf) -> None:
        self.as_of = as_of
        self._log = log
        self._end = time.monotonic() + DEADLINE_S

    def many(self, ids: Sequence[str], now: Mapping[str, Document]) -> dict[str, Document]:
        """Those of the ids that had a document; `now` holds those that have one. Raises: LimitExceeded."""
        then = ((id, self._then(id, now.get(id))) for id in ids)
        return {id: document for id, document in then if document is not None}

    def begun(self, rows: Iterable[Placed]) -> Iterator[Placed]:
        """The rows, in the order they came; it ends where all the rest came after the moment."""
        if self.as_of.position is None:
            return iter(rows)
        return takewhile(lambda placed: self._began(placed[1]), rows)

    def fitting(self, rows: Iterable[Placed], fits: Fitting) -> Iterator[Placed]:
        """The rows as they were, those left out that were not there or would not have fitted, in the order given.

        Raises: LimitExceeded.
        """
        rest = iter(rows)
        while together := list(islice(rest, TOGETHER)):
            then = [(cursor, self._then(document["id"], document)) for cursor, document in together]
            there = [(cursor, document) for cursor, document in then if document is not None]
            fit = fits([document for _, document in there])
            yield from (placed for placed, fitted in zip(there, fit, strict=True) if fitted)

    def _began(self, document: Document) -> bool:
        return self.as_of.covers(document["created"], document["created_us"])

    def _then(self, id: str, now: Document | None) -> Document | None:
        if now is not None and self.as_of.covers(now["position"], now["updated_us"]):
            return now
        if now is not None and not self._began(now):
            return None
        if time.monotonic() > self._end:
            raise LimitExceeded(
                f"more has changed since then than can be read back in {DEADLINE_S:g} s; ask for fewer at once, "
                "within a project, or for a later moment",
                what="past", limit=DEADLINE_S,
            )  # fmt: skip
        return as_it_was(self._log.about(ResourceId(id)), self.as_of)
