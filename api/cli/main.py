"""The command line's entry."""

from __future__ import annotations

import sys

from api.cli import (  # noqa: F401  # each declares its verbs
    changing,
    demo,
    generating,
    hearing,
    importing,
    lineage,
    operating,
    reading,
    reprocessing,
    serving,
    sweeping,
    transfer,
    watching,
    working,
)
from api.cli.failures import INTERRUPTED, tell
from api.cli.verbs import app
from domain.errors import Malformed


def main() -> None:
    """Run a verb and exit with its status."""
    if "--json" not in sys.argv:
        app(prog_name="disco")
        return
    try:
        status = app(prog_name="disco", standalone_mode=False)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # a wrong use of the command line, which a machine is told like any other error
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        tell(Malformed(message(), field="arguments"), as_json=True)
        sys.exit(Malformed.exit_status)
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
