"""Find the real servers: in the environment, in containers, on loopback as `make servers` starts them.

They are found once a run and shared by all tests; a test keeps apart by names of its own (`fresh_name`): topics'
prefix, PostgreSQL's schema or database, Neo4j's labels, Milvus's collections, buckets. A test that stops or kills
servers has its own (`own_servers`). Where there are none, a test that asks is skipped, and the run's last lines say
so; under CI=true or DISCO_REQUIRE_SERVERS=1 it fails.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import SecretStr

from domain.errors import DiscoError
from infra.local_servers import LocalServers, Places
from infra.local_servers.installing import is_installed
from infra.local_servers.ports import HOST, OTHERS, choose
from infra.local_servers.recipe import Recipe
from infra.local_servers.recipes import QUICK, RECIPES, USUAL
from infra.settings import LocalServersSettings, Settings

INFRA = Path(__file__).parents[1] / "infra"
NEEDED = ("kafka", "postgres", "neo4j", "milvus", "s3")
# Of compose.yaml: the setting that moves a port, where it lies usually, and the address it makes.
IN_CONTAINERS = {
    "kafka": ("DISCO_KAFKA_PORT", 19092, "{host}:{port}"),
    "postgres": ("DISCO_POSTGRES_PORT", 15432, "postgresql://disco:{password}@{host}:{port}/disco"),
    "neo4j": ("DISCO_NEO4J_PORT", 17687, "bolt://neo4j:{password}@{host}:{port}"),
    "milvus": ("DISCO_MILVUS_PORT", 19530, "http://{host}:{port}"),
    "s3": ("DISCO_S3_PORT", 19000, "http://disco:{password}@{host}:{port}/disco"),
}
SERVICES = ["kafka", "timescaledb", "neo4j", "milvus", "minio"]


@dataclass(frozen=True)
class Addresses:
    """Where the servers listen, in the form of our settings, and who found them."""

    kafka: str
    postgres: str = field(repr=False)
    neo4j: str = field(repr=False)
    milvus: str = field(repr=False)
    s3: str = field(repr=False)
    found_by: str
    versity: str | None = field(default=None, repr=False)
    """A second S3 server of another make, where there is one."""
    local: LocalServers | None = None
    """What stops, kills and starts them, where they are processes of ours."""


def servers() -> Addresses:
    """Where the real servers listen; the test is skipped, or under CI failed, where there are none."""
    found = _find()
    return found if isinstance(found, Addresses) else go_without(found)


@contextlib.contextmanager
def own_servers(folder: Path, *names: str, otherwise: Mapping[str, Recipe] = {}) -> Iterator[LocalServers]:
    """Some servers of a test's own, to stop and kill at will; they and their data are gone at its end.

    Ports are taken by chance: of two that wish for the same at once, both find it free until the first one listens.
    otherwise: recipes in place of the usual ones.
    """
    places = Places(Places.of(LocalServersSettings()).cache, folder)
    recipes = {name: _anywhere(recipe) for name, recipe in {**RECIPES, **otherwise}.items()}
    local = LocalServers(places, recipes=recipes)
    if lacking := [name for name in names if not is_installed(RECIPES[name], local.places)]:
        go_without(f"{', '.join(lacking)} must be installed for this test. Run: make servers")
    try:
        local.start(*names)
        yield local
    finally:
        local.wipe()


def _anywhere(recipe: Recipe) -> Recipe:
    chosen = random.sample(OTHERS, len(recipe.ports))
    return replace(recipe, ports=dict(zip(recipe.ports, chosen, strict=True)))


def go_without(why: str) -> NoReturn:
    """Skip the test, to be told loudly at the end of the run; under CI fail it."""
    if os.environ.get("CI") == "true" or os.environ.get("DISCO_REQUIRE_SERVERS") == "1":
        pytest.fail(f"the real servers are required here. {why}", pytrace=False)
    pytest.skip(why)


def fresh_name(prefix: str = "t") -> str:
    """A name that no other test, run or user has: a prefix of topics, a schema, a collection, a bucket."""
    return f"{prefix}{secrets.token_hex(5)}"


@cache
def _find() -> Addresses | str:
    """The servers, or why there are none."""
    return _in_environment() or _in_containers() or _on_loopback()


def _in_environment() -> Addresses | str | None:
    settings = Settings()
    told = {name: value for name in NEEDED if (value := getattr(settings, name)) is not None}
    if not told:
        return None
    if lacking := [f"DISCO_{name.upper()}" for name in NEEDED if name not in told]:
        return f"the environment names some servers, but not {', '.join(lacking)}: name all or none"
    plain = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in told.items()}
    return Addresses(**plain, found_by="the environment", versity=os.environ.get("DISCO_S3_VERSITY"))


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    asked = [docker or "", "compose", "ls"]
    return docker is not None and subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _in_containers() -> Addresses | None:
    """The servers of compose.yaml, in a project of the tests' own: nobody's data is touched, and they go at the end."""
    if not _docker_answers():
        return None
    from testcontainers.compose import DockerCompose

    password = secrets.token_hex(8)
    ports = {name: choose(usual) for name, (_, usual, _) in IN_CONTAINERS.items()}
    folder = Path(tempfile.mkdtemp(prefix="disco-compose-"))
    wanted = {IN_CONTAINERS[name][0]: port for name, port in ports.items()}
    wanted |= {"DISCO_PASSWORD": password, "COMPOSE_PROJECT_NAME": f"disco-tests-{os.getpid()}"}
    (folder / "env").write_text("".join(f"{name}={value}\n" for name, value in wanted.items()))
    compose = DockerCompose(INFRA, "compose.yaml", env_file=str(folder / "env"), services=SERVICES)
    ending = contextlib.ExitStack()
    atexit.register(ending.close)
    ending.callback(shutil.rmtree, folder)
    ending.enter_context(compose)
    addresses = {
        name: form.format(host=HOST, port=ports[name], password=password)
        for name, (_, _, form) in IN_CONTAINERS.items()
    }
    return Addresses(**addresses, found_by="testcontainers")


def _on_loopback() -> Addresses | str:
    """Those that `make servers` started; they are started for this run if they are but installed."""
    local = LocalServers(Places.of(LocalServersSettings()))
    try:
        if os.environ.get("DISCO_TEST_SERVERS") == "install":
            local.install()
        if lacking := [name for name in QUICK if not is_installed(RECIPES[name], local.places)]:
            return f"there are no servers to test with ({', '.join(lacking)} not installed). Run: make servers"
        names = [name for name in USUAL if is_installed(RECIPES[name], local.places)]
        stopped = [name for name in names if local.running(name) is None]
        if stopped:
            atexit.register(local.stop, *stopped)
        found = local.start(*names)
    except DiscoError as error:
        return error.message
    needed = {name: found[f"DISCO_{name.upper()}"] for name in NEEDED}
    return Addresses(**needed, found_by="make servers", versity=found.get("DISCO_S3_VERSITY"), local=local)
