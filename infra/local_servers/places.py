"""Where what is installed and what is running lies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.settings import LocalServersSettings

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOCKS = HERE / "locks"


@dataclass(frozen=True)
class Places:
    """`cache` outlives a checkout and is shared by all; `run` holds one set of servers: data, logs, ports, secrets."""

    cache: Path
    run: Path

    @classmethod
    def of(cls, settings: LocalServersSettings) -> Places:
        """As set from outside; a relative `run` lies in the checkout."""
        return cls(settings.cache.expanduser().absolute(), (ROOT / settings.run.expanduser()).absolute())

    def installed(self, name: str, version: str) -> Path:
        """The folder of one version of a server's programs."""
        return self.cache / f"{name}-{version}"

    @property
    def addresses(self) -> Path:
        """The file that names every server's address, as settings of ours."""
        return self.run / "addresses.env"


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, so that two do not install or start the same thing at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def write_private(file: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner alone."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as writer:
        writer.write(text)
    part.replace(file)
