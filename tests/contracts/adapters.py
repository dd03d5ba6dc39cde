"""The adapters that each port's contract is run over; a second profile is one class and one line more."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import apsw

from domain.ports import Blobs, EventLog
from infra.embedded.blobs import FolderBlobs
from infra.embedded.database import Database
from infra.embedded.log import SqliteLog


class LogAdapter(Protocol):
    """Opens handles on one log, and damages it as a bad disk would."""

    def open(self) -> EventLog:
        """A handle of its own on the log."""

    def process(self, *arguments: str) -> list[str]:
        """The command line of a process that appends to this log; see `tests.contracts.appender`."""

    def fields(self, position: int) -> dict[str, Any]:
        """What is stored of an event, by field. Any: as the store gives it."""

    def store(self, position: int, field: str, value: Any) -> bool:
        """Put another value into a field, behind the log's back; False where the store itself refuses it."""

    def delete(self, position: int) -> None:
        """Take an event away, behind the log's back."""

    def close(self) -> None:
        """Close every handle."""


class EmbeddedLog:
    """The log in one SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disco.sqlite"
        self._opened: list[tuple[SqliteLog, Database]] = []

    def open(self) -> EventLog:
        """See `LogAdapter.open`."""
        database = Database(self.path)
        self._opened.append((SqliteLog(database), database))
        return self._opened[-1][0]

    def process(self, *arguments: str) -> list[str]:
        """See `LogAdapter.process`."""
        return [sys.executable, "-m", "tests.contracts.appender", str(self.path), *arguments]

    def fields(self, position: int) -> dict[str, Any]:
        """See `LogAdapter.fields`."""
        with self._opened[0][1].read() as connection:
            found = connection.execute("SELECT * FROM events WHERE position = ?", (position,))
            names = [column[0] for column in found.get_description()]
            return dict(zip(names, next(found), strict=True))

    def store(self, position: int, field: str, value: Any) -> bool:
        """See `LogAdapter.store`."""
        try:
            with self._opened[0][1].write() as connection:
                connection.execute(f"UPDATE events SET {field} = ? WHERE position = ?", (value, position))  # noqa: S608
        except apsw.Error:
            return False
        return True

    def delete(self, position: int) -> None:
        """See `LogAdapter.delete`."""
        with self._opened[0][1].write() as connection:
            connection.execute("DELETE FROM events WHERE position = ?", (position,))

    def close(self) -> None:
        """See `LogAdapter.close`."""
        for log, database in self._opened:
            log.close()
            database.close()


def server_log(folder: Path) -> LogAdapter:
    """The log over real servers; skips where there are none."""
    from tests.contracts.server_log import ServerLogAdapter

    return ServerLogAdapter(folder)


LOGS: dict[str, Callable[[Path], LogAdapter]] = {"embedded": EmbeddedLog, "server": server_log}


class BlobsAdapter(Protocol):
    """Opens handles on one blob store."""

    def open(self) -> Blobs:
        """A handle of its own on the store."""

    def leftovers(self) -> int:
        """How many files, or parts, lie there that are no blobs."""

    def close(self) -> None:
        """Take away what was made."""


class FolderAdapter:
    """Blobs in a folder."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "blobs"

    def open(self) -> Blobs:
        """See `BlobsAdapter.open`."""
        return FolderBlobs(self._root)

    def leftovers(self) -> int:
        """See `BlobsAdapter.leftovers`."""
        return sum(path.is_file() and len(path.name) != 64 for path in self._root.rglob("*"))

    def close(self) -> None:
        """See `BlobsAdapter.close`: the folder is the test's."""


def s3_blobs(server: str, folder: Path) -> BlobsAdapter:
    """Blobs in a bucket of a real server; skips where there is none."""
    from tests.contracts.server_blobs import S3

    return S3[server](folder)


BLOBS: dict[str, Callable[[Path], BlobsAdapter]] = {
    "embedded": FolderAdapter,
    "s3": partial(s3_blobs, "s3"),
    "versity": partial(s3_blobs, "versity"),
}
