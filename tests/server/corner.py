"""A corner of a real server that a test has for itself."""

from __future__ import annotations

from infra.server.postgres import Postgres, identifier


def drop_all(postgres: Postgres) -> None:
    """Drop every schema of an installation, each in a transaction of its own: one takes many locks."""
    query = "SELECT nspname FROM pg_namespace WHERE nspname = %s OR nspname LIKE %s"
    with postgres.read() as connection:
        found = connection.execute(query, (postgres.schema, f"{postgres.schema}\\_%")).fetchall()
        for (schema,) in found:
            connection.execute(f"DROP SCHEMA {identifier(schema)} CASCADE")
