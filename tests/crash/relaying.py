"""A process that relays for an installation until it is killed: `PREFIX`."""

from __future__ import annotations

import sys
import threading

from infra.server.relay import Relay
from infra.server.topics import events_topic
from tests.contracts.server_log import PARTITIONS, postgres_of, settings_for


def main() -> None:
    """Relay for ever."""
    settings = settings_for(sys.argv[1])
    assert settings.kafka is not None
    Relay(postgres_of(settings), settings.kafka, events_topic(settings), PARTITIONS).start()
    print("up", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
