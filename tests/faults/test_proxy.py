"""The proxy itself: what it does to a connection is what it says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy


@pytest.fixture
def echo() -> Iterator[Proxy]:
    """A proxy before a server that says again what it hears, and bye at the end."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    with Proxy("127.0.0.1", listening.getsockname()[1]) as proxy:
        yield proxy
    listening.close()


def _answer(connection: socket.socket) -> None:
    with connection:
        try:
            while heard := connection.recv(1000):
                connection.sendall(heard)
            connection.sendall(b"bye")
        except OSError:
            return


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def _open(proxy: Proxy) -> socket.socket:
    return socket.create_connection((proxy.host, proxy.port), timeout=5)


def test_it_passes_bytes_both_ways(echo: Proxy) -> None:
    """Given a connection, when something is said, then it comes back."""
    with _open(echo) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"


def test_cut_breaks_what_is_there_and_refuses_what_comes_until_healed(echo: Proxy) -> None:
    """Given a cut, then the old connection is broken and a new one gets nowhere; healed, a new one works."""
    with _open(echo) as connection:
        connection.sendall(b"a")
        assert connection.recv(1) == b"a"
        echo.cut()
        assert _ended(connection)
        try:
            with _open(echo) as another:
                another.sendall(b"b")
                assert _ended(another)
        except OSError:
            pass
    echo.heal()
    test_it_passes_bytes_both_ways(echo)


def test_delay_and_freeze_hold_back_and_lose_nothing(echo: Proxy) -> None:
    """Given a delay of 0.2 s each way, then an answer takes 0.4 s; frozen, it comes when healed."""
    with _open(echo) as connection:
        echo.delay_s = 0.2
        begun = time.monotonic()
        connection.sendall(b"slow")
        assert connection.recv(100) == b"slow"
        assert time.monotonic() - begun >= 0.4
        echo.freeze()
        connection.sendall(b"late")
        connection.settimeout(0.6)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        echo.heal()
        connection.settimeout(5)
        assert connection.recv(100) == b"late"


def test_half_closed_the_server_hears_the_end_and_can_still_answer(echo: Proxy) -> None:
    """Given the way to the server closed, then its last word still comes."""
    with _open(echo) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        echo.half_close()
        assert connection.recv(100) == b"bye"


def test_an_address_keeps_its_user_and_path() -> None:
    """Given addresses, then only host and port are the proxy's."""
    proxy = Proxy("127.0.0.1", 1)
    proxy.port = 7
    assert proxy.instead_of("bolt://neo4j:pw@10.0.0.1:7687") == "bolt://neo4j:pw@127.0.0.1:7"
    assert proxy.instead_of("http://k:s@h:9000/bucket?region=x") == "http://k:s@127.0.0.1:7/bucket?region=x"
