"""One tree of errors: each class has a stable code, and its message says what is wrong, where, and what to do."""

from __future__ import annotations

from typing import ClassVar


class DiscoError(Exception):
    """Root of every error that a user may see.

    `code` is stable; the class also carries its HTTP and exit status.
    `details` are facts for a program: positions, ids, limits.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the details across process borders."""
        return _rebuild, (type(self), self.message, self.details)


def _rebuild(kind: type[DiscoError], message: str, details: dict[str, object]) -> DiscoError:
    return kind(message, **details)


class Malformed(DiscoError):
    """Input that cannot be what it claims to be; trying again cannot help."""

    code = "malformed"
    http_status = 422
    exit_status = 2


class NotFound(DiscoError):
    """Nothing has this id, name or path."""

    code = "not_found"
    http_status = 404
    exit_status = 3


class Conflict(DiscoError):
    """Somebody else was first; `current` in the details is the version to decide from."""

    code = "conflict"
    http_status = 409
    exit_status = 4


class Forbidden(DiscoError):
    """The actor lacks the permission that is named in the details."""

    code = "forbidden"
    http_status = 403
    exit_status = 5


class Unavailable(DiscoError):
    """A store or helper program cannot answer now; nothing was changed.

    retry_s in the details: it is a store that comes back, perhaps so soon; work that needs it waits for it.
    """

    code = "unavailable"
    http_status = 503
    exit_status = 6
    retryable = True


class LimitExceeded(DiscoError):
    """A stated limit (size, time, memory, depth, cost) was passed."""

    code = "limit_exceeded"
    http_status = 413
    exit_status = 7


class Unsupported(DiscoError):
    """A format or feature that this installation lacks; the message says what would bring it."""

    code = "unsupported"
    http_status = 415
    exit_status = 8


class Unanalysable(DiscoError):
    """Sound of which nothing can be found out, such as none at all; trying again cannot help."""

    code = "unanalysable"
    http_status = 422
    exit_status = 11


class Corrupted(DiscoError):
    """Stored data does not match its checksum; it is named and never answered as data."""

    code = "corrupted"
    exit_status = 9


class NewerVersion(DiscoError):
    """An event or file was written by a newer release than this one."""

    code = "newer_version"
    exit_status = 10


class WorkerDied(DiscoError):
    """A worker process ended in the middle of a task."""

    code = "worker_died"
    retryable = True
