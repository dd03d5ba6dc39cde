"""Taking away blobs that no event names."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Disco


def test_the_embedded_profile_says_that_it_keeps_everything(disco: Disco, tmp_path: Path) -> None:
    """Given a data folder, when its blobs are to be swept, then the status says unsupported, and nothing is made."""
    told = disco(tmp_path / "home", "sweep-blobs", "--json")
    assert (told.status, told.error["code"]) == (8, "unsupported")
    assert not (tmp_path / "home").exists()
