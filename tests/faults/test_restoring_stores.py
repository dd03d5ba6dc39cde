"""PostgreSQL, Neo4j and the bucket put back older than the log, or lost: what is missing is named, and made whole."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from benchmarks.server_room import remove
from domain.errors import Conflict, Unavailable
from domain.views import Direction
from infra.local_servers import LocalServers
from infra.local_servers.recipes import RECIPES
from infra.local_servers.recipes.timescaledb import BIN
from infra.missing_blobs import missing_blobs
from infra.opening import rebuild_ledger
from infra.server.blobs import RemoteFile
from infra.server.s3 import Bucket, S3Address
from infra.settings import Settings
from projections import lineage_graph
from tests.crash import cheap
from tests.faults.conftest import Behind
from tests.given import Given
from tests.installations import Installations
from tests.servers import Addresses, fresh_name, go_without, own_servers


@contextmanager
def _filled(settings: Settings, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """A service with cheap processors, its own worker, and something in every view."""
    cheap.install(monkeypatch.setattr, profile="server")
    with Given(home, over=settings.model_copy(update={"runner": "plain"})) as given:
        made = Behind(given, {})
        made.write()
        made.bring(2)
        given.settled()
        yield made


# PostgreSQL


@pytest.fixture
def database(servers: Addresses) -> Iterator[str]:
    """The address of an empty database with the extension; it is dropped at the end."""
    name = fresh_name()
    address = f"{servers.postgres.rpartition('/')[0]}/{name}"
    _make_database(servers.postgres, address)
    yield address
    _ask(servers.postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _ask(address: str, *statements: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _make_database(beside: str, address: str) -> None:
    _ask(beside, f"CREATE DATABASE {address.rpartition('/')[2]}")
    _ask(address, "CREATE EXTENSION IF NOT EXISTS timescaledb")


def _run(servers: Addresses, program: str, *arguments: object) -> None:
    """Run one of PostgreSQL's programs, of the server's own version where it is ours."""
    recipe = RECIPES["timescaledb"]
    installed = servers.local and servers.local.places.installed(recipe.name, recipe.version) / BIN / program
    path = installed or shutil.which(program)
    if path is None:
        go_without(f"{program} must be installed for this test")
    subprocess.run([str(path), *map(str, arguments)], check=True, capture_output=True, timeout=120)


def test_postgresql_put_back_from_an_older_dump_is_brought_up_from_kafka(
    installations: Installations,
    servers: Addresses,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given a dump, more events, and the database lost, when restored, then nothing starts before the ledger is anew.

    Then all that was acknowledged and had come to Kafka is there, and every view comes up to it by itself.
    """
    settings = installations.unmade().model_copy(update={"postgres": SecretStr(database)})
    try:
        with _filled(settings, tmp_path / "home", monkeypatch) as running:
            _run(servers, "pg_dump", "--format=custom", "--file", tmp_path / "disco.dump", database)
            running.write(2)
            running.bring(2)
            running.given.settled().service.close()
            _ask(servers.postgres, f"DROP DATABASE {database.rpartition('/')[2]} WITH (FORCE)")
            _make_database(servers.postgres, database)
            _ask(database, "SELECT timescaledb_pre_restore()")
            _run(servers, "pg_restore", "--dbname", database, tmp_path / "disco.dump")
            _ask(database, "SELECT timescaledb_post_restore()")
            with pytest.raises(Conflict, match="disco rebuild-ledger"):
                running.given.reopened()
            assert rebuild_ledger(settings).events > 0
            running.given.reopened()
            running.write()
            running.whole()
    finally:
        remove(settings)


# Neo4j


@pytest.fixture(scope="module")
def neo4j(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    """A Neo4j of these tests' own."""
    with own_servers(tmp_path_factory.mktemp("neo4j"), "neo4j") as local:
        yield local


def _key(id: str) -> str:
    """An id as `disco verify` tells it."""
    return id.replace("-", "").upper()


def test_neo4j_put_back_older_or_lost_is_named_and_made_whole_by_a_replay(
    installations: Installations, neo4j: LocalServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an older copy of its folder, then verify names what came since; given none, reads say what to do.

    Either way one replay of the one view makes it whole, while the others are as they were.
    """
    address = SecretStr(neo4j.addresses()["DISCO_NEO4J"])
    settings = installations.unmade().model_copy(update={"neo4j": address})
    data, copy = neo4j.places.run / "neo4j" / "data", tmp_path / "copy"
    try:
        with _filled(settings, tmp_path / "home", monkeypatch) as running:
            service = running.given.service
            neo4j.stop("neo4j")
            shutil.copytree(data, copy)
            neo4j.start("neo4j")
            running.write()
            running.bring()
            since = running.assets[-1]
            running.given.settled()
            neo4j.stop("neo4j")
            shutil.rmtree(data)
            shutil.copytree(copy, data)
            neo4j.start("neo4j")
            told = list(service.differences())
            assert {each.view for each in told} == {lineage_graph.NAME}
            assert any(_key(since) in each.key and each.kind == "missing" for each in told)
            service.rebuild([lineage_graph.NAME])
            running.sound()
            neo4j.stop("neo4j")
            shutil.rmtree(data)
            neo4j.start("neo4j")
            with pytest.raises(Unavailable, match="disco replay --view lineage_graph"):
                service.views.graph.lineage(since, Direction.UP)
            service.rebuild([lineage_graph.NAME])
            running.sound()
    finally:
        remove(settings)


# The bucket


def test_a_bucket_put_back_older_is_told_blob_by_blob_and_heals(
    installations: Installations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a mirror that is older than the log, then what came since is named; put back from elsewhere, none is."""
    with installations.one() as settings, _filled(settings, tmp_path / "home", monkeypatch) as running:
        assert settings.s3 is not None
        bucket = Bucket(S3Address.parse(settings.s3.get_secret_value()))
        mirror = _mirrored(bucket)
        running.bring()
        running.given.settled()
        newest = _mirrored(bucket)
        for name in newest:
            bucket.remove(name)
        _restore(bucket, mirror)
        lost = {name.rpartition("/")[2] for name in newest.keys() - mirror.keys()}
        assert len(lost) == 2, "the sound, and what was drawn of it"
        assert _missing(running) == lost
        _restore(bucket, {name: content for name, content in newest.items() if name not in mirror})
        assert _missing(running) == set()
        running.sound()


def _missing(running: Behind) -> set[str]:
    service = running.given.service
    return {name for name, _ in missing_blobs(service.log, set(service.blobs.names()))}


def _mirrored(bucket: Bucket) -> dict[str, bytes]:
    mirror = {}
    for found in bucket.list(""):
        with io.BufferedReader(RemoteFile(bucket, found)) as file:
            mirror[found.name] = file.read()
    return mirror


def _restore(bucket: Bucket, mirror: dict[str, bytes]) -> None:
    for name, content in mirror.items():
        bucket.put(name, io.BytesIO(content), len(content), "application/octet-stream")
