"""Relay connections: pages of a list, each item with an opaque cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import strawberry

from api.graphql.fields import derived
from api.graphql.limits import usually
from api.graphql.scalars import Cursor

T = TypeVar("T")


@strawberry.type(description="Whether there is more, and where it goes on")
class PageInfo:
    """Relay's page info; pages only go forward."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: Cursor | None
    end_cursor: Cursor | None


@strawberry.type
class Edge(Generic[T]):
    """An item and its cursor."""

    cursor: Cursor
    node: T


@strawberry.type
class Connection(Generic[T]):
    """A page of a list."""

    edges: list[Edge[T]] = strawberry.field(metadata=usually(1))
    page_info: PageInfo

    @derived("The items without their cursors", usual=1)
    def nodes(self) -> list[T]:
        """The items."""
        return [edge.node for edge in self.edges]


def page_info(cursors: Sequence[str], *, more: bool, began: bool) -> PageInfo:
    """The page info of a page with these cursors; `began` tells that there are items before it."""
    first = Cursor(cursors[0]) if cursors else None
    last = Cursor(cursors[-1]) if cursors else None
    return PageInfo(has_next_page=more, has_previous_page=began, start_cursor=first, end_cursor=last)


def connect(items: Sequence[tuple[str, T]], *, more: bool, began: bool) -> Connection[T]:
    """A page of (cursor, item)."""
    return Connection(
        edges=[Edge(cursor=Cursor(cursor), node=item) for cursor, item in items],
        page_info=page_info([cursor for cursor, _ in items], more=more, began=began),
    )
