"""Servers as processes: started once, found again, ended, killed, and started anew with their data."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from domain.errors import DiscoError, Malformed, Unavailable, Unsupported
from infra.local_servers import LocalServers, Places
from infra.local_servers.ports import choose, is_free
from infra.local_servers.processes import family
from infra.local_servers.recipes import RECIPES
from tests.servers import Addresses, own_servers


@pytest.fixture(scope="module")
def _run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    """TimescaleDB and an S3 server of this module's own: they start in a second."""
    with own_servers(tmp_path_factory.mktemp("servers") / "run", "timescaledb", "versitygw") as local:
        yield local


@pytest.fixture
def run(_run: LocalServers) -> LocalServers:
    """The two, both running, whatever the test before did to them."""
    _run.start("timescaledb", "versitygw")
    return _run


def _sql(local: LocalServers, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(local.addresses()["DISCO_POSTGRES"], autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _state(local: LocalServers, name: str) -> str:
    return next(one.state for one in local.status() if one.name == name)


def test_starting_twice_is_starting_once(run: LocalServers) -> None:
    """Given a running server, when it is started again, then it is the same process at the same address."""
    before, addresses = run.running("timescaledb"), run.addresses()
    assert run.start("timescaledb", "versitygw") == addresses
    assert run.running("timescaledb") == before


def test_a_killed_server_comes_back_where_it_was_with_what_it_was_told(run: LocalServers) -> None:
    """Given a committed row, when the server is killed -9 and started, then address, password and row are the same."""
    addresses = run.addresses()
    _sql(run, "create table killed (word text)")
    _sql(run, "insert into killed values ('kept')")
    run.kill("timescaledb")
    assert _state(run, "timescaledb") == "stopped"
    assert run.start("timescaledb") == addresses
    assert _sql(run, "select word from killed") == [("kept",)]


def test_a_server_killed_behind_our_back_is_started_anew(run: LocalServers) -> None:
    """Given that somebody kills the process alone, children left, when it is started, then it answers."""
    before = run.running("timescaledb")
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    run.start("timescaledb")
    assert run.running("timescaledb") != before
    assert _sql(run, "select 1") == [(1,)]


def test_restarting_one_leaves_the_others_alone(run: LocalServers) -> None:
    """Given two servers, when one is restarted, then it alone is another process, and both answer."""
    database, blobs = run.running("timescaledb"), run.running("versitygw")
    run.restart("versitygw")
    assert run.running("timescaledb") == database
    assert run.running("versitygw") != blobs
    assert _state(run, "versitygw") == "ready"


def test_stopping_leaves_the_data_and_wiping_takes_it(run: LocalServers) -> None:
    """Given a row, when the server is stopped, then its data stays; when it is wiped, then nothing does."""
    _sql(run, "create table told (word text)")
    run.stop("timescaledb")
    assert run.running("timescaledb") is None
    run.start("timescaledb")
    assert _sql(run, "select * from told") == []
    run.wipe("timescaledb")
    assert not (run.places.run / "timescaledb").exists()
    assert "DISCO_POSTGRES" not in run.places.addresses.read_text()
    assert "DISCO_S3=" in run.places.addresses.read_text()


def test_every_commit_reaches_the_disk(run: LocalServers) -> None:
    """Given the sequencer's database, then it forces commits to disk, for tests of durability rest on it."""
    assert _sql(run, "select current_setting('fsync'), current_setting('synchronous_commit')") == [("on", "on")]


def test_a_wrong_password_is_refused(run: LocalServers) -> None:
    """Given the database's address with another password, when one connects, then it is refused."""
    address = run.addresses()["DISCO_POSTGRES"]
    password = address.partition("disco:")[2].partition("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address.replace(password, "0" * 32)).close()


def test_a_taken_port_is_left_to_who_has_it(run: LocalServers) -> None:
    """Given that a stopped server's port was taken, when it starts, then it listens on another, as its address says."""
    run.stop("versitygw")
    before = run.addresses()["DISCO_S3_VERSITY"]
    port = int(before.rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        run.start("versitygw")
        assert run.addresses()["DISCO_S3_VERSITY"] != before
        assert _state(run, "versitygw") == "ready"
        assert run.addresses()["DISCO_S3_VERSITY"] in run.places.addresses.read_text()


def test_the_usual_port_is_taken_where_it_is_free() -> None:
    """Given a free port, then it is chosen; given that somebody listens there on any address, then another is."""
    free = choose(29_999)
    assert choose(free) == free
    with socket.create_server(("", free)):
        other = choose(free)
    assert other != free
    assert is_free(other)


def test_a_process_that_got_the_number_later_is_not_taken_for_the_server(run: LocalServers) -> None:
    """Given a record whose number is another process's now, then the server is stopped, and the other lives on."""
    run.stop("versitygw")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = run.places.run / "versitygw" / "process.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"pid": other.pid}))
    assert run.running("versitygw") is None
    run.stop("versitygw")
    run.kill("versitygw")
    assert other.poll() is None
    other.communicate(b"\n")


def test_passwords_are_the_owners_alone_and_never_shown(run: LocalServers) -> None:
    """Given running servers, then no other user can read their passwords, and `status` shows addresses without them."""
    held = [run.places.addresses, *run.places.run.glob("*/site.json")]
    assert len(held) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in held} == {0o600}
    environment = {**os.environ, "DISCO_SERVERS_RUN": str(run.places.run)}
    command = [sys.executable, "-m", "infra.local_servers", "status"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    passwords = [
        value
        for file in run.places.run.glob("*/site.json")
        for name, value in json.loads(file.read_text())["secrets"].items()
        if name != "key"
    ]
    assert len(passwords) == 2
    assert "DISCO_POSTGRES=postgresql://disco:…@127.0.0.1:" in shown
    assert not [password for password in passwords if password in shown]


def test_passwords_are_on_no_command_line(run: LocalServers) -> None:
    """Given running servers, then what every user may see of their processes holds no password."""
    for name in ("timescaledb", "versitygw"):
        (secret,) = [
            value
            for key, value in json.loads((run.places.run / name / "site.json").read_text())["secrets"].items()
            if key != "key"
        ]
        running = run.running(name)
        assert running is not None
        for process in family(running.pid):
            assert secret.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()


def test_what_dies_at_its_start_is_reported_with_its_log(tmp_path: Path) -> None:
    """Given a server that ends at once, when it is started, then the error has its last words and where the rest is."""
    places = Places(tmp_path / "cache", tmp_path / "run")
    program = places.installed("versitygw", RECIPES["versitygw"].version) / "bin/versitygw"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho the disk is made of cheese\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(Unavailable, match="the disk is made of cheese") as raised:
        LocalServers(places).start("versitygw")
    assert str(tmp_path / "run/versitygw/server.log") in raised.value.message


def test_without_java_the_error_says_what_brings_it(run: LocalServers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a path without java, when Kafka is started, then the error names java, its package, and the ways around."""
    monkeypatch.setenv("PATH", str(run.places.run))
    with pytest.raises(Unsupported) as raised:
        run.start("kafka")
    for word in ("kafka", "java", "apt-get install openjdk-17-jre-headless", "docker compose", "DISCO_"):
        assert word in raised.value.message


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    """Given an empty cache, when servers are started, then the error says which to install and how."""
    with pytest.raises(DiscoError) as raised:
        LocalServers(Places(tmp_path / "cache", tmp_path / "run")).start("kafka", "neo4j")
    assert "local_servers install kafka" in raised.value.message
    assert "local_servers install neo4j" in raised.value.message


def test_an_unknown_server_is_refused_with_those_there_are(tmp_path: Path) -> None:
    """Given a name that is none, when it is started, then the error lists the names."""
    with pytest.raises(Malformed, match="kafka, neo4j"):
        LocalServers(Places(tmp_path / "cache", tmp_path / "run")).start("kafak")


def _listening(pid: int) -> set[str]:
    """The addresses on which a process listens, as the kernel writes them."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:
            continue  # closed while we looked
        inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def test_nothing_listens_beyond_this_machine(servers: Addresses) -> None:
    """Given all servers, then each socket listens on loopback, or in a network that has nothing but a loopback."""
    if servers.local is None:
        pytest.skip(f"found by {servers.found_by}, which are not processes of ours")
    ours, seen = os.readlink("/proc/self/ns/net"), 0
    for name in RECIPES:
        running = servers.local.running(name)
        for process in family(running.pid) if running else ():
            with contextlib.suppress(FileNotFoundError):  # PostgreSQL's, for one client, end while we look
                if os.readlink(f"/proc/{process.pid}/ns/net") == ours:
                    assert _listening(process.pid) <= LOOPBACK, name
                else:
                    devices = Path(f"/proc/{process.pid}/net/dev").read_text().splitlines()[2:]
                    assert [line.partition(":")[0].strip() for line in devices] == ["lo"], name
                seen += 1
    assert seen >= 5
