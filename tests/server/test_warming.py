"""A node that has just begun: what its first readers need not wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.server.disco import ServerDisco

if TYPE_CHECKING:
    from tests.installations import Installations


def test_a_service_that_was_warmed_has_its_clients_connected(installations: Installations) -> None:
    """Given a service that opened without a question to graph or vectors, when warmed, then both are connected to."""
    with installations.one() as settings:
        with ServerDisco(settings.model_copy(update={"warm_workers": 0}), run=False) as service:
            neo4j, milvus = service.installation._neo4j, service.installation._milvus
            assert (neo4j._driver, milvus._client) == (None, None)
            service.warm()
            assert neo4j._driver is not None
            assert milvus._client is not None
        service.warm()  # one that is ending meanwhile says nothing
