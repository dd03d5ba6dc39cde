"""The adapters that the contract of progress is run over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from domain.ports import ProgressFeed
from infra.embedded.progress import SocketProgress
from infra.settings import Settings
from tests.servers import fresh_name, servers


class ProgressAdapter(Protocol):
    """Opens feeds as processes of one data folder, or one cluster, would."""

    def open(self) -> ProgressFeed:
        """A feed of its own."""

    def close(self) -> None:
        """Close every feed."""


class EmbeddedProgress:
    """Sockets in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "progress"
        self._opened: list[SocketProgress] = []

    def open(self) -> ProgressFeed:
        """See `ProgressAdapter.open`."""
        self._opened.append(SocketProgress(self.folder))
        return self._opened[-1]

    def close(self) -> None:
        """See `ProgressAdapter.close`."""
        for feed in self._opened:
            feed.close()


class ServerProgress:
    """A topic."""

    def __init__(self, folder: Path) -> None:
        from infra.server.topics import make_topics

        addresses = servers()
        self.settings = Settings(kafka=addresses.kafka, topic_prefix=fresh_name(), partitions=1)
        make_topics(self.settings, addresses.kafka)
        self._opened: list[ProgressFeed] = []

    def open(self) -> ProgressFeed:
        """See `ProgressAdapter.open`."""
        from infra.server.progress import KafkaProgress
        from infra.server.topics import progress_topic

        assert self.settings.kafka is not None
        self._opened.append(KafkaProgress(self.settings.kafka, progress_topic(self.settings)))
        return self._opened[-1]

    def close(self) -> None:
        """See `ProgressAdapter.close`."""
        for feed in self._opened:
            feed.close()


FEEDS: dict[str, Callable[[Path], ProgressAdapter]] = {"embedded": EmbeddedProgress, "server": ServerProgress}
