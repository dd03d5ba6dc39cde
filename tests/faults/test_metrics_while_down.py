"""What Prometheus and a readiness probe are told while a server is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.app import create_app, create_probes
from tests.api.client import Client
from tests.api.test_metrics import Numbers, numbers
from tests.faults.conftest import PROXIED, Behind

SOON_S = 30.0
SCRAPE_S = 10.0
"""For how long Prometheus waits, unless it is told otherwise."""


@pytest.fixture
def client(behind: Behind) -> Iterator[Client]:
    """The API of the service behind proxies."""
    with Client(create_app(behind.given.service, development=False), base_url="http://localhost") as client:
        yield client


def _of(found: Numbers, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def _scraped(client: httpx.Client) -> Numbers:
    began = time.monotonic()
    found = numbers(client)
    assert time.monotonic() - began < SCRAPE_S
    return found


def _until(client: httpx.Client, name: str, value: float, **labels: str) -> Numbers:
    end = time.monotonic() + SOON_S
    while _of(found := _scraped(client), name, **labels) != value:
        assert time.monotonic() < end, found
        time.sleep(0.2)
    return found


def _ready(client: httpx.Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()


@pytest.mark.parametrize("fault", ["cut", "freeze"])
def test_while_postgresql_is_away_a_scrape_says_so_in_time(behind: Behind, client: Client, fault: str) -> None:
    """Given PostgreSQL cut off or silent, then a scrape answers that it is down, and not ready names it; healed, up."""
    found = _until(client, "disco_up", 1)
    assert _of(found, "disco_outbox_events") == 0
    assert {_of(found, "disco_server_up", server=name) for name in ("kafka", *ALIASES)} == {1}
    assert _ready(client)[1]["status"] == "ready"
    getattr(behind.proxies["postgres"], fault)()
    found = _until(client, "disco_up", 0)
    assert _of(found, "disco_server_up", server="postgresql") == 0
    assert _of(found, "disco_server_up", server="kafka") == 1
    assert _of(found, "disco_pool_size_processes") == 2
    assert _of(found, "disco_log_head_position") is None
    status, body = _ready(client)
    assert (status, body["code"]) == (503, "unavailable")
    assert "postgresql" in body["detail"].lower()
    behind.proxies["postgres"].heal()
    behind.proxies["postgres"].drop()
    _until(client, "disco_up", 1)


ALIASES = ("postgresql", *(name for name in PROXIED if name != "postgres"))


def test_while_a_view_store_is_away_readiness_is_degraded_and_its_lag_shows(behind: Behind, client: Client) -> None:
    """Given Neo4j cut off while events come, then ready but degraded, Neo4j is named, and its view alone lags."""
    behind.proxies["neo4j"].cut()
    behind.write(3)
    head = behind.given.service.log.head()
    found = _until(client, "disco_view_position", head, view="catalogue")
    assert _of(found, "disco_up") == 1
    assert _of(found, "disco_server_up", server="neo4j") == 0
    assert (_of(found, "disco_view_lag_events", view="lineage_graph") or 0) > 0
    status, body = _ready(client)
    assert (status, body["status"]) == (200, "degraded")
    assert [server["name"] for server in body["servers"] if server["fault"]] == ["neo4j"]
    behind.proxies["neo4j"].heal()
    behind.proxies["neo4j"].drop()
    _until(client, "disco_view_lag_events", 0, view="lineage_graph")


def test_a_worker_tells_of_its_groups(behind: Behind) -> None:
    """Given a worker that has done all there is, then each of its groups has partitions, no lag, and stalls nowhere."""
    with Client(create_probes(behind.given.service), base_url="http://localhost") as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert _ready(client)[0] == 200
        found = _scraped(client)
        groups = {dict(labels)["group"] for name, labels in found if name == "disco_group_partitions"}
        assert len(groups) == len(behind.given.service.views.status()) + 1
        for group in groups:
            assert (_of(found, "disco_group_partitions", group=group) or 0) > 0
            _until(client, "disco_group_lag_records", 0, group=group)
        assert client.get("/graphql").status_code == 404
