"""Scalars of our own: numbers that JavaScript would round, moments, cursors, free JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NewType

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from api.tokens import parse_position
from domain.errors import DiscoError, Malformed
from domain.views import NOW, AsOf
from events.envelope import EPOCH, to_microseconds

__all__ = ["JSON", "SCALARS", "Cursor", "Instant", "Long", "Moment", "as_of"]

Long = NewType("Long", int)
Instant = NewType("Instant", int)
Cursor = NewType("Cursor", str)
Moment = NewType("Moment", str)
_EPOCH = EPOCH.replace(tzinfo=None)


def _long(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).removeprefix("-").isdecimal():
        raise ValueError("a Long is a whole number, or a string of its digits")
    if not -(2**63) <= int(value) < 2**63:
        raise ValueError("a Long has 64 bits")
    return int(value)


def time_text(time_us: int) -> str:
    """Microseconds since 1970 as ISO 8601 in UTC."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat() + "Z"


def _time(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("a time is text in ISO 8601")
    return to_microseconds(_zoned(datetime.fromisoformat(value)))


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _text(value: object) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool) or len(str(value)) > 500:
        raise ValueError("expected a short text")
    return str(value)


def as_of(moment: str | None) -> AsOf:
    """Read a moment; None is now.

    It is a position in the log, an event's cursor, a write's token, or a time in ISO 8601, UTC if it names no zone.
    Raises: Malformed.
    """
    if moment is None:
        return NOW
    if moment.isdecimal() and len(moment) < 19:
        return AsOf(position=int(moment))
    try:
        return AsOf(time_us=to_microseconds(_zoned(datetime.fromisoformat(moment))))
    except ValueError:
        pass  # then it is a cursor or nothing
    try:
        return AsOf(position=parse_position(moment))
    except DiscoError as error:
        raise Malformed(f"{moment[:80]!r} is neither a position nor a time in ISO 8601", field="asOf") from error


SCALARS: dict[object, ScalarDefinition] = {
    Long: strawberry.scalar(
        name="Long", description="A whole number of 64 bits, as text", serialize=str, parse_value=_long
    ),
    Instant: strawberry.scalar(
        name="DateTime",
        description="A time in ISO 8601, UTC, to the microsecond",
        serialize=time_text,
        parse_value=_time,
    ),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="Where a list goes on, or the token of a write that the answer shall wait for; opaque",
        serialize=str,
        parse_value=_text,
    ),
    Moment: strawberry.scalar(
        name="Moment", description="A position in the log, or a time in ISO 8601", serialize=str, parse_value=_text
    ),
}
