"""PostgreSQL for a test: a corner of its own in the real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.server_room import drop_schemas
from infra.server.postgres import Postgres
from tests.servers import Addresses, fresh_name


@pytest.fixture
def postgres(servers: Addresses) -> Iterator[Postgres]:
    """An installation's connections; its schemas are dropped afterwards."""
    made = Postgres(servers.postgres, prefix=fresh_name())
    yield made
    drop_schemas(made)
    made.close()
