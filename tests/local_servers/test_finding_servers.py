"""How tests find servers: the environment first, a loud skip where there are none, and a failure where they must be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tests.servers as finding
from tests.servers import NEEDED, Addresses, own_servers

ROOT = Path(__file__).parents[2]
TOLD = {
    "DISCO_KAFKA": "10.0.0.1:9092",
    "DISCO_POSTGRES": "postgresql://u:p@10.0.0.1/d",
    "DISCO_NEO4J": "bolt://u:p@10.0.0.1:7687",
    "DISCO_MILVUS": "http://10.0.0.1:19530",
    "DISCO_S3": "http://k:s@10.0.0.1:9000/b",
}


@pytest.fixture(autouse=True)
def _unfound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what was found, and what the environment says, for one test."""
    monkeypatch.setattr(finding, "_find", finding._find.__wrapped__)
    for name in (*TOLD, "DISCO_S3_VERSITY", "CI", "DISCO_REQUIRE_SERVERS", "DISCO_TEST_SERVERS"):
        monkeypatch.delenv(name, raising=False)


def test_addresses_in_the_environment_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given all addresses in the environment, then they are the servers, whatever runs here."""
    for name, value in TOLD.items():
        monkeypatch.setenv(name, value)
    found = finding.servers()
    assert found.found_by == "the environment"
    assert {f"DISCO_{name.upper()}": getattr(found, name) for name in NEEDED} == TOLD


def test_half_of_the_addresses_are_not_mixed_with_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given Kafka's address alone, then the tests are skipped, naming what is lacking, and nothing is started."""
    monkeypatch.setenv("DISCO_KAFKA", TOLD["DISCO_KAFKA"])
    with pytest.raises(pytest.skip.Exception, match="DISCO_POSTGRES, DISCO_NEO4J, DISCO_MILVUS, DISCO_S3"):
        finding.servers()


def test_without_servers_a_test_is_skipped_and_says_what_would_run_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given nothing installed, then the test is skipped, naming `make servers`."""
    monkeypatch.setenv("DISCO_SERVERS_CACHE", str(tmp_path))
    monkeypatch.setattr(finding, "_docker_answers", lambda: False)
    with pytest.raises(pytest.skip.Exception, match="make servers"):
        finding.servers()


@pytest.mark.parametrize("variable", [("CI", "true"), ("DISCO_REQUIRE_SERVERS", "1")])
def test_where_servers_are_required_going_without_is_a_failure(
    variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given nothing installed, when it is CI or servers are required, then the test fails."""
    monkeypatch.setenv("DISCO_SERVERS_CACHE", str(tmp_path))
    monkeypatch.setenv(*variable)
    monkeypatch.setattr(finding, "_docker_answers", lambda: False)
    with pytest.raises(pytest.fail.Exception, match="required"):
        finding.servers()
    with pytest.raises(pytest.fail.Exception, match="required"), own_servers(tmp_path / "run", "versitygw"):
        pass


def test_servers_that_run_are_found_and_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server of `make servers` that runs, when tests find it, then it is that process and outlives them."""
    monkeypatch.setattr(finding, "USUAL", ("versitygw",))
    monkeypatch.setattr(finding, "QUICK", ("versitygw",))
    monkeypatch.setattr(finding, "NEEDED", ("s3",))
    monkeypatch.setattr(finding, "_docker_answers", lambda: False)
    with own_servers(tmp_path / "run", "versitygw") as local:
        before = local.running("versitygw")
        monkeypatch.setenv("DISCO_SERVERS_RUN", str(local.places.run))
        monkeypatch.setattr(finding, "Addresses", lambda **told: told)
        found = finding._on_loopback()
        assert found["s3"] == local.addresses()["DISCO_S3"]
        assert found["found_by"] == "make servers"
        assert local.running("versitygw") == before


def test_the_last_lines_of_a_run_say_what_was_skipped(tmp_path: Path) -> None:
    """Given a run without servers, then its last lines name what was skipped, even when asked to be quiet."""
    test = tmp_path / "test_it.py"
    test.write_text("def test_it(servers): raise AssertionError\n")
    (tmp_path / "conftest.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom tests.conftest import *\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(test)]
    environment = {"PATH": "/usr/bin:/bin", "DISCO_SERVERS_CACHE": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "1 skipped =" in done.stdout
    assert "make servers" in done.stdout.partition("1 skipped =")[2]


def test_the_shared_servers_answer(request: pytest.FixtureRequest) -> None:
    """Given the servers that all tests share, then each address has the form that settings take."""
    shared: Addresses = request.getfixturevalue("servers")
    assert shared.postgres.startswith("postgresql://")
    assert shared.neo4j.startswith("bolt://")
    assert shared.milvus.startswith("http://")
    assert shared.s3.rpartition("/")[2] == "disco"


def test_containers_are_the_tests_own_and_go_with_their_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given a container engine that answers, then its servers are of a project and on ports of the tests' own.

    No engine runs where this is tested, so its program is a script that notes what it is asked.
    """
    asked = tmp_path / "asked"
    (tmp_path / "docker").write_text(
        f'#!/bin/sh\necho "$@" >> {asked}\n'
        f'while [ $# -gt 0 ]; do [ "$1" = --env-file ] && cat "$2" > {asked}.env; shift; done\nexit 0\n'
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    ending: list[Callable[[], None]] = []
    monkeypatch.setattr(finding.atexit, "register", ending.append)
    found = finding.servers()
    assert found.found_by == "testcontainers"
    told = dict(line.split("=", 1) for line in (tmp_path / "asked.env").read_text().splitlines())
    assert told["COMPOSE_PROJECT_NAME"].startswith("disco-tests-")
    assert found.kafka == f"127.0.0.1:{told['DISCO_KAFKA_PORT']}"
    assert found.postgres == (
        f"postgresql://disco:{told['DISCO_PASSWORD']}@127.0.0.1:{told['DISCO_POSTGRES_PORT']}/disco"
    )
    up = asked.read_text().splitlines()[-1]
    assert "-f compose.yaml" in up
    assert up.endswith("up --wait kafka timescaledb neo4j milvus minio")
    for end in ending:
        end()
    assert "down --volumes" in asked.read_text().splitlines()[-1]
