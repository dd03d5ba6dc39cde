"""Progress of long work: a bar on a terminal, a quiet line now and then elsewhere, nothing with --json."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from domain.pace import Pace

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from api.cli.shell import Shell

QUIET_S = 5.0


class Tell(Protocol):
    """How far it is; may be called as often as one likes."""

    def __call__(self, done: float, total: float, eta_s: float | None = None) -> None:
        """So much of so much is done; `eta_s` where whoever does the work knows what is left."""


class Left:
    """What is left in seconds: as told by who does the work, else by the pace seen here; it runs down meanwhile."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._pace = Pace()
        self._ends_s: float | None = None

    def told(self, done: float, total: float, eta_s: float | None) -> None:
        """See `Tell`."""
        now_s = self._clock_s()
        self._pace.seen(done, now_s)
        left_s = self._pace.left_s(total - done) if eta_s is None else eta_s
        self._ends_s = None if left_s is None else now_s + left_s

    def left_s(self) -> float | None:
        """Seconds from now on, None where nothing was measured yet."""
        return None if self._ends_s is None else max(0.0, self._ends_s - self._clock_s())

    def __str__(self) -> str:
        left_s = self.left_s()
        if left_s is None:
            return "-:--:--"
        minutes, seconds = divmod(round(left_s), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


@contextmanager
def bar(shell: Shell, what: str) -> Iterator[Tell]:
    """Show how far a piece of work is, on standard error."""
    if shell.console(errors=True).is_terminal or shell.options.progress:
        with _drawn(shell, what) as tell:
            yield tell
    elif shell.json:
        yield lambda done, total, eta_s=None: None
    else:
        yield _lines(shell, what)


@contextmanager
def _drawn(shell: Shell, what: str) -> Iterator[Tell]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    left = Left()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _column(left))
    with Progress(*columns, console=shell.console(errors=True), transient=True) as progress:
        task = progress.add_task(what, total=None)

        def tell(done: float, total: float, eta_s: float | None = None) -> None:
            left.told(done, total, eta_s)
            progress.update(task, completed=done, total=total)

        yield tell


def _column(left: Left) -> ProgressColumn:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class LeftColumn(ProgressColumn):
        """What is left, as h:mm:ss."""

        def render(self, task: Task) -> Text:
            """See `ProgressColumn.render`."""
            return Text(str(left), style="progress.remaining")

    return LeftColumn()


def _lines(shell: Shell, what: str) -> Tell:
    told, left = time.monotonic(), Left()

    def tell(done: float, total: float, eta_s: float | None = None) -> None:
        nonlocal told
        left.told(done, total, eta_s)
        if time.monotonic() - told >= QUIET_S:
            told = time.monotonic()
            shell.note(f"{what}: {int(done):,} of {int(total):,}, {left} left")

    return tell
