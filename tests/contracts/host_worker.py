"""A worker in a process of its own: `python -m tests.contracts.host_worker KIND BROKERS TOPIC GROUP FILE SLOW_S`.

It writes a line of JSON for each page, at its beginning and at its end; its first page takes SLOW_S.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence

from infra.server.hosts import make_host
from infra.server.records import Record
from tests.contracts.hosting import QUICK, Notes


def main() -> None:
    """Work until killed."""
    kind, brokers, topic, group, file, slow_s = sys.argv[1:]
    told = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(partition: int, records: Sequence[Record], what: str) -> None:
        line = {"what": what, "partition": partition, "offsets": [record.offset for record in records]}
        os.write(told, json.dumps(line).encode() + b"\n")

    def before(partition: int, records: Sequence[Record]) -> None:
        tell(partition, records, "begun")
        if records[0].offset == 0:
            time.sleep(float(slow_s))
        tell(partition, records, "taken")

    host = make_host("plain" if kind == "plain" else "faust", Notes(group, before=before), topic, brokers, timing=QUICK)
    host.start()
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
