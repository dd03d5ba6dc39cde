"""Arrays as bytes, and numbers as events hold them."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

import numpy as np

NPZ = "application/x-npz"


def to_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the arrays as an .npz file without pickle; the same arrays give the same bytes."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return file.getvalue()


def level_db(power: float, *, lowest_db: float = -200.0) -> float | None:
    """Return a power in dB to two decimals, or None at and below `lowest_db`."""
    level = 10 * math.log10(power) if power > 0 else -math.inf
    return round(level, 2) if level > lowest_db else None
