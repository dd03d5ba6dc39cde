"""Reads as of a moment: the argument that asks for one, and what was read so, on which other fields hang."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, cast

import strawberry

from api.graphql.context import Context
from api.graphql.scalars import Moment
from domain.views import NOW, AsOf

T = TypeVar("T")

AsOfArgument = Annotated[
    Moment | None, strawberry.argument(name="asOf", description="As it was then, and all that is asked beneath it")
]


class Then:
    """Something as it was at a moment, with all its attributes."""

    __slots__ = ("_of", "moment")

    def __init__(self, of: object, moment: AsOf) -> None:
        self._of = of
        self.moment = moment

    def __getattr__(self, name: str) -> Any:  # Any: whatever the attribute is
        return getattr(self._of, name)


def then(of: T, moment: AsOf, context: Context) -> T:
    """The same for `moment_of`; as it is where the query asks for no resource beneath, or for now."""
    return of if moment == NOW or "resource" not in context.fields else cast(T, Then(of, moment))


def moment_of(of: object) -> AsOf:
    """The moment that something was read as of."""
    return of.moment if isinstance(of, Then) else NOW
