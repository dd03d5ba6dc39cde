"""Ports on loopback: a server's own where it is free, else another."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

from domain.errors import Unavailable

HOST = "127.0.0.1"
# Below the range that systems take outgoing ports from: a stopped server finds its port free when it comes back.
OTHERS = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server could listen there, on this address and on any."""
    for host in (HOST, ""):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def choose(wished: int, taken: Iterable[int] = ()) -> int:
    """The wished port if it is free, else a free one."""
    others = [port for port in random.sample(OTHERS, 200) if port not in set(taken)]
    for port in [wished, *others]:
        if port not in set(taken) and is_free(port):
            return port
    raise Unavailable(f"port {wished} and 200 others are taken; stop what listens there (ss -ltnp)")
