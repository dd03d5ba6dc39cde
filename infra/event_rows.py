"""Events as rows, the same in every store: made ready for a place in the log, read back and checked."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from zlib import crc32

from pydantic_core import PydanticSerializationError

from domain.errors import Corrupted, Malformed
from domain.ids import EventId, ProjectId
from events.envelope import Proposed, Recorded, encode
from infra.keys import id_of, key_of, new_key

COLUMNS = (
    "position, sequence, checksum, id, project, subject, causation, type, source, actor, correlation, version, time_us,"
    " duration_ms, data, finding"
)
LATEST_US = 253_402_300_800_000_000  # the year 10000, which no calendar text can hold
Body = tuple[bytes, bytes, bytes, bytes | None, str, str, str, str, int, int, int | None, bytes, int]
Row = tuple[int, int, int, bytes, bytes, bytes, bytes | None, str, str, str, str, int, int, int | None, bytes, int]
_PLACE = struct.Struct("<2q").pack
_NUMBERS = struct.Struct("<4q").pack


Ready = tuple[EventId, Body, int]
"""An event made ready: its id, its row but for its place in the log, and the checksum of that much."""


def ready(event: Proposed) -> Ready:
    """Make an event ready for the table: what one writer gets wrong must not fail those it is committed with.

    Raises: Malformed, for text that is not Unicode, an id that is none, a time out of range.
    """
    data = event.data
    causation = event.causation
    try:
        body: Body = (
            new_key(event.id),
            key_of(event.project),
            key_of(data.subject),
            None if causation is None else key_of(causation),
            data.TYPE,
            event.source,
            event.actor,
            event.correlation,
            data.VERSION,
            event.time_us,
            event.duration_ms,
            encode(data),
            data.FINDING,
        )
        crc = _crc(*body)
    except (ValueError, PydanticSerializationError, TypeError, struct.error) as error:
        raise Malformed(f"{data.TYPE} holds what cannot be stored: {error}", id=event.id) from error
    if not 0 <= event.time_us < LATEST_US:
        raise Malformed(f"{data.TYPE} has the time {event.time_us} µs, which is no time since 1970", id=event.id)
    return event.id, body, crc


def row_of(position: int, sequence: int, event: Ready) -> Row:
    """The row of an event at its place."""
    return (position, sequence, crc32(_PLACE(position, sequence), event[2]), *event[1])


def moved(row: Row, position: int, sequence: int) -> Row:
    """The row at another place in the log."""
    return (position, sequence, crc32(_PLACE(position, sequence), _crc(*row[3:])), *row[3:])


def _crc(
    id: bytes,
    project: bytes,
    subject: bytes,
    causation: bytes | None,
    type: str,
    source: str,
    actor: str,
    correlation: str,
    version: int,
    time_us: int,
    duration: int | None,
    data: bytes,
    finding: int,
) -> int:
    """CRC-32 over every column but the place."""
    numbers = _NUMBERS(version, time_us, -1 if duration is None else duration, finding)
    return crc32(
        b"".join((id, project, subject, causation or b"", numbers, _texts(type, source, actor, correlation), data))
    )


@lru_cache(1024)
def _texts(type: str, source: str, actor: str, correlation: str) -> bytes:
    text = f"{type}\0{source}\0{actor}\0{correlation}"
    if text.count("\0") != 3:
        raise ValueError("a source, an actor or a correlation with a NUL in it")
    return text.encode()


def recorded(rows: Iterator[tuple[Any, ...]]) -> Iterator[Recorded]:  # Any: typed by the schema
    """Read rows back.

    Raises: Corrupted, naming the position of a row that does not match its checksum.
    """
    where = "an unknown position"
    try:
        for row in rows:
            where = f"position {row[0]}"
            if crc32(_PLACE(row[0], row[1]), _crc(*row[3:])) != row[2]:
                raise ValueError("its checksum differs")
            yield _recorded(row)
    except (ValueError, TypeError, OverflowError, struct.error) as error:
        message = f"the event at {where} is damaged ({error}); restore a backup of the file"
        raise Corrupted(message, position=where) from error


def _recorded(row: tuple[Any, ...]) -> Recorded:  # Any: typed by the schema
    (position, sequence, _, id, project, subject, causation, type, source, actor, correlation) = row[:11]
    (version, time_us, duration_ms, raw, _) = row[11:]
    return Recorded(
        position,
        sequence,
        EventId(id_of(id)),
        ProjectId(id_of(project)),
        id_of(subject),
        type,
        version,
        time_us,
        source,
        actor,
        correlation,
        None if causation is None else EventId(id_of(causation)),
        duration_ms,
        raw,
    )
