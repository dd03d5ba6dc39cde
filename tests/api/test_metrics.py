"""What Prometheus is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from infra.disco import Disco, open_disco
from infra.settings import Settings
from tests.api.client import Client
from tests.api.conftest import Served
from tests.api.making import Catalogue, catalogue
from tests.api.test_subscriptions import opened

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


def numbers(client: httpx.Client) -> Numbers:
    """All samples of a scrape, by name and labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def _of(found: Numbers, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


def test_requests_are_counted_by_the_pattern_of_their_route(client: Client, made: Catalogue) -> None:
    """Given requests for ids, for nothing and as a stranger, then they count under patterns, and no id is told."""
    client.get(f"/api/lineage/{made.project}/prov.json")
    client.get(f"/api/lineage/{made.project}/prov.json")
    client.get("/secret-place")
    client.request("BREW", "/secret-place")
    client.get("/healthz", headers={"host": "evil.example"})
    found, text = numbers(client), client.get("/metrics").text
    lineage = {"route": "/api/lineage/{id}/{format}.json", "method": "GET", "status": "200"}
    assert _of(found, "disco_request_seconds_count", **lineage) == 2
    assert _of(found, "disco_request_seconds_count", route="none", method="GET", status="404") == 1
    assert _of(found, "disco_request_seconds_count", route="none", method="other", status="404") == 1
    assert _of(found, "disco_request_seconds_count", route="none", method="GET", status="403") == 1
    assert not {"secret-place", "BREW", "evil.example", made.project} & set(text.replace('"', " ").split())


def test_operations_are_counted_by_kind_and_outcome(client: Client, made: Catalogue) -> None:
    """Given a query, one that fails and a mutation, then each counts under its kind and outcome, timed."""
    for query in (
        "{ projects { nodes { name } } }",
        '{ resource(id: "a-00000000000000000000000000000000") { name } }',
        'mutation { createProject(name: "Another") { job } }',
    ):
        client.post("/graphql", json={"query": query})
    found = numbers(client)
    assert _of(found, "disco_graphql_seconds_count", kind="query", outcome="ok") == 1
    assert _of(found, "disco_graphql_seconds_count", kind="query", outcome="error") == 1
    assert _of(found, "disco_graphql_seconds_count", kind="mutation", outcome="ok") == 1
    assert _of(found, "disco_graphql_seconds_sum", kind="mutation", outcome="ok") > 0


def test_the_log_the_views_and_the_pool_are_told(client: Client, service: Disco, made: Catalogue) -> None:
    """Given a service whose views are at the head, then each view's position, lag and state say so."""
    found, head = numbers(client), service.log.head()
    assert _of(found, "disco_up") == 1
    assert _of(found, "disco_log_head_position") == head > 0
    names = {status.name for status in service.views.status()}
    assert names == {dict(labels)["view"] for name, labels in found if name == "disco_view_position"}
    for view in names:
        assert _of(found, "disco_view_position", view=view) == head
        assert _of(found, "disco_view_lag_events", view=view) == 0
        assert _of(found, "disco_view_state", view=view, state="live") == 1
        assert _of(found, "disco_view_state", view=view, state="failing") == 0
    assert _of(found, "disco_pool_size_processes") == 1
    assert _of(found, "disco_pool_busy_processes") == 0


def test_dead_letters_are_counted(client: Client, service: Disco, made: Catalogue) -> None:
    """Given what a processor gave up on, then the number of dead letters says so."""
    assert _of(numbers(client), "disco_dead_letters") == len(service.views.dead_letters.page()[0]) == 1


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Disco]:
    """A service whose views nobody brings forward."""
    with open_disco(Settings(home=tmp_path / "still", workers=1), run=False) as disco:
        yield disco


def test_a_view_that_stands_still_shows_its_lag(still: Disco) -> None:
    """Given views at the head, when events come that nobody folds, then every view lags by as many."""
    still.views.catch_up()
    before = still.log.head()
    catalogue(still).audio("song")
    with Client(create_app(still, development=False), base_url="http://localhost") as client:
        found = numbers(client)
    lags = {value for (name, _), value in found.items() if name == "disco_view_lag_events"}
    assert lags == {still.log.head() - before}


def test_open_subscriptions_and_how_far_they_are_read_for_are_told(served: Served, made: Catalogue) -> None:
    """Given a subscription, when it opens and closes, then the gauge goes up and down, and the feed is at the head."""
    with httpx.Client(base_url=served.http) as client:
        with opened(served, "subscription { events { cursor } }"):
            found = _until(client, "disco_subscriptions", 1)
            assert _of(found, "disco_feed_position") == _of(found, "disco_log_head_position") > 0
            assert _of(found, "disco_feed_lag_events") == 0
        _until(client, "disco_subscriptions", 0)


def _until(client: httpx.Client, name: str, value: float) -> Numbers:
    """Scrape until the feed has been read and a number is as it is to be."""
    end = time.monotonic() + 10
    while True:
        found = numbers(client)
        if _of(found, name) == value and ("disco_feed_position", frozenset()) in found:
            return found
        assert time.monotonic() < end, found
        time.sleep(0.05)


def test_a_foreign_host_gets_no_numbers(client: Client) -> None:
    """Given a request under a name that is not ours, then it is refused as on every other route."""
    assert client.get("/metrics", headers={"host": "evil.example"}).status_code == 403
