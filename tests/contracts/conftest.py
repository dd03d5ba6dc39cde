"""Views over every adapter that holds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.view_adapters import VIEWS, ViewsAdapter


@pytest.fixture(params=sorted(VIEWS))
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ViewsAdapter]:
    """One adapter over an empty log."""
    made = VIEWS[request.param](tmp_path)
    yield made
    made.close()
