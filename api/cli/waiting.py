"""Waiting for a job, whichever process does its work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from api.cli.progress import bar
from domain.errors import NotFound

if TYPE_CHECKING:
    from api.cli.shell import Shell
    from infra.disco import Disco

POLL_S = 0.05
VIEWS_S = 600.0


def wait_for(shell: Shell, service: Disco, job: str, what: str) -> int:
    """Return when nothing more will come of a job and the views know all of it; returns how much of it failed."""
    with bar(shell, what) as progress:
        while True:
            head = service.log.head()
            service.views.wait(head, VIEWS_S)
            left, done, failed = standing(service, job)
            progress(done, done + left)
            if left == 0 and service.log.head() == head:
                return failed
            time.sleep(POLL_S)


def standing(service: Disco, job: str) -> tuple[int, int, int]:
    """How many pieces of a job are still to come, how many are done, how many failed."""
    try:
        found = service.views.jobs.get(job)
    except NotFound:  # nothing was written: all was known already
        return 0, 0, 0
    return service.pending(job), sum(found["answered"].values()), found["failed"]
