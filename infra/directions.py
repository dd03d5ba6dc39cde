"""Embeddings as an index by cosine can hold them."""

from __future__ import annotations

import numpy as np

from domain.errors import Malformed
from domain.values import PackedFloats, unpack_bytes

DIMENSIONS = 128
_LEAST, _MOST = 1e-12, 1e12  # of a squared length: beyond them float32 has no direction left


def indexed(packed: PackedFloats) -> bytes | None:
    """An embedding as little-endian float32; None for one that is of no space held here, or points nowhere."""
    raw = unpack_bytes(packed)
    return raw if len(raw) == 4 * DIMENSIONS and _points(raw) else None


def asked(vector: bytes) -> bytes:
    """A vector that others are compared with. Raises: Malformed, if nothing can be near to it."""
    if len(vector) != 4 * DIMENSIONS or not _points(vector):
        raise Malformed(f"a vector to compare with has {DIMENSIONS} finite float32 values, not all 0", field="vector")
    return vector


def _points(raw: bytes) -> bool:
    values = np.frombuffer(raw, dtype="<f4")
    return bool(_LEAST < float(np.dot(values, values)) < _MOST)
