"""What a filter asks for, in SQL over the columns of a resource's row."""

from __future__ import annotations

from typing import Any

import orjson

from domain.views import AsOf, Document, Filter
from infra.keys import id_of, key_of

Clause = tuple[str, list[Any]]  # Any: what psycopg can bind
"""A condition and the values it binds."""
TEMPO = "(facets ->> 'tempo_bpm')::float8"


def together(*clauses: Clause) -> Clause:
    """All of them."""
    texts = [text for text, _ in clauses if text]
    return " AND ".join(texts) or "true", [value for _, values in clauses for value in values]


def either(*clauses: Clause) -> Clause:
    """One of them at least."""
    return f"({' OR '.join(f'({text})' for text, _ in clauses)})", [value for _, values in clauses for value in values]


def negated(clause: Clause) -> Clause:
    """Whatever it does not ask for; its columns are never null."""
    return f"NOT ({clause[0]})", clause[1]


def uuid_of(id: str) -> str:
    """The id, once it is known to be one. Raises: Malformed."""
    return id_of(key_of(id))


def plain(text: str) -> str:
    """The text without what PostgreSQL cannot hold: NUL, and what is not Unicode."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def folded(text: str) -> str:
    """A text as names are compared: ASCII in small letters, as SQLite does."""
    return plain(text).encode().lower().decode()


def facets(document: Document) -> dict[str, Any]:  # Any: JSON
    """What a resource can be filtered by."""
    found: dict[str, Any] = {
        "variant": plain(document["variant"]),
        "name": folded(document["name"]),
        "exact_name": plain(document["name"]),
        "tags": [plain(tag) for tag in document["tags"]],
    }
    if document["container"]:
        found["container"] = document["container"]
    key = document["analyses"].get("key", {})
    if key.get("tonic") is not None and key.get("mode") is not None:
        found["key"] = plain(f"{key['tonic']} {key['mode']}")
    tempo = document["analyses"].get("beats", {}).get("tempo_bpm")
    if tempo is not None:
        found["tempo_bpm"] = tempo
    return found


def steady(filter: Filter) -> Clause:
    """What a filter asks of what never changes in a resource."""
    found: list[Clause] = []
    if filter.project:
        found.append(("project = %s", [uuid_of(filter.project)]))
    if filter.kinds:
        found.append(("kind = ANY(%s)", [[plain(kind) for kind in filter.kinds]]))
    if filter.variants:
        found.append(("facets ->> 'variant' = ANY(%s)", [[plain(variant) for variant in filter.variants]]))
    return together(*found)


def changing(filter: Filter) -> Clause:
    """What it asks of what may change."""
    return together(amended(filter), ("" if filter.archived else "NOT archived", []))


def amended(filter: Filter) -> Clause:
    """What it asks of what may change, but for whether it is archived."""
    found: list[Clause] = []
    holds: dict[str, Any] = {}
    if filter.container:
        holds["container"] = plain(filter.container)
    if filter.tag:
        holds["tags"] = [plain(filter.tag)]
    if filter.key:
        holds["key"] = plain(filter.key)
    if filter.name is not None:
        holds["exact_name"] = plain(filter.name)
    if holds:
        found.append(("facets @> %s::jsonb", [orjson.dumps(holds).decode()]))
    if filter.name_contains:
        found.append(("position(%s in facets ->> 'name') > 0", [folded(filter.name_contains)]))
    if filter.tempo_from_bpm is not None:
        found.append((f"{TEMPO} >= %s", [filter.tempo_from_bpm]))
    if filter.tempo_to_bpm is not None:
        found.append((f"{TEMPO} <= %s", [filter.tempo_to_bpm]))
    return together(*found)


def later(moment: AsOf) -> Clause:
    """Whether a resource has changed since a moment."""
    return _than("position", "updated_us", ">", moment)


def begun(moment: AsOf) -> Clause:
    """Whether a resource was there by a moment."""
    return _than("place", "created_us", "<=", moment)


def _than(position: str, time_us: str, than: str, moment: AsOf) -> Clause:
    if moment.position is not None:
        return f"{position} {than} %s", [moment.position]
    return f"{time_us} {than} %s", [moment.time_us]
