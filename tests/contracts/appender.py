"""A process that appends to a log one event at a time and prints the position of each: `PATH PROJECT COUNT`."""

from __future__ import annotations

import sys
from pathlib import Path

from domain import ids
from infra.embedded.database import Database
from infra.embedded.log import SqliteLog
from tests.builders import numbered


def main() -> None:
    """Append, saying so after each."""
    path, project, count = Path(sys.argv[1]), ids.project_id(sys.argv[2]), int(sys.argv[3])
    log = SqliteLog(Database(path))
    for event in numbered(count, project=project):
        print(log.append([event]).positions[0], flush=True)


if __name__ == "__main__":
    main()
