"""Progress of long work: a bar on a terminal, a quiet line now and then elsewhere, nothing with --json."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.cli.shell import Shell

Tell = Callable[[int, int], None]
"""(done, total): how far it is; may be called as often as one likes."""
QUIET_S = 5.0


@contextmanager
def bar(shell: Shell, what: str) -> Iterator[Tell]:
    """Show how far a piece of work is, on standard error."""
    if shell.console(errors=True).is_terminal or shell.options.progress:
        with _drawn(shell, what) as tell:
            yield tell
    elif shell.json:
        yield lambda done, total: None
    else:
        yield _lines(shell, what)


@contextmanager
def _drawn(shell: Shell, what: str) -> Iterator[Tell]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=shell.console(errors=True), transient=True) as progress:
        task = progress.add_task(what, total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield tell


def _lines(shell: Shell, what: str) -> Tell:
    told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= QUIET_S:
            told = time.monotonic()
            shell.note(f"{what}: {done:,} of {total:,}")

    return tell
