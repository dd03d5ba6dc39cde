"""Boosted trees that were grown elsewhere: arrays of a file, and how probable they find things.

Source: Friedman 2001, "Greedy function approximation: a gradient boosting machine".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

import numpy as np


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees of one size: at a node, left where a feature is at or below the edge; a leaf is its own child.

    feature, left, right: shape (trees, nodes), uint8; edge, value likewise, float32. first: log-odds before any tree.
    """

    feature: np.ndarray
    edge: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    first: float

    @classmethod
    def read(cls, file: IO[bytes]) -> Trees:
        """Read an .npz of arrays named as the fields."""
        with np.load(file, allow_pickle=False) as held:
            arrays = {name: held[name] for name in ("feature", "edge", "left", "right", "value")}
            return cls(**arrays, first=float(held["first"]))

    def probability(self, rows: np.ndarray) -> np.ndarray:
        """How probable each row is, shape (rows,). rows: shape (rows, features)."""
        from processors.audio.descent import log_odds

        table = np.ascontiguousarray(rows, np.float32)
        found = log_odds(self.feature, self.edge, self.left, self.right, self.value, table) + self.first
        return np.asarray(1 / (1 + np.exp(-found)))
