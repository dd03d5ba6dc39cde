"""How a processor says what it is: a name, a version and a function whose annotations say what it wants.

A handler's first parameter is annotated with the event it consumes, a written type or a base of several.
Its other parameters are filled by their annotation: `Signal` (the decoded asset, shared by all analyses of it),
`Blobs`, `Report` (a function that tells progress). It returns one event or several, never none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

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
