"""Errors as the command line tells them: what is wrong and what to do, and an exit status by code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from domain.errors import DiscoError

if TYPE_CHECKING:
    from api.cli.shell import Options

INTERRUPTED = 130
BROKEN_PIPE = 141


@contextmanager
def handled(options: Options) -> Iterator[None]:
    """Turn whatever a verb raises into a message on standard error and an exit status."""
    try:
        yield
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # whoever read has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE) from None
    except DiscoError as error:
        if options.debug:
            raise
        tell(error, as_json=options.json)
        raise SystemExit(error.exit_status) from None
    except Exception as error:  # ours to mend: the log keeps the traceback, the user gets its place
        if options.debug:
            raise
        tell(_unexpected(error, options), as_json=options.json)
        raise SystemExit(DiscoError.exit_status) from None


def tell(error: DiscoError, *, as_json: bool) -> None:
    """Print an error on standard error."""
    if as_json:
        from api.cli.shell import plain

        details = {key: _told(plain(value)) for key, value in error.details.items()}
        told = {"code": error.code, "message": error.message, "retryable": error.retryable, "details": details}
        print(json.dumps({"error": told}, ensure_ascii=False), file=sys.stderr)
    else:
        print(f"disco: {error.message} [{error.code}]", file=sys.stderr)


def _told(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)


def _unexpected(error: Exception, options: Options) -> DiscoError:
    what = f"something went wrong inside: {type(error).__name__}: {error}"
    try:
        from api.cli.logs import write_traceback

        path = write_traceback(error, options.home)
    except Exception as other:  # where even the log cannot be written, the first error still is told
        return DiscoError(f"{what}; no log could be written ({other}), run it again with --debug")
    return DiscoError(f"{what}; the traceback is in {path}, and --debug shows it", log=str(path))


def status_of(code: str) -> int:
    """The exit status of an error code."""
    kinds = [DiscoError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    return next((kind.exit_status for kind in kinds if kind.code == code), DiscoError.exit_status)
