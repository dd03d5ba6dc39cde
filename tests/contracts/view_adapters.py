"""The adapters that hold views, driven by a log of events; a second profile is one class and one line more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from domain.views import Views
from events.envelope import Proposed
from tests.contracts.server_views import FoldedViews
from tests.spine import Spine


class ViewsAdapter(Protocol):
    """Views over a log that is given to them."""

    views: Views

    def given(self, events: Iterable[Proposed]) -> list[int]:
        """Append these events and fold them; returns their positions."""

    def rebuild(self) -> None:
        """Build every view anew."""

    def close(self) -> None:
        """Let go of everything."""


class EmbeddedViews:
    """All views in the one file."""

    def __init__(self, folder: Path) -> None:
        self.spine = Spine(folder / "disco.sqlite")
        self.views = self.spine.views

    def given(self, events: Iterable[Proposed]) -> list[int]:
        """See `ViewsAdapter.given`."""
        positions = self.spine.append(events)
        self.spine.views.catch_up()
        return positions

    def rebuild(self) -> None:
        """See `ViewsAdapter.rebuild`."""
        self.spine.views.rebuild()

    def close(self) -> None:
        """See `ViewsAdapter.close`."""
        self.spine.close()


VIEWS = {"embedded": EmbeddedViews, "server": FoldedViews}
