"""Progress among the processes of one folder: a datagram socket for each that listens, none where nobody does."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from domain.ports import Progress
from infra.telling import Listeners, Teller

LONGEST_PATH = 100
"""Bytes that the path of a Unix socket may have on every system."""
MOST_BYTES = 65_536
PAUSE_S = 0.01
PAUSES = 10
"""How often a listener whose queue is full is tried again before a message to it is dropped."""
LOOK_S = 1.0
SUFFIX = ".sock"
HAS_SOCKETS = hasattr(socket, "AF_UNIX")

log = structlog.get_logger("progress")


class SocketProgress:
    """`ProgressFeed` over a folder that only this user can look into.

    Listeners of this process are called at once. A thread sends to the sockets of others, of each step the newest.
    Where the system has no such sockets, progress stays within the process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._listeners = Listeners()
        self._ear: _Ear | None = None
        self._mouth = _Mouth(folder)
        self._teller = Teller(self._mouth)

    def tell(self, progress: Progress) -> None:
        """See `ProgressFeed.tell`."""
        self._listeners.heard(progress)
        if HAS_SOCKETS:
            self._teller.say(progress)

    def listen(self, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """See `ProgressFeed.listen`."""
        with self._lock:
            self._listeners.add(listener)
            if self._ear is None and HAS_SOCKETS:
                self._ear = self._opened()

        def stop() -> None:
            with self._lock:
                self._listeners.remove(listener)
                if not self._listeners:
                    self._deaf()

        return stop

    def close(self) -> None:
        """See `ProgressFeed.close`."""
        with self._lock:
            self._listeners.clear()
            self._deaf()
        self._teller.close()
        self._mouth.close()

    def _opened(self) -> _Ear | None:
        try:
            ear = _Ear(self._folder, self._listeners.read)
        except OSError as error:  # a file system without sockets; the work goes on
            log.warning("progress_of_other_processes_unheard", folder=str(self._folder), error=str(error))
            return None
        self._mouth.own = ear.name
        return ear

    def _deaf(self) -> None:
        if self._ear is not None:
            self._ear.close()
            self._ear = None


class _Place:
    """The folder under a name short enough for a socket: on Linux an open descriptor stands for one that is not."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._descriptor: int | None = None
        if len(os.fsencode(folder)) + len("/4194304-00000000.sock") > LONGEST_PATH:
            self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __truediv__(self, name: str) -> str:
        folder = self._folder if self._descriptor is None else f"/proc/self/fd/{self._descriptor}"
        return f"{folder}/{name}"

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class _Ear:
    """A socket that hears, and the thread that listens at it.

    Raises: OSError, where there can be none.
    """

    def __init__(self, folder: Path, heard: Callable[[bytes], None]) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._path = folder / self.name
        self._heard = heard
        self._closed = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        place = _Place(folder)
        try:
            self._socket.bind(place / self.name)
        except BaseException:
            self._socket.close()
            raise
        finally:
            place.close()
        self._socket.settimeout(LOOK_S)
        threading.Thread(target=self._listen, name="progress-listener", daemon=True).start()

    def close(self) -> None:
        """Hear no more; the thread sees it within a second."""
        self._closed = True
        self._path.unlink(missing_ok=True)

    def _listen(self) -> None:
        with self._socket:
            while not self._closed:
                try:
                    message = self._socket.recv(MOST_BYTES)
                except TimeoutError:
                    continue
                if not self._closed:
                    self._heard(message)


class _Mouth:
    """Says a message to every other process that listens; a socket is opened with the first."""

    def __init__(self, folder: Path) -> None:
        self.own = ""
        self._folder = folder
        self._sender: socket.socket | None = None

    def __call__(self, message: bytes) -> None:
        if self._sender is None:
            self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._sender.setblocking(False)
        self._tell_all(self._sender, message)

    def close(self) -> None:
        """Say no more."""
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def _tell_all(self, sender: socket.socket, message: bytes) -> None:
        names = self._others()
        if not names:
            return
        place = _Place(self._folder)
        try:
            for name in names:
                self._tell(sender, message, place / name, self._folder / name)
        finally:
            place.close()

    def _others(self) -> list[str]:
        try:
            return [name for name in os.listdir(self._folder) if name.endswith(SUFFIX) and name != self.own]
        except FileNotFoundError:  # nobody has ever listened here
            return []

    def _tell(self, sender: socket.socket, message: bytes, address: str, path: Path) -> None:
        for _ in range(PAUSES):
            try:
                sender.sendto(message, address)
            except BlockingIOError:  # its queue is full; it may only be busy
                time.sleep(PAUSE_S)
            except ConnectionRefusedError:  # its process is gone
                path.unlink(missing_ok=True)
                return
            except OSError as error:
                log.debug("progress_dropped", address=address, error=str(error))
                return
            else:
                return
