"""The service of the profile that the settings name, and the way of an archive into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from domain.errors import Conflict, Malformed
from domain.ports import Blobs, EventLog
from infra.base import BaseDisco
from infra.settings import Settings

if TYPE_CHECKING:
    from infra.server.recovery import Rebuilt

PATIENCE_S = 60.0


def open_service(settings: Settings | None = None, *, run: bool = True) -> BaseDisco:
    """Open the data folder, or the installation, that the settings name.

    run: whether this process may process and project, or relay. Raises: Malformed, Unavailable.
    """
    settings = settings or Settings()
    if settings.profile == "server":
        from infra.server.disco import ServerDisco  # its clients take a second to import

        return ServerDisco(settings, run=run)
    from infra.disco import Disco

    return Disco(settings, run=run)


def rebuild_ledger(
    settings: Settings, *, give_up_lost: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> Rebuilt:
    """Make the ledger in PostgreSQL anew from Kafka. Raises: Malformed, Corrupted.

    give_up_lost: go on without what Kafka has lost and the ledger has not whole.
    """
    if settings.profile != "server":
        raise Malformed("only the server profile has a ledger; say --profile server", field="profile")
    from infra.server.recovery import rebuild

    return rebuild(settings, give_up_lost=give_up_lost, on_progress=on_progress)


@contextmanager
def open_to_archive(settings: Settings) -> Iterator[tuple[EventLog, Blobs]]:
    """Log and blobs while nobody processes, since the answers to an archive's events are in it.

    Raises: Conflict, where somebody does.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with _servers(settings) if settings.profile == "server" else _folder(settings) as opened:
        yield opened


@contextmanager
def _folder(settings: Settings) -> Iterator[tuple[EventLog, Blobs]]:
    from infra.embedded.blobs import FolderBlobs
    from infra.embedded.database import Database
    from infra.embedded.lease import Lease
    from infra.embedded.log import SqliteLog

    lease = Lease(settings.database.with_suffix(".lease"))
    if not lease.acquire():
        raise Conflict(f"a service runs on {settings.home}; stop it, then import the log")
    database = Database(settings.database)
    try:
        log = SqliteLog(database)
        yield log, FolderBlobs(settings.blobs)
        log.close()
    finally:
        database.close()
        lease.release()


@contextmanager
def _servers(settings: Settings) -> Iterator[tuple[EventLog, Blobs]]:
    from infra.server.installation import Installation

    installation = Installation(settings)
    try:
        with installation.without_workers():
            installation.relay.start()
            installation.log.patience_s = PATIENCE_S  # an archive is larger than the outbox
            yield installation.log, installation.blobs
    finally:
        installation.close()
