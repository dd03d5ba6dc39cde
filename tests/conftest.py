"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from infra.pool import WorkerPool
from tests.given import Given, lent
from tests.spine import Spine

settings.register_profile(
    "disco",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
settings.load_profile("disco")


@pytest.fixture
def spine(tmp_path: Path) -> Iterator[Spine]:
    """A fresh log with its views, and no runner."""
    with Spine(tmp_path / "disco.sqlite") as made:
        yield made


@pytest.fixture(scope="session")
def workers() -> Iterator[WorkerPool]:
    """Worker processes that all tests share, for their start takes seconds."""
    with WorkerPool(2) as pool:
        yield pool


@pytest.fixture
def disco(tmp_path: Path, workers: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    """A service over a fresh folder, its runner running, with the shared workers."""
    monkeypatch.setattr("infra.disco.WorkerPool", lambda *_, **__: lent(workers))
    with Given(tmp_path / "home") as made:
        yield made
