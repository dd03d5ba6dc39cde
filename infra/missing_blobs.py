"""Content that the log names and the store does not have, as after a restore of an older copy of it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import Any

from pydantic import BaseModel

from domain.ports import EventLog
from domain.values import Blob

PAGE = 1_000

OnProgress = Callable[[int, int], None]


def missing_blobs(
    log: EventLog, there: Container[str], *, on_progress: OnProgress | None = None
) -> Iterator[tuple[str, int]]:
    """Each SHA-256 that is named and not there, once, with the position of the event that first names it.

    there: the names of all blobs, listed before: what an event names lies in the store when it is appended.
    """
    position, told, head = 0, set[str](), log.head()
    while page := log.read(position, limit=PAGE, upto=head):
        for event in page:
            for name in blobs_in(event.data):
                if name not in there and name not in told:
                    told.add(name)
                    yield name, event.position
        position = page[-1].position
        if on_progress is not None:
            on_progress(position, head)


def blobs_in(value: Any) -> Iterator[str]:  # Any: a payload, or whatever lies in one
    """The SHA-256 of every blob that a payload names."""
    if isinstance(value, Blob):
        yield value.sha256
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from blobs_in(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from blobs_in(each)
    elif isinstance(value, (list, tuple)) and not (value and isinstance(value[0], (int, float, str))):
        for each in value:
            yield from blobs_in(each)
