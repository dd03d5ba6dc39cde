"""Every event type by name, from the topics listed here."""

from __future__ import annotations

from types import MappingProxyType, ModuleType
from typing import TypeVar

from events import (
    analyses,
    exports,
    generations,
    harmony,
    imports,
    lyrics,
    melody,
    models,
    processing,
    quality,
    resources,
    rhythm,
    structure,
    timbre,
)
from events.base import Event

TOPICS: tuple[ModuleType, ...] = (
    resources,
    imports,
    analyses,
    quality,
    rhythm,
    harmony,
    structure,
    melody,
    timbre,
    lyrics,
    generations,
    models,
    processing,
    exports,
)


def _types(topic: ModuleType) -> list[type[Event]]:
    found = (value for value in vars(topic).values() if isinstance(value, type) and issubclass(value, Event))
    return [kind for kind in found if kind.TYPE and kind.__module__ == topic.__name__]


Kind = TypeVar("Kind", bound=Event)

EVENT_TYPES = MappingProxyType({kind.TYPE: kind for topic in TOPICS for kind in _types(topic)})


def types_under(base: type[Kind]) -> tuple[type[Kind], ...]:
    """Return the written event types that are `base` or descend from it."""
    return tuple(kind for kind in EVENT_TYPES.values() if issubclass(kind, base))
