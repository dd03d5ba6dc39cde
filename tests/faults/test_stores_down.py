"""A server that is away: the rest goes on, nothing is lost, and it catches up by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from domain.errors import Unavailable
from domain.views import ViewStatus
from tests.faults.conftest import Behind

SOON_S = 30.0
VIEW_OF = {"neo4j": "lineage_graph", "milvus": "similarity"}


def _standing(behind: Behind) -> dict[str, ViewStatus]:
    return {status.name: status for status in behind.given.service.views.status()}


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("store", ["neo4j", "milvus"])
@pytest.mark.parametrize("fault", ["cut", "freeze"])
def test_a_view_whose_store_is_away_lags_alone_and_catches_up(behind: Behind, store: str, fault: str) -> None:
    """Given a store cut off or silent while events come, then its view alone lags; healed, it has everything."""
    getattr(behind.proxies[store], fault)()
    behind.write(3)
    behind.bring(2)
    head = behind.given.service.log.head()
    others = ["catalogue", "jobs", "measurements", *(name for at, name in VIEW_OF.items() if at != store)]
    _until(lambda: all(_standing(behind)[name].position >= head for name in others))
    assert _standing(behind)[VIEW_OF[store]].lag > 0
    behind.proxies[store].heal()
    behind.proxies[store].drop()
    _until(lambda: all(status.lag == 0 for status in _standing(behind).values()))
    behind.whole()


@pytest.mark.parametrize("fault", ["cut", "half_close", "drop"])
def test_while_postgresql_is_away_writes_are_refused_and_nothing_is_half_done(behind: Behind, fault: str) -> None:
    """Given PostgreSQL cut off, then writes are Unavailable with a hint; healed, they go on, and all is whole."""
    getattr(behind.proxies["postgres"], fault)()
    if fault == "cut":
        error = behind.refused()
        assert isinstance(error, Unavailable)
        assert error.retryable
        assert "PostgreSQL" in error.message
    behind.proxies["postgres"].heal()
    behind.proxies["postgres"].drop()
    _until(lambda: _writes(behind))
    behind.bring()
    behind.whole()


def _writes(behind: Behind) -> bool:
    try:
        behind.write()
    except Unavailable:
        return False
    return True


def test_while_the_blobs_are_away_imports_are_refused_and_other_writes_go_on(behind: Behind) -> None:
    """Given object storage cut off, then a file is refused and leaves nothing, and what needs no blob goes on."""
    behind.proxies["s3"].cut()
    with pytest.raises(AssertionError, match="unavailable"):
        behind.bring()
    behind.assets = behind.assets[:1]
    behind.write(2)
    behind.proxies["s3"].heal()
    behind.bring(2)
    behind.whole()


def test_a_slow_network_only_costs_time(behind: Behind) -> None:
    """Given every server 20 ms further away, then all is as it should be."""
    for proxy in behind.proxies.values():
        proxy.delay_s = 0.02
    behind.write()
    behind.bring()
    for proxy in behind.proxies.values():
        proxy.delay_s = 0.0
    behind.whole()
