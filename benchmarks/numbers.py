"""Numbers as people read them."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Three digits, or whole thousands with their commas."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"
