"""How a processor says what it is: a name, a version and a function whose annotations say what it wants.

A handler's first parameter is annotated with the event it consumes, a written type or a base of several.
Its other parameters are filled by their annotation: `Signal` (the decoded asset, shared by all analyses of it),
`Blobs`, `Report` (a function that tells progress). It returns one event or several, never none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from events.base import Event

Report = Callable[[float], None]
"""Call it with the share done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Processor:
    """A handler under a name and a version; another version gives other event ids, so its results stand beside."""

    name: str
    version: str
    handle: Callable[..., Event | Iterable[Event]]  # ...: filled by annotation, see the module


def processor(version: str) -> Callable[[Callable[..., Event | Iterable[Event]]], Processor]:
    """Make a processor of a function, under the function's name."""

    def declare(handle: Callable[..., Event | Iterable[Event]]) -> Processor:
        return Processor(handle.__name__, version, handle)

    return declare


@cache
def consumes(processor: Processor) -> type[Event]:
    """The event, or base of events, that a handler consumes."""
    kind = next(iter(get_type_hints(processor.handle).values()), None)
    if not (isinstance(kind, type) and issubclass(kind, Event)):
        raise TypeError(f"the first parameter of {processor.name} must be annotated with an event, not {kind!r}")
    return kind


@cache
def wants(processor: Processor) -> tuple[Any, ...]:  # Any: types, or the alias Report
    """What a handler wants besides its event, in order."""
    hints = get_type_hints(processor.handle)
    hints.pop("return", None)
    return tuple(hints.values())[1:]
