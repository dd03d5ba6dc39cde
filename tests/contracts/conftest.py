"""Views, and hosts of workers, over every adapter there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contracts.view_adapters import VIEWS, ViewsAdapter

if TYPE_CHECKING:
    from tests.contracts.hosting import Hosts


@pytest.fixture(params=sorted(VIEWS))
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ViewsAdapter]:
    """One adapter over an empty log."""
    made = VIEWS[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture(params=["faust", "plain"])
def hosts(request: pytest.FixtureRequest) -> Iterator[Hosts]:
    """Hosts of one kind."""
    from tests.contracts.hosting import Hosts  # its clients take a second to import

    made = Hosts(request.param)
    yield made
    made.close()
