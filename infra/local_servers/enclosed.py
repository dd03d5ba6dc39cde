"""Run a server that listens on every interface in a network namespace of its own; one port on loopback leads to it.

    enclosed.py PORT INNER_PORT COMMAND…

It has a /run of its own, too, for servers that put their process file there and would meet others'.

Run as a program, by its path: it needs the standard library alone. It ends with the server, and the server with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

CLONE_NEWNET, CLONE_NEWUSER, CLONE_NEWNS = 0x40000000, 0x10000000, 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
CHUNK_BYTES = 1 << 20
LIBC = ctypes.CDLL(None, use_errno=True)


def main(port: int, inner_port: int, command: list[str]) -> int:
    """Serve until the server ends, and return its exit status."""
    listener = socket.create_server(("127.0.0.1", port), backlog=512)  # a socket stays in the namespace it was made in
    leave_the_network()
    server = subprocess.Popen(command, preexec_fn=die_with_parent)  # noqa: S603  # no thread is there yet
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.terminate())
    threading.Thread(target=accept, args=(listener, inner_port), daemon=True).start()
    return server.wait()


def leave_the_network() -> None:
    """Enter new namespaces: a network that has a loopback and nothing else, and an empty /run.

    Raises: OSError, where the system allows it neither to us nor in a user namespace.
    """
    user, group = os.getuid(), os.getgid()
    if LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        _checked(LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUSER), "no network namespace may be made here")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    _checked(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mounts cannot be made private")
    _checked(LIBC.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=755"), "an empty /run cannot be mounted")
    with socket.socket() as any_socket:
        flags = struct.unpack("16sh", fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def _checked(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def die_with_parent() -> None:
    """Have the kernel kill the server when this program is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def accept(listener: socket.socket, inner_port: int) -> None:
    """Lead every connection to the server, both ways."""
    while True:
        outer, _ = listener.accept()
        try:
            inner = socket.create_connection(("127.0.0.1", inner_port))
        except OSError:
            outer.close()  # the server is not there yet: to the client it is as if nobody listened
            continue
        for connection in (outer, inner):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        done = threading.Barrier(2)
        for pair in ((outer, inner), (inner, outer)):
            threading.Thread(target=pump, args=(*pair, done), daemon=True).start()


def pump(source: socket.socket, sink: socket.socket, done: threading.Barrier) -> None:
    """Move bytes inside the kernel until the source ends, and say so to the sink."""
    reading, writing = os.pipe()
    try:
        while waiting := os.splice(source.fileno(), writing, CHUNK_BYTES):
            while waiting:
                waiting -= os.splice(reading, sink.fileno(), waiting)
    except OSError:
        close_both_ways(source)
    finally:
        os.close(reading)
        os.close(writing)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
    done.wait()
    source.close()


def close_both_ways(connection: socket.socket) -> None:
    """Let the other direction end, too."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
