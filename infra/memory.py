"""Memory: the garbage collector, set for a process that makes many objects that live briefly; what is given back."""

from __future__ import annotations

import gc
import sys

YOUNG = 20_000


def calm_collector() -> None:
    """Leave what was imported alone, and look for cycles less often: a walk of 10,000 edges is no garbage."""
    gc.freeze()
    gc.set_threshold(max(YOUNG, gc.get_threshold()[0]), 20, 50)


def give_back() -> None:
    """Return to the system what was freed and is still held between what is not, where the C library can."""
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
