"""What a filter asks for, in SQL over a row's columns and its `document`."""

from __future__ import annotations

from typing import Any

from domain.views import Filter
from infra.embedded.rows import key_of

Clause = tuple[str, list[Any]]  # Any: what SQLite holds
"""A condition and the values it binds."""


def together(*clauses: Clause) -> Clause:
    """All of them."""
    texts = [text for text, _ in clauses if text]
    return " AND ".join(texts) or "1", [value for _, values in clauses for value in values]


def either(*clauses: Clause) -> Clause:
    """One of them at least."""
    return f"({' OR '.join(f'({text})' for text, _ in clauses)})", [value for _, values in clauses for value in values]


def negated(clause: Clause) -> Clause:
    """Whatever it does not ask for; its columns are never null."""
    return f"NOT ({clause[0]})", clause[1]


def steady(filter: Filter) -> Clause:
    """What a filter asks of what never changes in a resource."""
    found: list[Clause] = []
    if filter.project:
        found.append(("project = ?", [key_of(filter.project)]))
    if filter.kinds:
        found.append((f"kind IN ({', '.join('?' * len(filter.kinds))})", [*filter.kinds]))
    if filter.variants:
        found.append((f"document ->> 'variant' IN ({', '.join('?' * len(filter.variants))})", [*filter.variants]))
    return together(*found)


def changing(filter: Filter) -> Clause:
    """What it asks of what may change."""
    return together(amended(filter), ("" if filter.archived else "archived = 0", []))


def amended(filter: Filter) -> Clause:
    """What it asks of what may change, but for whether it is archived."""
    found: list[Clause] = []
    if filter.container:
        found.append(("document ->> 'container' = ?", [filter.container]))
    if filter.tag:
        found.append(("EXISTS (SELECT 1 FROM json_each(document, '$.tags') t WHERE t.value = ?)", [filter.tag]))
    if filter.name is not None:
        found.append(("document ->> 'name' = ?", [filter.name]))
    if filter.name_contains:
        found.append(("instr(lower(document ->> 'name'), lower(?)) > 0", [filter.name_contains]))
    if filter.key:
        key = "(document ->> '$.analyses.key.tonic') || ' ' || (document ->> '$.analyses.key.mode')"
        found.append((f"{key} = ?", [filter.key]))
    if filter.tempo_from_bpm is not None:
        found.append(("document ->> '$.analyses.beats.tempo_bpm' >= ?", [filter.tempo_from_bpm]))
    if filter.tempo_to_bpm is not None:
        found.append(("document ->> '$.analyses.beats.tempo_bpm' <= ?", [filter.tempo_to_bpm]))
    return together(*found)
