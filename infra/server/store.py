"""What a view is on the server profile: where its rows lie, whichever server that is, and how they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from events.envelope import Recorded
from infra.server.postgres import Pg


class Rows(Protocol):
    """What a projection writes to, gathered until flushed."""

    def flush(self) -> None:
        """Write what was gathered."""


class Store(Protocol):
    """Where the rows of a view lie, by generation. Each of these may be done twice."""

    @property
    def name(self) -> str:
        """The view's name."""

    @property
    def version(self) -> int:
        """The projection's version."""

    def create(self, connection: Pg, generation: int) -> None:
        """Make what a generation lies in."""

    def rows(self, connection: Pg, generation: int, *, fresh: bool) -> Any:  # Any: the rows its projection takes
        """What its projection writes to, for one page.

        connection: the transaction that the page's checkpoint is written in; rows that lie elsewhere are keyed so that
        writing them again changes nothing. fresh: nobody else writes this generation, and no page of it was tried
        before.
        """

    def finish(self, connection: Pg, generation: int) -> None:
        """Make what only readers need, before they come."""

    def drop(self, connection: Pg, generation: int) -> None:
        """Remove a generation."""

    def content(self, connection: Pg, generation: int) -> Iterator[tuple[str, str]]:
        """Every row as (key, content), in order of key, as the embedded profile gives it."""


@dataclass(frozen=True, slots=True)
class View:
    """A store, and the projection that fills it."""

    store: Store
    apply: Callable[[Any, list[Recorded]], None]  # Any: the rows this view's projection takes

    @property
    def name(self) -> str:
        """The view's name."""
        return self.store.name
