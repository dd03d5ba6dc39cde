"""Views compared: by a digest of all their rows, and row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from domain.views import Difference


def digest(content: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the rows in order of key."""
    total = hashlib.sha256()
    for key, value in content:
        total.update(f"{key}\x1f{value}\x1e".encode())
    return total.hexdigest()


def compare(view: str, actual: Iterator[tuple[str, str]], expected: Iterator[tuple[str, str]]) -> Iterator[Difference]:
    """Name every row in which a view and its fresh fold differ; both come in order of key."""
    left, right = next(actual, None), next(expected, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None  # noqa: S101  # one of the two is there
            yield Difference(view, "ghost", left[0], left[1])
            left = next(actual, None)
        elif left is None or right[0] < left[0]:
            yield Difference(view, "missing", right[0], right[1])
            right = next(expected, None)
        else:
            if left[1] != right[1]:
                yield Difference(view, "changed", left[0], f"is {left[1]}, should be {right[1]}")
            left, right = next(actual, None), next(expected, None)
