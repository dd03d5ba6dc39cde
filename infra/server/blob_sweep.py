"""The sweep of a bucket: blobs that no event names go, in two steps that a write or a read in between undoes.

First an old blob that nothing names is moved to `trash/`; a later sweep removes it for good, if it was in the trash for
the grace as well and still nothing names it. Whoever asks for a blob in the trash brings it back, and so does a sweep
that finds it named. A writer that finds its blob there already writes it anew unless it is young (`YOUNG`), so what an
event is about to name is never old. The store is listed before the log is read: an event that comes between is seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.errors import NotFound
from domain.ports import EventLog
from infra.server.blobs import S3Blobs, name_of, trash_of

GRACE = timedelta(days=7)
ABANDONED = timedelta(days=1)
PAGE = 1_000
_SHA256 = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(slots=True)
class Swept:
    """What a sweep did, or would do.

    condemned: moved to the trash now; removed: gone for good; brought_back: named after all; uploads: that were
    abandoned by their clients, whole ones and those in parts.
    """

    condemned: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    brought_back: list[str] = field(default_factory=list)
    kept: int = 0
    uploads: int = 0
    freed_bytes: int = 0


def named_blobs(log: EventLog) -> Iterator[str]:
    """Every sha256 that the log names, with repeats.

    Whatever looks like one in an event's payload counts: to keep a blob too many harms nobody.
    """
    position = 0
    while page := log.read(position, limit=PAGE):
        for event in page:
            yield from (found.decode() for found in _SHA256.findall(event.raw))
        position = page[-1].position


def sweep(
    blobs: S3Blobs, named: Iterable[str], *, now: datetime, grace: timedelta = GRACE, dry_run: bool = False
) -> Swept:
    """Take away blobs that are older than the grace and not named, and what uploads left behind.

    named: read only once the store was listed, so give what reads the log as it goes (`named_blobs`).
    Memory: a hundred bytes or so for every blob that is older than the grace. Raises: Unavailable.
    """
    swept, before = Swept(), now - grace
    old = {bytes.fromhex(sha256): found.size_bytes for sha256, found in blobs.listed() if found.modified < before}
    trash = {found.name.rpartition("/")[2]: found for found in blobs.bucket.list("trash/")}
    swept.kept = len(old)
    wanted = set()
    for sha256 in named:
        old.pop(bytes.fromhex(sha256), None)
        if sha256 in trash:
            wanted.add(sha256)
    swept.kept -= len(old)
    swept.brought_back = sorted(wanted)
    swept.removed = sorted(name for name in trash.keys() - wanted if trash[name].modified < before)
    swept.condemned = [key.hex() for key in sorted(old)]
    swept.freed_bytes = sum(trash[name].size_bytes for name in swept.removed)
    if not dry_run:
        _carry_out(blobs, swept, before)
    swept.uploads = _uploads(blobs, now - ABANDONED, dry_run=dry_run)
    return swept


def _carry_out(blobs: S3Blobs, swept: Swept, before: datetime) -> None:
    for sha256 in swept.brought_back:
        if blobs.has(sha256):  # brings it back
            blobs.bucket.remove(trash_of(sha256))
    for sha256 in swept.removed:
        blobs.bucket.remove(trash_of(sha256))
    for sha256 in swept.condemned:
        found = blobs.bucket.find(name_of(sha256))
        if found is not None and found.modified < before:  # nobody wrote it anew meanwhile
            with suppress(NotFound):  # somebody else swept it
                blobs.bucket.move(name_of(sha256), trash_of(sha256))


def _uploads(blobs: S3Blobs, before: datetime, *, dry_run: bool) -> int:
    """Remove uploads that nobody came to have accepted, or that broke off; return how many."""
    left = [found.name for found in blobs.bucket.list("incoming/") if found.modified < before]
    for name in left if not dry_run else ():
        blobs.bucket.remove(name)
    return len(left) + blobs.bucket.abort_uploads(before, dry_run=dry_run)
