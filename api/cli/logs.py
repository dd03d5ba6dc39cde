"""Where the command line's log goes: a file in the data folder, so that answers stay clean."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path

NAME = "disco.log"
MOST_BYTES = 8 << 20


def log_to_file(home: Path) -> None:
    """Send what is logged to the data folder's log file, a JSON object a line; it begins anew when it gets large.

    Warnings of libraries go there too: what they mean for the answer is told with the answer.
    """
    import structlog

    path = _place(home)
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(_Line())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(path.open("a", encoding="utf-8")),
        cache_logger_on_first_use=False,
    )


class _Line(logging.Formatter):
    """What a library logs, in the form of what we log."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        told = {"event": record.getMessage(), "logger": record.name, "level": record.levelname.lower()}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        moment = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        return json.dumps({**told, "timestamp": moment}, ensure_ascii=False)


def write_traceback(error: BaseException, home: Path | None) -> Path:
    """Write an unexpected error to the log file and return its place."""
    from infra.settings import Settings

    path = _place(home.expanduser().absolute() if home else Settings().home)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{datetime.now(UTC).isoformat()} unexpected error\n")
        file.write("".join(traceback.format_exception(error)))
    return path


def _place(home: Path) -> Path:
    from domain.errors import Unavailable

    try:
        home.mkdir(parents=True, exist_ok=True)
        path = home / NAME
        if path.exists() and path.stat().st_size > MOST_BYTES:
            path.replace(path.with_suffix(".log.1"))
        path.touch()
    except OSError as error:
        raise Unavailable(f"the data folder {home} cannot be written: {error}; set DISCO_HOME or --home") from error
    return path
