"""A server in a network of its own is reached through one port on loopback, and dies with who enclosed it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local_servers.places import HERE
from infra.local_servers.ports import choose
from infra.local_servers.processes import family

# Listens on every interface; answers each connection, once that has said all, with how much it said, and all of it.
SERVER = """
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        said = self.rfile.read()
        self.wfile.write(str(len(said)).encode() + b" " + said)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("", 7000), Echo).serve_forever()
"""


@pytest.fixture
def enclosed(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Such a server, and the port that leads to it."""
    port = choose(28_765)
    log = (tmp_path / "log").open("wb")
    command = [sys.executable, str(HERE / "enclosed.py"), str(port), "7000", sys.executable, "-c", SERVER]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None and _ask(port, b"") != b"0 ":
        time.sleep(0.05)
    if process.poll() is not None and "network namespace" in (tmp_path / "log").read_text():
        pytest.skip("this system allows no network namespaces")
    yield process, port
    process.kill()
    process.wait()


def _ask(port: int, said: bytes) -> bytes:
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            writing = threading.Thread(target=lambda: (connection.sendall(said), connection.shutdown(socket.SHUT_WR)))
            writing.start()
            while more := connection.recv(1 << 16):
                answer += more
            writing.join()
    except OSError:
        return answer
    return answer


def test_what_is_said_arrives_both_ways_with_its_end(enclosed: tuple[subprocess.Popen[bytes], int]) -> None:
    """Given ten clients at once, when each says 3 MB and ends its half, then each hears all of it back."""
    _, port = enclosed
    said = [os.urandom(3_000_000) for _ in range(10)]
    heard: dict[int, bytes] = {}
    clients = [
        threading.Thread(target=lambda i=i, text=text: heard.__setitem__(i, _ask(port, text)))
        for i, text in enumerate(said)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert [heard[i] == b"3000000 " + text for i, text in enumerate(said)] == [True] * 10


def test_the_servers_own_port_is_not_ours(enclosed: tuple[subprocess.Popen[bytes], int]) -> None:
    """Given that the enclosed server listens on every interface at 7000, then nobody outside finds it there."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 7000), 5).close()


def test_connections_leave_nothing_open(enclosed: tuple[subprocess.Popen[bytes], int]) -> None:
    """Given a hundred connections that came and went, then no descriptor of theirs is left."""
    process, port = enclosed
    before = len(os.listdir(f"/proc/{process.pid}/fd"))
    for _ in range(100):
        assert _ask(port, b"x") == b"1 x"
    until = time.monotonic() + 10
    while len(os.listdir(f"/proc/{process.pid}/fd")) > before and time.monotonic() < until:
        time.sleep(0.05)
    assert len(os.listdir(f"/proc/{process.pid}/fd")) <= before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_who_enclosed_it(enclosed: tuple[subprocess.Popen[bytes], int], number: int) -> None:
    """Given an enclosed server, when the program around it is ended or killed, then the server is gone too."""
    process, _ = enclosed
    inner = [one for one in family(process.pid) if one.pid != process.pid]
    assert inner
    process.send_signal(number)
    process.wait(10)
    until = time.monotonic() + 10
    while any(one.alive for one in inner) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(one.alive for one in inner)
