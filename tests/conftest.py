"""Fixtures that all tests share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from infra.pool import WorkerPool
from tests.servers import Addresses
from tests.servers import servers as find_servers
from tests.spine import Spine

if TYPE_CHECKING:
    from tests.installations import Installations

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


@pytest.fixture(scope="session")
def servers() -> Addresses:
    """The real servers, found once; a test that asks is skipped where there are none, and fails under CI."""
    return find_servers()


@pytest.fixture(scope="session")
def installations(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installations]:
    """Empty installations of the server profile, for whoever asks for one."""
    from tests.installations import Installations  # its clients take a second to import

    with closing(Installations(tmp_path_factory.mktemp("installations"), servers)) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly which tests were skipped, and what would run them."""
    skipped = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []))
    for why, times in skipped.most_common():
        terminalreporter.section(f"{times} skipped", yellow=True, bold=True)
        terminalreporter.line(why)
