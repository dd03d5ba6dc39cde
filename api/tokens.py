"""What clients hold and hand back without looking inside: cursors of pages and tokens of writes.

Both are base64url of a letter and a few fields; whoever makes one up gets Malformed, never another's data.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from domain.errors import Malformed
from domain.ids import ProjectId, parse_id
from domain.ports import Token

_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PageCursor:
    """Where a page goes on: `after` in the order of `of`; `position` is the log's head when the first page was read."""

    of: str
    after: int
    position: int = 0


def _pack(*fields: object) -> str:
    return base64.urlsafe_b64encode(":".join(map(str, fields)).encode()).decode().rstrip("=")


def _unpack(text: str) -> list[str]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return raw.decode("ascii").split(":")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise _unknown(text) from error


def _unknown(text: str) -> Malformed:
    return Malformed(f"{text[:80]!r} is neither a cursor nor a token; use one that an answer gave", field="after")


def _number(text: str, of: str) -> int:
    if not text.isdecimal() or len(text) > 19 or int(text) > _MOST:
        raise _unknown(of)
    return int(text)


def token_text(token: Token) -> str:
    """The token of a write as clients see it."""
    return _pack("t", token.project, token.sequence, token.position)


def page_text(of: str, after: int, position: int = 0) -> str:
    """The cursor of an item in a page."""
    return _pack("c", of, after, position)


def event_text(position: int) -> str:
    """The cursor of an event in the log."""
    return _pack("e", position)


def parse(text: str) -> Token | PageCursor | int:
    """Read a token, a page's cursor or an event's cursor (its position). Raises: Malformed."""
    match _unpack(text):
        case ["t", project, sequence, position]:
            return Token(ProjectId(parse_id(project)), _number(sequence, text), _number(position, text))
        case ["c", of, after, position]:
            return PageCursor(of, _number(after, text), _number(position, text))
        case ["e", position]:
            return _number(position, text)
        case _:
            raise _unknown(text)


def parse_position(text: str | None) -> int:
    """The position in the log that a cursor or token stands for, 0 for None. Raises: Malformed."""
    if not text:
        return 0
    match parse(text):
        case Token() as token:
            return token.position
        case int() as position:
            return position
        case _:
            raise Malformed(
                "this cursor belongs to another list; use one of an event, or a write's token", field="after"
            )


def parse_page(text: str | None, of: str) -> PageCursor | Token | None:
    """The cursor of a page of `of`, or the token of a write. Raises: Malformed, for a cursor of another list."""
    if not text:
        return None
    found = parse(text)
    if isinstance(found, Token) or (isinstance(found, PageCursor) and found.of == of):
        return found
    raise Malformed(f"this cursor belongs to another list than {of}", field="after")
