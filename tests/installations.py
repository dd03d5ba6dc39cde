"""Installations on the real servers, each a test's own: made ahead while other tests run, removed behind them.

Making one takes seconds, nearly all of them spent waiting for Milvus to load a collection.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pydantic import SecretStr

from benchmarks.server_room import remove
from infra.server.installation import Installation
from infra.settings import Settings
from tests.servers import Addresses, fresh_name

PARTITIONS = 4
AHEAD = 3


class Installations:
    """Gives installations that nobody else has. folder: where what this machine keeps of them lies."""

    def __init__(self, folder: Path, addresses: Addresses) -> None:
        self._folder = folder
        self._addresses = addresses
        self._threads = ThreadPoolExecutor(AHEAD + 1, thread_name_prefix="installations")
        self._made: deque[Future[Settings]] = deque()
        self._removed: list[Future[None]] = []

    @contextlib.contextmanager
    def one(self) -> Iterator[Settings]:
        """The settings of an empty installation, which is removed at the end."""
        while len(self._made) <= AHEAD:
            self._made.append(self._threads.submit(self._make))
        settings = self._made.popleft().result()
        try:
            yield settings
        finally:
            self._removed.append(self._threads.submit(remove, settings))

    def unmade(self) -> Settings:
        """The settings of an installation that is not there yet; who makes it removes it."""
        prefix, at = fresh_name(), self._addresses
        return Settings(
            profile="server",
            home=self._folder / prefix,
            topic_prefix=prefix,
            partitions=PARTITIONS,
            kafka=at.kafka,
            postgres=SecretStr(at.postgres),
            postgres_connections=8,
            neo4j=SecretStr(at.neo4j),
            milvus=SecretStr(at.milvus),
            s3=SecretStr(f"{at.s3}/{prefix}"),
        )

    def _make(self) -> Settings:
        settings = self.unmade()
        Installation(settings).close()
        return settings

    def close(self) -> None:
        """Remove those that were made ahead, and see that all are gone. Raises: what went wrong with that."""
        removed = [*self._removed, *(self._threads.submit(remove, made.result()) for made in self._made)]
        self._threads.shutdown()
        for each in removed:
            each.result()
