"""Installing: pinned and verified, in one piece or not at all, and told how to go on when a step fails."""

from __future__ import annotations

import hashlib
import re
import threading
from pathlib import Path

import pytest

from domain.errors import Corrupted, DiscoError, Unavailable
from infra.local_servers import LocalServers, Places
from infra.local_servers.places import LOCKS, locked
from infra.local_servers.recipes import QUICK, RECIPES, USUAL, kafka, neo4j, s3
from infra.local_servers.recipes.milvus import configured
from infra.local_servers.sources import sha256, verify
from infra.local_servers.steps import Steps


def test_a_changed_missing_or_foreign_jar_is_named(tmp_path: Path) -> None:
    """Given jars and their lock, when one is changed, one is missing and one is new, then all three are named."""
    jars = tmp_path / "libs"
    jars.mkdir()
    for name in ("a.jar", "b.jar", "c.jar"):
        (jars / name).write_bytes(name.encode())
    lock = tmp_path / "some.sha256"
    lock.write_text("".join(f"{hashlib.sha256(n.encode()).hexdigest()}  {n}\n" for n in ("a.jar", "b.jar", "c.jar")))
    verify(jars, lock)
    (jars / "a.jar").write_bytes(b"other")
    (jars / "b.jar").unlink()
    (jars / "d.jar").write_bytes(b"new")
    with pytest.raises(Corrupted, match=r"a\.jar, b\.jar, d\.jar"):
        verify(jars, lock)


def test_a_files_digest_is_that_of_the_standard(tmp_path: Path) -> None:
    """Given the three letters of FIPS 180-4's example, then their digest is the one printed there."""
    (tmp_path / "abc").write_bytes(b"abc")
    printed = "ba7816bf 8f01cfea 414140de 5dae2223 b00361a3 96177a9c b410ff61 f20015ad"
    assert sha256(tmp_path / "abc") == printed.replace(" ", "")


def test_every_source_is_pinned() -> None:
    """Given the recipes, then each jar and wheel has its SHA-256 in a lock, and each Go module its version."""
    for artefacts, server in ((kafka.ARTEFACTS, "kafka"), (neo4j.ARTEFACTS, "neo4j")):
        lines = (LOCKS / f"{server}.sha256").read_text().splitlines()
        assert all(re.fullmatch(r"[0-9a-f]{64}  \S+\.jar", line) for line in lines)
        for artefact in artefacts:
            _, name, version = artefact.split(":")
            assert any(line.endswith(f"  {name}-{version}.jar") for line in lines), artefact
    for lock in LOCKS.glob("*.txt"):
        pinned = re.sub(r"\\\n\s*", "", lock.read_text())
        wheels = [line for line in pinned.splitlines() if line and not line.lstrip().startswith("#")]
        assert wheels
        assert all(re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line) for line in wheels), lock
    for package in (s3.MINIO_PACKAGE, s3.VERSITYGW_PACKAGE):
        assert re.search(r"@v\d+\.\d+\.\d+", package)


def test_a_failed_step_names_itself_its_command_its_log_and_a_way_on(tmp_path: Path) -> None:
    """Given a step whose command fails, then the error has step, command, the end of what it said, and the hint."""
    steps = Steps("kafka", tmp_path / "kafka.log")
    command = ["sh", "-c", "seq 100; echo no route to the registry; exit 7"]
    with pytest.raises(Unavailable) as raised:
        steps.run("fetching jars", command, hint="look at the network")
    said = raised.value.message
    for word in ("kafka", "fetching jars", "status 7", "sh -c", "no route to the registry", "look at the network"):
        assert word in said
    assert "\n    100\n" in said
    assert "\n    50\n" not in said
    assert "no route" in (tmp_path / "kafka.log").read_text()


def test_without_the_tools_each_failure_names_what_brings_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a path without any program, when all is installed, then one error names Java, Go and apt."""
    monkeypatch.setenv("PATH", str(tmp_path))
    places = Places(tmp_path / "cache", tmp_path / "run")
    with pytest.raises(DiscoError) as raised:
        LocalServers(places).install(["kafka", "timescaledb", "minio"])
    for word in ("openjdk-17-jre-headless", "go.dev", "Debian", "docker compose -f infra/compose.yaml up"):
        assert word in raised.value.message
    assert not [name for name in USUAL if places.installed(name, RECIPES[name].version).exists()]


def test_an_installation_waits_for_another_of_the_same(tmp_path: Path) -> None:
    """Given that one holds the lock, when a second wants it, then it gets it once the first is done."""
    order: list[str] = []
    with locked(tmp_path / ".lock"):
        second = threading.Thread(target=lambda: _hold(tmp_path / ".lock", order))
        second.start()
        second.join(0.3)
        order.append("first")
    second.join(10)
    assert order == ["first", "second"]


def _hold(file: Path, order: list[str]) -> None:
    with locked(file):
        order.append("second")


def test_milvus_is_configured_for_its_folder_and_loopback(tmp_path: Path) -> None:
    """Given Milvus's template, then data go to the folder, nodes meet on loopback, and no placeholder is left."""
    template = (
        "etcd:\n  data:\n    dir: {{ etcd_data_dir }}\n  log:\n    level: {{ etcd_log_level: info }}\n"
        "proxy:\n  ip: # if not specify address\n  port: {{ proxy_port(int): 19530 }}\n"
        "log:\n  level: info # Only\n"
    )
    text = configured(template, tmp_path)
    assert f"    dir: {tmp_path / 'etcd'}\n" in text
    assert "  ip: 127.0.0.1\n  port: 19530\n" in text
    assert text.endswith("log:\n  level: warn\n")
    assert "{{" not in text


def test_the_quick_choice_builds_no_minio() -> None:
    """Given a quick run, then every kind of server is there, and versitygw says that it stands in for MinIO."""
    assert "minio" not in QUICK
    assert RECIPES["versitygw"].stands_in_for == "minio"
    kinds = {"kafka", "neo4j", "timescaledb", "milvus"}
    assert kinds < set(QUICK) < set(USUAL)
