"""A process that appends to a log one event at a time and prints the position of each: `LOG PROJECT COUNT`.

LOG is the path of a SQLite file, or the prefix of an installation on the servers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from domain import ids
from domain.ports import EventLog
from infra.embedded.database import Database
from infra.embedded.log import SqliteLog
from tests.builders import numbered


def main() -> None:
    """Append, saying so after each."""
    project, count = ids.project_id(sys.argv[2]), int(sys.argv[3])
    log = _log(sys.argv[1])
    for event in numbered(count, project=project):
        print(log.append([event]).positions[0], flush=True)


def _log(name: str) -> EventLog:
    if "/" in name:
        return SqliteLog(Database(Path(name)))
    from tests.contracts.server_log import Handle, settings_for

    return Handle(settings_for(name)).log


if __name__ == "__main__":
    main()
