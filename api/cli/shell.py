"""What every verb is given: its options, the service when it asks for it, and where answers go."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.access import LOCAL, Requirement, check
from domain.errors import Malformed

if TYPE_CHECKING:
    from rich.console import Console

    from infra.base import BaseDisco
    from infra.settings import Settings

Json = Any  # Any: JSON
PIPE_WIDTH = 250
SETTLE_S = 0.3


@dataclass(frozen=True, slots=True)
class Options:
    """What can be said with every verb."""

    home: Path | None = None
    json: bool = False
    progress: bool = False
    debug: bool = False
    profile: str | None = None

    def over(self, other: Options) -> Options:
        """These options, and those of `other` where nothing is said here."""
        return Options(
            self.home or other.home,
            self.json or other.json,
            self.progress or other.progress,
            self.debug or other.debug,
            self.profile or other.profile,
        )


def plain(value: Json) -> Json:
    """The value as JSON knows it."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


@contextmanager
def importing() -> Iterator[None]:
    """For large imports: nothing that they make is garbage, so nobody need look for it; a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Shell:
    """One call of a verb."""

    def __init__(self, options: Options, requirement: Requirement) -> None:
        self.options = options
        self.requirement = requirement
        self.actor = LOCAL
        self._consoles: dict[bool, Console] = {}

    # Answers

    @property
    def json(self) -> bool:
        """Whether the answer is for a machine."""
        return self.options.json

    def console(self, *, errors: bool = False) -> Console:
        """Where answers (or, with `errors`, everything else) are printed for people."""
        from rich.console import Console

        if errors not in self._consoles:
            stream = sys.stderr if errors else sys.stdout
            width = None if stream.isatty() else PIPE_WIDTH
            self._consoles[errors] = Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())
        return self._consoles[errors]

    def answer(self, document: Json, show: Callable[[Console], None]) -> None:
        """Give one answer: a JSON document, or what `show` prints."""
        if self.json:
            self.line(document, indent=2)
        else:
            show(self.console())

    def line(self, document: Json, *, indent: int | None = None) -> None:
        """Print one JSON document; without an indent, one line of a stream, at once."""
        sys.stdout.write(json.dumps(plain(document), ensure_ascii=False, indent=indent) + "\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Tell people something beside the answer, on standard error; machines are told nothing."""
        if not self.json:
            self.console(errors=True).print(text, markup=False, style="dim")

    # The service

    @property
    def settings(self) -> Settings:
        """The settings, with the folder that `--home` and the profile that `--profile` names. Raises: Malformed."""
        from pydantic import ValidationError

        from infra.settings import Settings

        home = self.options.home
        said: dict[str, Any] = {  # Any: what a setting takes
            "home": home.expanduser().absolute() if home else None,
            "profile": self.options.profile,
        }
        try:
            return Settings(**{name: value for name, value in said.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            raise Malformed(f"the setting {name} cannot be {first['input']!r}: {first['msg']}", field=name) from error

    @contextmanager
    def service(self, *, run: bool = False, fresh: bool = True) -> Iterator[BaseDisco]:
        """Open the data folder, and close it behind.

        run: process and project here, unless another process does; fresh: have every view up to the log's head first.
        """
        with importing():
            from api.cli.logs import log_to_file
            from infra.opening import open_service

        settings = self.settings
        log_to_file(settings.home)
        with open_service(settings, run=run) as service:
            if self.requirement.of is None:
                check(service.access, self.actor, self.requirement, {})
            if fresh:
                self.catch_up(service)
            try:
                yield service
            except KeyboardInterrupt:
                if run:
                    self.note(
                        "stopping when what is under way has ended; Ctrl+C again stops at once, and loses nothing"
                    )
                raise

    def catch_up(self, service: BaseDisco) -> None:
        """Bring the views to the log's head: a running service does it in a moment, else it is done here."""
        from api.cli.progress import bar
        from domain.errors import Unavailable

        head = service.log.head()
        if service.views.position() >= head:
            return
        try:
            service.views.wait(head, SETTLE_S)
        except Unavailable:  # nobody else does it
            with bar(self, "Bringing the views up to date") as progress:
                service.catch_up(on_progress=progress)

    def allowed(self, service: BaseDisco, id: str) -> None:
        """Return if the actor may do this verb to a resource. Raises: Forbidden."""
        if self.requirement.of is not None:
            check(service.access, self.actor, self.requirement, {self.requirement.of: id})
