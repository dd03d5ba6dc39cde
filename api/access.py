"""Every field, route and verb declares the permission it needs; this is how, and what checks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from domain.access import Access, Actor, Permission

LOCAL = Actor("local")
"""Who acts in the embedded profile."""

F = TypeVar("F", bound=Callable[..., Any])  # Any: resolvers, routes and verbs of every shape
_MARK = "__disco_requirement__"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A permission, and the argument that names the resource it is needed on; None asks about the whole service."""

    permission: Permission
    of: str | None = None


def requires(permission: Permission, *, of: str | None = None) -> Callable[[F], F]:
    """Declare what a field, route or verb needs; `of` names the argument that holds the resource's id."""

    def declare(function: F) -> F:
        setattr(function, _MARK, Requirement(permission, of))
        return function

    return declare


def requirement_of(function: object) -> Requirement | None:
    """What a function declares, None if it declares nothing."""
    return getattr(function, _MARK, None)


def declared(function: Callable[..., Any]) -> Requirement:
    """What a function declares. Raises: TypeError, if it declares nothing: whoever serves it must not."""
    requirement = requirement_of(function)
    if requirement is None:
        raise TypeError(
            f"{function.__module__}.{function.__qualname__} declares no permission; decorate with @requires"
        )
    return requirement


def check(access: Access, actor: Actor, requirement: Requirement, arguments: Mapping[str, Any]) -> None:
    """Return if the actor may. Raises: Forbidden."""
    found = arguments.get(requirement.of) if requirement.of else None
    access.check(actor, requirement.permission, None if found is None else str(found))
