"""Installations on the real servers, each a test's own: made ahead while other tests run, removed behind them.

Making one takes seconds, nearly all of them spent waiting for Milvus to load a collection.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from kafka.admin import KafkaAdminClient
from pydantic import SecretStr

from infra.server import registry
from infra.server.brokers import reached
from infra.server.installation import Installation
from infra.server.s3 import Bucket, S3Address
from infra.settings import Settings
from tests.server.corner import drop_all
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


def told(settings: Settings) -> dict[str, str]:
    """The settings of an installation as the environment tells them to a process."""
    plain = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        f"DISCO_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in plain.items()
    }


def remove(settings: Settings) -> None:
    """Leave nothing of an installation on any server."""
    assert settings.s3 is not None
    installation = Installation(settings)
    try:
        with installation.postgres.read() as connection:
            found = registry.generations(connection)
        stores = {view.name: view.store for view in installation.stored}
        for each in found:
            with installation.postgres.transaction(statement_s=0) as connection:
                stores[each.name].drop(connection, each.number)
        drop_all(installation.postgres)
        bucket = Bucket(S3Address.parse(settings.s3.get_secret_value()))
        for blob in list(bucket.list("")):
            bucket.remove(blob.name)
    finally:
        installation.close()
    _forget(installation.brokers, f"{settings.topic_prefix}.")


def _forget(brokers: str, prefix: str) -> None:
    """Delete topics and consumer groups."""
    admin = KafkaAdminClient(**reached(brokers))
    try:
        admin.delete_groups([each["group_id"] for each in admin.list_groups() if each["group_id"].startswith(prefix)])
        admin.delete_topics([topic for topic in admin.list_topics() if topic.startswith(prefix)])
    finally:
        admin.close()
