"""The committed schema is current, and nothing that was released is taken away."""

from __future__ import annotations

from pathlib import Path

from graphql import build_schema, find_breaking_changes, validate_schema

from api.graphql.schema import SCHEMA, SDL, sdl

RELEASED = Path(__file__).parent / "released.graphql"


def test_the_committed_schema_is_current() -> None:
    """Given docs/schema.graphql, when compared, then it is what the code says; `--write` makes it so."""
    assert SDL.read_text(encoding="utf-8") == sdl()


def test_nothing_released_is_broken() -> None:
    """Given the schema as last released, when compared, then no change breaks a query that was valid then."""
    released = build_schema(RELEASED.read_text(encoding="utf-8"))
    assert find_breaking_changes(released, build_schema(sdl())) == []


def test_taking_a_field_away_would_be_noticed() -> None:
    """Given a schema without one field, when compared, then the change is found."""
    released = build_schema(RELEASED.read_text(encoding="utf-8"))
    without = build_schema(sdl().replace("  archived: Boolean!\n", "", 1))
    assert find_breaking_changes(released, without)


def test_the_schema_is_valid() -> None:
    """Given the schema, when validated by graphql-core, then it has no faults."""
    assert validate_schema(SCHEMA._schema) == []
