"""The one SQLite file: its connections, its pragmas, and one writer at a time."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from domain.errors import Conflict, Corrupted, DiscoError, NewerVersion, Unavailable
from infra.embedded.checkpointing import Checkpointer

APPLICATION_ID = 0x44495343  # "DISC"
FORMAT = 1
BUSY_MS = 30_000
CLOSE_S = 10.0
READ_CACHE_KIB = 49_152
WRITE_CACHE_KIB = 98_304
CHECKPOINT_CACHE_KIB = 1_024


class Database:
    """Connections to one file: a reader a thread, one writer that the threads of this process take in turn.

    `synchronous=FULL` makes a commit of the log durable. `vfs` names an apsw VFS, for tests that cut the power.
    """

    def __init__(self, path: Path, *, vfs: str | None = None) -> None:
        self.path = path
        self._vfs = vfs
        self._local = threading.local()
        self._write_lock = threading.RLock()
        self._durable = True
        self._opened: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()  # a thread's goes with the thread
        self._writer = self._open(WRITE_CACHE_KIB)
        self._checkpointer = Checkpointer(lambda: self._open(CHECKPOINT_CACHE_KIB))
        self._checkpointer.watch(self._writer)
        self._check_format()

    def _open(self, cache_kib: int) -> apsw.Connection:
        with translated(self.path):
            connection = apsw.Connection(str(self.path), vfs=self._vfs)
            connection.set_busy_timeout(BUSY_MS)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "full")
            connection.pragma("cache_size", -cache_kib)
            connection.pragma("foreign_keys", False)
            load_vectors(connection)
        self._opened.add(connection)
        return connection

    def _check_format(self) -> None:
        with self.write() as connection:
            found = connection.pragma("user_version")
            owner = connection.pragma("application_id")
            if found == 0 and owner == 0:
                if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").get is not None:
                    raise Conflict(f"{self.path} is a database of another program; name another file")
                connection.pragma("application_id", APPLICATION_ID)
                connection.pragma("user_version", FORMAT)
            elif owner != APPLICATION_ID:
                raise Conflict(f"{self.path} is a database of another program; name another file")
            elif found > FORMAT:
                raise NewerVersion(f"{self.path} has format {found}, this release reads {FORMAT}; upgrade")

    def reader(self) -> apsw.Connection:
        """The calling thread's connection for reading."""
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open(READ_CACHE_KIB)
            connection.pragma("query_only", True)
        return connection

    @contextmanager
    def read(self) -> Iterator[apsw.Connection]:
        """One snapshot for several reads."""
        connection = self.reader()
        with translated(self.path):
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("END")

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[apsw.Connection]:
        """One transaction that writes; rolled back on any error.

        durable: False leaves the fsync to the next durable commit. The WAL is replayed in order, so a power cut takes
        only such commits, together with their checkpoint, and none that was acknowledged.
        """
        with self._write_lock, translated(self.path):
            connection = self._writer
            if durable is not self._durable:
                connection.pragma("synchronous", "full" if durable else "normal")
                self._durable = durable
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def data_version(self, connection: apsw.Connection) -> int:
        """A number that changes when another connection has committed."""
        return int(connection.pragma("data_version"))

    def watcher(self) -> apsw.Connection:
        """A connection of its own for a thread that watches the file."""
        return self._open(256)

    def close(self) -> None:
        """Close every connection."""
        self._checkpointer.close()
        with self._write_lock:
            for connection in list(self._opened):
                _close(connection)
            self._opened.clear()


def _close(connection: apsw.Connection) -> None:
    """Close a connection, once the read that another thread may be in the middle of is over."""
    end = time.monotonic() + CLOSE_S
    while True:
        try:
            connection.close()
        except apsw.ThreadingViolationError:
            if time.monotonic() > end:
                raise
            time.sleep(0.005)
        else:
            return


def load_vectors(connection: apsw.Connection) -> None:
    """Load sqlite-vec into a connection, and shut the door to other extensions behind it."""
    import sqlite_vec

    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.enable_load_extension(False)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except DiscoError:
        raise
    except apsw.FullError as error:
        raise Unavailable(f"the disk that holds {path} is full; free some space and try again") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise Unavailable(f"{path} is held by another process for over {BUSY_MS // 1000} s; try again") from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise Corrupted(f"{path} is damaged ({error}); restore a backup, or import an export of the log") from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError, apsw.IOError) as error:
        raise Unavailable(f"{path} cannot be read or written: {error}") from error
