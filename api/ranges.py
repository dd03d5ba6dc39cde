"""Byte ranges of a download. Source: RFC 9110, section 14."""

from __future__ import annotations

import re

from domain.errors import LimitExceeded

_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*\Z")


class NotSatisfiable(LimitExceeded):
    """The range lies outside the content."""

    code = "range_not_satisfiable"
    http_status = 416


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte asked for, both within `size`; None to send everything.

    A header of several ranges, of other units or of no sense is left aside, as the standard allows.
    Raises: NotSatisfiable.
    """
    found = _RANGE.match(header.strip()) if header else None
    if found is None or not (found[1] or found[2]):
        return None
    if len(found[1]) > 19 or len(found[2]) > 19:
        raise NotSatisfiable("the range lies outside the content", size=size)
    if not found[1]:
        first, last = max(0, size - int(found[2])), size - 1
        if int(found[2]) == 0:
            raise NotSatisfiable("the range is empty", size=size)
    else:
        first, last = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
        if found[2] and int(found[2]) < first:
            return None
    if first >= size:
        raise NotSatisfiable(f"the content has {size} bytes", size=size)
    return first, last
