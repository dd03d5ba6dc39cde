"""How root fields are declared: never without a permission, which is checked before the resolver runs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, TypeVar, cast

import strawberry

from api.access import check, declared
from api.graphql.limits import usually

Resolver = Callable[..., Any]  # Any: resolvers of every shape
M = TypeVar("M", bound=Callable[..., Any])  # Any: methods of every shape


def _guarded(resolver: Resolver) -> Resolver:
    requirement = declared(resolver)

    def guard(kwargs: dict[str, Any]) -> None:  # Any: the field's arguments
        context = kwargs["info"].context
        check(context.service.access, context.actor, requirement, kwargs)

    if inspect.isasyncgenfunction(resolver):

        @functools.wraps(resolver)
        async def stream(**kwargs: Any) -> AsyncIterator[Any]:
            guard(kwargs)
            async with aclosing(resolver(**kwargs)) as items:
                async for item in items:
                    yield item

        return stream

    @functools.wraps(resolver)
    async def answer(**kwargs: Any) -> Any:
        guard(kwargs)
        return await resolver(**kwargs)

    return answer


def derived(description: str | None = None, *, usual: int | None = None) -> Callable[[M], M]:
    """A field that is a method of its type; `usual` is how many items it usually lists, where it takes no `first`."""
    metadata = usually(usual) if usual is not None else None
    return cast(Callable[[M], M], strawberry.field(description=description, metadata=metadata))


def query(resolver: Resolver) -> Any:  # Any: strawberry's field, whatever it is annotated as
    """A root field of Query, Mutation or Subscription. Raises: TypeError, where no permission is declared."""
    kind = strawberry.subscription if inspect.isasyncgenfunction(resolver) else strawberry.field
    return kind(resolver=_guarded(resolver), description=inspect.getdoc(resolver))


mutation = subscription = query
