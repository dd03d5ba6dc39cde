"""The composition for container engines: every service says when it is well, is pinned, and is this machine's alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.local_servers.recipes import RECIPES
from infra.settings import Settings
from tests.servers import IN_CONTAINERS, SERVICES

INFRA = Path(__file__).parents[2] / "infra"
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text())
OURS = ("api", "worker")


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_service_says_when_it_is_well(name: str) -> None:
    """Given a service, then it has a health check with an interval, a timeout and a bound on retries."""
    check = COMPOSE["services"][name]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_image_is_pinned(name: str) -> None:
    """Given a service, then its image has a tag with a whole version, and is never `latest`."""
    tag = COMPOSE["services"][name]["image"].partition(":")[2]
    assert re.search(r"\d+\.\d+\.\d+|\d{4}-\d\d-\d\d", tag), tag


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_port_is_this_machines_alone(name: str) -> None:
    """Given a service, then each port it publishes is bound to loopback, and none shares the host's network."""
    service = COMPOSE["services"][name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "network_mode" not in service


def test_every_store_keeps_its_data_in_a_volume() -> None:
    """Given the servers, then each has a named volume, and every volume is one's."""
    used = [volume.partition(":")[0] for name in SERVICES for volume in COMPOSE["services"][name]["volumes"]]
    assert sorted(used) == sorted(COMPOSE["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_our_services_wait_for_servers_that_are_well(name: str) -> None:
    """Given one of ours, then it starts once every server is well, from the one image that is built here."""
    service = COMPOSE["services"][name]
    assert service["depends_on"] == {server: {"condition": "service_healthy"} for server in SERVICES}
    assert (INFRA / service["build"]["context"] / service["build"]["dockerfile"]).exists()


def test_our_services_are_told_every_server_by_settings_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the environment of ours, then Settings take it, and each address names a service of the composition."""
    for name, value in COMPOSE["services"]["api"]["environment"].items():
        assert name.removeprefix("DISCO_").lower() in Settings.model_fields
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)))
    settings = Settings()
    assert settings.profile == "server"
    assert settings.kafka == "kafka:9092"
    for value in (settings.postgres, settings.neo4j, settings.milvus, settings.s3):
        assert value is not None
        host = re.search(r"(?:@|//)([\w-]+):\d+", value.get_secret_value())
        assert host is not None
        assert host[1] in COMPOSE["services"]


def test_no_variable_is_needed_to_start() -> None:
    """Given the file, then every variable in it has a default: `docker compose up` needs nothing set."""
    variables = re.findall(r"\$\{([^}]*)\}", (INFRA / "compose.yaml").read_text())
    assert variables
    assert all(":-" in variable for variable in variables)


def test_the_ports_that_tests_move_can_be_moved() -> None:
    """Given the settings by which tests move ports, then each is in the file with the default they know."""
    text = (INFRA / "compose.yaml").read_text()
    for variable, usual, _ in IN_CONTAINERS.values():
        assert f"127.0.0.1:${{{variable}:-{usual}}}:" in text


@pytest.mark.parametrize(
    ("service", "server"),
    [("kafka", "kafka"), ("neo4j", "neo4j"), ("milvus", "milvus"), ("timescaledb", "timescaledb")],
)
def test_containers_and_processes_are_of_the_same_version(service: str, server: str) -> None:
    """Given a server, then the composition and `make servers` start the same version, so that tests speak for both."""
    tag, version = COMPOSE["services"][service]["image"].partition(":")[2], RECIPES[server].version
    for part in re.split("-", version):
        assert part in tag


def test_the_image_has_every_package_and_no_root() -> None:
    """Given the image's file, then all packages of the product are copied, its base is pinned, and it leaves root."""
    text = (INFRA / "Dockerfile").read_text()
    ignored = (INFRA / "Dockerfile.dockerignore").read_text().splitlines()
    for package in ("domain", "events", "processors", "projections", "api", "infra"):
        assert f"COPY {package} {package}\n" in text
        assert f"!{package}" in ignored
    assert re.search(r"^FROM python:3\.11\.\d+-slim-\w+$", text, re.MULTILINE)
    assert re.search(r"^USER disco$", text, re.MULTILINE)
    assert "--require-hashes -r requirements/server.txt" in text
