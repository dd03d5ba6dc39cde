"""Scalars of our own: numbers that JavaScript would round, moments, cursors, free JSON.

What does not fit is a GraphQLError, which the query language then tells with the name of the variable or argument.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType

import strawberry
from graphql import GraphQLError
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
MOST_CHARACTERS = 500
_EPOCH = EPOCH.replace(tzinfo=None)


def _long(value: object) -> int:
    whole = isinstance(value, int | str) and not isinstance(value, bool)
    if not whole or not str(value)[:20].removeprefix("-").isdecimal():
        raise GraphQLError("a Long is a whole number, or a string of its digits")
    if len(str(value)) > 20 or not -(2**63) <= int(str(value)) < 2**63:
        raise GraphQLError("a Long has 64 bits")
    return int(str(value))


def time_text(time_us: int) -> str:
    """Microseconds since 1970 as ISO 8601 in UTC."""
    minute, within_us = divmod(time_us, 60_000_000)
    second, rest_us = divmod(within_us, 1_000_000)
    return f"{_minute_text(minute)}:{second:02}{f'.{rest_us:06}' if rest_us else ''}Z"


@lru_cache(4096)
def _minute_text(minute: int) -> str:
    """Minutes since 1970, remembered: what an answer tells of has mostly happened within a few of them."""
    return (_EPOCH + timedelta(minutes=minute)).isoformat(timespec="minutes")


def _time(value: object) -> int:
    try:
        return to_microseconds(_zoned(datetime.fromisoformat(str(value))))
    except ValueError as error:
        raise GraphQLError("a DateTime is text in ISO 8601, such as 2026-05-01T12:30:00Z") from error


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _text(value: object, *, what: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise GraphQLError(what)
    if isinstance(value, int):
        value = str(_long(value))
    if len(value) > MOST_CHARACTERS:
        raise GraphQLError(f"{what}; none has more than {MOST_CHARACTERS} characters")
    return value


def _moment(value: object) -> str:
    return _text(value, what="a Moment is text: a position in the log, an event's cursor, or a time in ISO 8601")


def _cursor(value: object) -> str:
    return _text(value, what="a Cursor is text: give back one that an answer gave")


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
        parse_value=_cursor,
    ),
    Moment: strawberry.scalar(
        name="Moment", description="A position in the log, or a time in ISO 8601", serialize=str, parse_value=_moment
    ),
}
