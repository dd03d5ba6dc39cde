"""Hearing: an evaluation set rendered from scores and seeded arrangements, and how well our analyses do on it."""

from benchmarks.hearing.material import Item, items
from benchmarks.hearing.truth import Truth

__all__ = ["Item", "Truth", "items"]
