"""Arrays as bytes, and numbers as events hold them."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

NPZ = "application/x-npz"
_ROWS = 1 << 16


def to_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the arrays as an .npz file without pickle; the same arrays give the same bytes."""
    return b"".join(npz_chunks(arrays))


def npz_chunks(arrays: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    """Give the same file piece by piece, for what is too long to be held twice."""
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # without the time of day
            with archive.open(entry, "w", force_zip64=True) as file:
                header = np.lib.format.header_data_from_array_1_0(np.empty(0, array.dtype))
                np.lib.format.write_array_header_1_0(file, {**header, "shape": array.shape})
                for start in range(0, len(array), _ROWS):
                    file.write(np.ascontiguousarray(array[start : start + _ROWS]).tobytes())
                    yield from pieces.taken()
    yield from pieces.taken()


class _Pieces:
    """A file that is only written on: what was written is taken from it again and again."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        """Take a piece."""
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere."""

    def close(self) -> None:
        """Nothing is open."""

    def taken(self) -> list[bytes]:
        """What was written since."""
        written, self._written = self._written, []
        return written


def level_db(power: float, *, lowest_db: float = -200.0) -> float | None:
    """Return a power in dB to two decimals, or None at and below `lowest_db`."""
    level = 10 * math.log10(power) if power > 0 else -math.inf
    return round(level, 2) if level > lowest_db else None


class Growing:
    """Numbers gathered in one array that doubles: thousands of small ones would keep memory from being given back."""

    def __init__(self, kind: type[np.number[Any]]) -> None:  # Any: of any width
        self._held = np.empty(1 << 12, kind)
        self._count = 0

    def add(self, values: np.ndarray) -> None:
        """Take values of shape (n,)."""
        behind = self._count + len(values)
        if behind > len(self._held):
            grown = np.empty(max(behind, 2 * len(self._held)), self._held.dtype)
            grown[: self._count] = self._held[: self._count]
            self._held = grown
        self._held[self._count : behind] = values
        self._count = behind

    def values(self) -> np.ndarray:
        """All that was taken, shape (count,)."""
        return self._held[: self._count].copy()
