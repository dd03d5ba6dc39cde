"""Readiness: a server is asked in its protocol, so that a port that is merely open is not taken for one at work."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from infra.local_servers import probes
from infra.local_servers.ports import choose
from tests.servers import Addresses

PROBES: dict[str, Callable[[int], bool]] = {
    "kafka": probes.kafka,
    "postgres": lambda port: probes.postgres(port, user="disco", database="disco"),
    "bolt": probes.bolt,
    "grpc": probes.grpc,
    "web": lambda port: probes.web(port, "/health"),
}


@contextmanager
def _answering(answer: bytes) -> Iterator[int]:
    """The port of something that reads a question and gives this answer to all of them."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("name", sorted(PROBES))
def test_an_open_port_is_no_server(name: str) -> None:
    """Given something that hangs up, something that talks of other things, and a closed port, then none is ready."""
    for answer in (b"", b"\0" * 4):
        with _answering(answer) as port:
            assert not PROBES[name](port)
    assert not PROBES[name](choose(29_998))


def _refusal(code: str) -> bytes:
    fields = f"SFATAL\0C{code}\0Mno\0\0".encode()
    return b"E" + struct.pack(">i", len(fields) + 4) + fields


def test_postgres_that_starts_up_is_not_ready_and_one_that_is_full_is() -> None:
    """Given refusals as PostgreSQL sends them, then 57P03 (starting up) is not ready, 53300 (too many clients) is."""
    with _answering(_refusal("57P03")) as port:
        assert not PROBES["postgres"](port)
    with _answering(_refusal("53300")) as port:
        assert PROBES["postgres"](port)


def test_kafka_without_a_broker_is_not_ready() -> None:
    """Given a metadata answer that lists no broker yet, then it is not ready."""
    with _answering(struct.pack(">iii", 8, 1, 0)) as port:
        assert not PROBES["kafka"](port)
    with _answering(struct.pack(">iii", 8, 1, 1)) as port:
        assert PROBES["kafka"](port)


def test_the_real_servers_are_told_apart(servers: Addresses) -> None:
    """Given the real servers, then each is ready to who asks in its protocol, and to nobody else."""
    ports = {
        "kafka": servers.kafka.rpartition(":")[2],
        "postgres": servers.postgres.rpartition(":")[2].partition("/")[0],
        "bolt": servers.neo4j.rpartition(":")[2],
        "grpc": servers.milvus.rpartition(":")[2],
    }
    for server, port in ports.items():
        heard = [name for name in ports if PROBES[name](int(port))]
        assert heard == [server]
