"""Lists as a whole, read page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.views import Document

PAGE = 500
Page = Callable[[int], "tuple[list[tuple[int, Document]], bool]"]
"""From a cursor: documents, each with its cursor, and whether there are more."""


def every(page: Page) -> Iterator[Document]:
    """All documents of a list, in its order."""
    after, more = 0, True
    while more:
        found, more = page(after)
        yield from (document for _, document in found)
        after = found[-1][0] if found else after
