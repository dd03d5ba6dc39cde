"""An installation on the real servers for a figure to itself, and worker processes beside it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from kafka.admin import KafkaAdminClient
from pydantic import SecretStr

from benchmarks.figures import Bench
from benchmarks.servers import address, fresh_prefix
from infra.server import registry
from infra.server.brokers import reached
from infra.server.installation import Installation
from infra.server.postgres import Postgres, identifier
from infra.settings import Settings

PARTITIONS = 24
PATIENCE_S = 120.0
LOOK_S = 0.02
PARTITIONS_GAUGE = "disco_group_partitions"


def settings_of(bench: Bench) -> Settings:
    """The settings of an installation that is not there yet."""
    prefix = fresh_prefix()
    return Settings(
        profile="server",
        home=bench.fresh(prefix),
        topic_prefix=prefix,
        partitions=PARTITIONS,
        outbox_limit=10_000_000,
        kafka=address("kafka"),
        postgres=SecretStr(address("postgres")),
        neo4j=SecretStr(address("neo4j")),
        milvus=SecretStr(address("milvus")),
        s3=SecretStr(f"{address('s3')}/{prefix}"),
    )


@contextmanager
def installed(bench: Bench) -> Iterator[Settings]:
    """An installation with nothing in it, gone from the servers afterwards."""
    settings = settings_of(bench)
    Installation(settings).close()
    try:
        yield settings
    finally:
        remove(settings)


def told(settings: Settings) -> dict[str, str]:
    """The settings of an installation as the environment tells them to a process."""
    plain = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        f"DISCO_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in plain.items()
    }


class WorkerProcess:
    """`disco worker` as a process of its own, with these arguments; one process works for it.

    core: the only one that it and what works for it run on, where the system can hold them there.
    """

    def __init__(self, settings: Settings, *arguments: str, core: int | None = None) -> None:
        command = Path(sys.executable).with_name("disco")
        self._process = subprocess.Popen(
            [str(command), "worker", "--metrics-port", "0", *arguments],
            env={**os.environ, **told(settings), "DISCO_WORKERS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=None if core is None else partial(_stay, core),
        )
        assert self._process.stdout is not None
        lines = (line.decode().strip() for line in self._process.stdout)
        found = next((line for line in lines if line.startswith("http://")), None)
        assert found is not None, f"disco worker ended with status {self._process.wait()}"
        self._metrics = urlsplit(found)
        self.pid = self._process.pid

    def partitions(self) -> int:
        """How many partitions it follows, of all its groups together."""
        connection = http.client.HTTPConnection(self._metrics.netloc, timeout=60)
        try:
            connection.request("GET", self._metrics.path)
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return sum(
            int(float(line.rsplit(" ", 1)[1])) for line in text.splitlines() if line.startswith(PARTITIONS_GAUGE)
        )

    def close(self) -> None:
        """Have it leave."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def _stay(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def until(true: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until this is so. Raises: AssertionError, where it never comes to it."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, f"not within {patience_s:g} s: {what}"
        time.sleep(LOOK_S)


def remove(settings: Settings) -> None:
    """Leave nothing of an installation on any server."""
    installation = Installation(settings)
    try:
        with installation.postgres.read() as connection:
            found = registry.generations(connection)
        stores = {view.name: view.store for view in installation.stored}
        for each in found:
            with installation.postgres.transaction(statement_s=0) as connection:
                stores[each.name].drop(connection, each.number)
        drop_schemas(installation.postgres)
        bucket = installation.blobs.bucket
        for blob in list(bucket.list("")):
            bucket.remove(blob.name)
    finally:
        installation.close()
    forget(installation.brokers, settings.topic_prefix)


def drop_schemas(postgres: Postgres) -> None:
    """Drop every schema of a prefix, each in a transaction of its own: one takes many locks."""
    query = "SELECT nspname FROM pg_namespace WHERE nspname = %s OR nspname LIKE %s"
    with postgres.read() as connection:
        for (schema,) in connection.execute(query, (postgres.schema, f"{postgres.schema}\\_%")).fetchall():
            connection.execute(f"DROP SCHEMA {identifier(schema)} CASCADE")


def forget(brokers: str, prefix: str) -> None:
    """Delete a prefix's topics and consumer groups."""
    admin = KafkaAdminClient(**reached(brokers))
    try:
        admin.delete_groups(
            [group for each in admin.list_groups() if (group := each["group_id"]).startswith(f"{prefix}.")]
        )
        admin.delete_topics([topic for topic in admin.list_topics() if topic.startswith(f"{prefix}.")])
    finally:
        admin.close()
