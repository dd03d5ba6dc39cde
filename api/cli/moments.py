"""Moments as people type them: a place in the log, or a time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import Malformed

if TYPE_CHECKING:
    from domain.views import AsOf

AsOfOption = Annotated[
    str | None, typer.Option(metavar="TIME|POSITION", help="As it was: an ISO 8601 time, or a place in the log.")
]


def moment_of(text: str | None) -> AsOf:
    """A place in the log, or a time (of the local zone where it names none). Raises: Malformed."""
    from domain.views import NOW, AsOf
    from events.envelope import to_microseconds

    if text is None:
        return NOW
    if text.isdecimal() and len(text) < 19:
        return AsOf(position=int(text))
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed(
            f"{text!r} is neither a place in the log nor a time such as 2026-05-01T12:30:00+02:00", field="as-of"
        ) from error
    return AsOf(time_us=to_microseconds(time.astimezone()))
