"""A file under the name that people know it by, and the errors that tell what is wrong with it."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Forbidden, LimitExceeded, Malformed, NotFound, Unsupported


@dataclass(frozen=True, slots=True)
class Source:
    """A regular file of at least one byte; `name` is what messages call it."""

    path: Path
    name: str
    size_bytes: int

    @classmethod
    def at(cls, path: Path, name: str | None = None) -> Source:
        """Look a file up.

        Raises: NotFound; Forbidden, where it may not be read; Malformed, where it is empty or no regular file.
        """
        shown = printable(name if name is not None else path.name)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"{shown}: there is no such file; check its path", file=shown) from None
        except PermissionError:
            raise _forbidden(shown) from None
        except (OSError, ValueError) as error:
            raise NotFound(f"{shown}: this path cannot be looked up ({error}); check it", file=shown) from None
        if not stat.S_ISREG(status.st_mode):
            raise Malformed(f"{shown}: is a folder or device, not a file; give a file", file=shown)
        if status.st_size == 0:
            raise Malformed(f"{shown}: is empty (0 bytes); copy or export it again", file=shown)
        return cls(path, shown, status.st_size)

    def head(self, size: int, at: int = 0) -> bytes:
        """Read up to `size` bytes from offset `at`.

        Raises: Forbidden, where it may not be read.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(at)
                return file.read(size)
        except PermissionError:
            raise _forbidden(self.name) from None

    def malformed(self, what: str, **details: object) -> Malformed:
        """The error that says what is wrong with this file."""
        return Malformed(f"{self.name}: {what}", file=self.name, **details)

    def truncated(self, what: str, **details: object) -> Malformed:
        """The error that says that the end of this file is missing."""
        return self.malformed(f"is truncated: {what}; copy, download or export it again", **details)

    def limit(self, what: str, **details: object) -> LimitExceeded:
        """The error that says that this file is too much."""
        return LimitExceeded(f"{self.name}: {what}", file=self.name, **details)

    def unsupported(self, what: str, **details: object) -> Unsupported:
        """The error that says that this installation cannot read this file."""
        return Unsupported(f"{self.name}: {what}", file=self.name, **details)


def printable(name: str) -> str:
    """A file name that can be shown and sent anywhere: no control characters, no undecodable bytes."""
    return name if name.isprintable() else ascii(name)[1:-1]


def _forbidden(shown: str) -> Forbidden:
    return Forbidden(f"{shown}: may not be read by this user; change its permissions", file=shown)
