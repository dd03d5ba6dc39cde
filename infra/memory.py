"""The garbage collector, set for a process that keeps what it imported and makes many objects that live briefly."""

from __future__ import annotations

import gc

YOUNG = 20_000


def calm_collector() -> None:
    """Leave what was imported alone, and look for cycles less often: a walk of 10,000 edges is no garbage."""
    gc.freeze()
    gc.set_threshold(max(YOUNG, gc.get_threshold()[0]), 20, 50)
