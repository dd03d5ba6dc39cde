"""Whether a server answers in its own protocol: the least one can say to it that only a server at work answers.

By hand and on plain sockets, so that servers start without any of their clients installed.
"""

from __future__ import annotations

import http.client
import socket
import struct

from infra.local_servers.ports import HOST

TIMEOUT_S = 2.0


def _ask(port: int, question: bytes, least: int) -> bytes:
    """The beginning of an answer, `least` bytes or more; fewer, or none, if the server hangs up or keeps silent."""
    answer = b""
    try:
        with socket.create_connection((HOST, port), TIMEOUT_S) as connection:
            connection.sendall(question)
            while len(answer) < least and (more := connection.recv(4096)):
                answer += more
    except OSError:
        return answer  # not yet, which is an answer to this question
    return answer


def kafka(port: int) -> bool:
    """Metadata, version 1: it knows at least one broker. Source: Kafka protocol guide."""
    body = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
    answer = _ask(port, struct.pack(">i", len(body)) + body, 12)
    if len(answer) < 12:
        return False
    _, request, brokers = struct.unpack(">iii", answer[:12])
    return bool(request == 1 and brokers > 0)


def postgres(port: int, *, user: str, database: str) -> bool:
    """Startup message: it asks for a password, or refuses for another reason than that it is starting or stopping.

    Source: PostgreSQL 55.2; error 57P03 is cannot_connect_now.
    """
    body = struct.pack(">i", 196608) + f"user\0{user}\0database\0{database}\0\0".encode()
    answer = _ask(port, struct.pack(">i", len(body) + 4) + body, 1)
    return answer.startswith(b"R") or (answer.startswith(b"E") and b"C57P03" not in answer)


def bolt(port: int) -> bool:
    """Handshake: it agrees to a version that we propose (5.0 to 5.4, 4.4). Source: Bolt handshake specification."""
    proposed = bytes.fromhex("6060b017 00040405 00000404 00000000 00000000")
    agreed = [bytes((0, 0, minor, 5)) for minor in range(5)] + [bytes((0, 0, 4, 4))]
    return _ask(port, proposed, 4)[:4] in agreed


def grpc(port: int) -> bool:
    """HTTP/2 preface: it answers with its SETTINGS (frame type 4). Source: RFC 9113, 3.4."""
    answer = _ask(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"), 9)
    return len(answer) >= 9 and answer[3] == 4


def web(port: int, path: str, *, answers: tuple[int, ...] = (200,), holding: bytes = b"") -> bool:
    """An HTTP GET: it answers with one of these statuses, and these bytes are in the answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status in answers and holding in response.read(1 << 20)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
