"""Embeddings as an index by cosine can hold them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import numpy as np

from domain.errors import Malformed
from domain.values import PackedFloats, unpack_bytes

DIMENSIONS = 128
_LEAST, _MOST = 1e-12, 1e12  # of a squared length: beyond them float32 has no direction left


def indexed(packed: PackedFloats) -> bytes | None:
    """An embedding as little-endian float32; None for one that is of no space held here, or points nowhere."""
    raw = unpack_bytes(packed)
    return raw if len(raw) == 4 * DIMENSIONS and _points(raw) else None


def pointing(raws: Sequence[bytes]) -> list[bool]:
    """Which of these unpacked embeddings `indexed` would keep; asked of many at once, for it is ten times as quick."""
    sizes = [len(raw) == 4 * DIMENSIONS for raw in raws]
    values = np.frombuffer(b"".join(compress(raws, sizes)), dtype="<f4").reshape(-1, DIMENSIONS)
    squares = iter(np.einsum("ij,ij->i", values, values).tolist())
    return [size and _LEAST < next(squares) < _MOST for size in sizes]


def asked(vector: bytes) -> bytes:
    """A vector that others are compared with. Raises: Malformed, if nothing can be near to it."""
    if len(vector) != 4 * DIMENSIONS or not _points(vector):
        raise Malformed(f"a vector to compare with has {DIMENSIONS} finite float32 values, not all 0", field="vector")
    return vector


def _points(raw: bytes) -> bool:
    values = np.frombuffer(raw, dtype="<f4")
    return bool(_LEAST < float(np.dot(values, values)) < _MOST)
