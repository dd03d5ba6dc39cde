"""Whether the servers answer: each is asked beside the others, and none is waited for longer than a moment."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from domain.errors import DiscoError, Unavailable
from infra.server.brokers import OPEN, greet, security_of

ANSWER_S = 2.0
FIRST_S = 6.0
"""The first answer waits for the clients to be imported and to connect."""
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class Health:
    """Asks servers how they are. asked: by the name of each, what raises while it does not answer."""

    def __init__(self, asked: Mapping[str, Callable[[], object]]) -> None:
        self._asked = dict(asked)
        self._threads = ThreadPoolExecutor(len(asked), thread_name_prefix="health")
        self._asking: dict[str, Future[object]] = {}
        self._patience_s = FIRST_S
        self._closed = False
        self._lock = threading.Lock()

    def look(self) -> dict[str, str | None]:
        """By each server's name why it does not answer, None where it does; one that hangs is not asked again."""
        with self._lock:
            if self._closed:
                return {}
            for name, ask in self._asked.items():
                if name not in self._asking or self._asking[name].done():
                    self._asking[name] = self._threads.submit(ask)
            asking, timeout_s, self._patience_s = dict(self._asking), self._patience_s, ANSWER_S
        wait(asking.values(), timeout_s)
        return {name: _fault(name, answer, timeout_s) for name, answer in asking.items()}

    def close(self) -> None:
        """Ask no more."""
        with self._lock:
            self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)


def _fault(name: str, answer: Future[object], timeout_s: float) -> str | None:
    if not answer.done():
        return f"{name} has not answered in {timeout_s:g} s; see that it runs"
    error = answer.exception()
    if error is None:
        return None
    return error.message if isinstance(error, DiscoError) else f"{name} does not answer: {type(error).__name__}"


def ask_kafka(brokers: str, *, timeout_s: float = ANSWER_S) -> None:
    """Have one of the brokers say what it speaks. Raises: Unavailable, where none does.

    Source: Kafka's protocol guide, ApiVersions version 0, which every broker answers before anything else.
    """
    if security_of(brokers) != OPEN:
        return asyncio.run(greet(brokers, timeout_s))
    for broker in brokers.split(","):
        host, _, port = broker.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout_s) as connection:
                connection.sendall(_API_VERSIONS)
                if connection.recv(4):
                    return None
        except OSError:
            continue
    raise Unavailable(f"Kafka at {brokers} does not answer; see that it runs")
