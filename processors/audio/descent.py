"""From the root of each tree to a leaf, compiled: import it where it is called, since numba takes its time."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def log_odds(
    feature: np.ndarray, edge: np.ndarray, left: np.ndarray, right: np.ndarray, value: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Return the sum of the leaves that each row comes to, shape (rows,); arrays as in `Trees`."""
    found = np.zeros(len(rows))
    for place in range(len(rows)):
        for tree in range(feature.shape[0]):
            node = 0
            while left[tree, node] != node:
                goes_left = rows[place, feature[tree, node]] <= edge[tree, node]
                node = left[tree, node] if goes_left else right[tree, node]
            found[place] += value[tree, node]
    return found
