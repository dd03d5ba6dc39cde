"""Writes the golden log of a release, once: `python -m tests.events.make_golden 0.1.0`. A golden log never changes."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from domain import ids
from events.envelope import to_cloudevent
from tests.builders import BEGINNING_US, as_recorded, proposed
from tests.payloads import one_of_each

GOLDEN = Path(__file__).parent / "golden"


def lines() -> list[bytes]:
    """One event of every type, each with every part of the envelope, as CloudEvents in JSON."""
    events = [
        proposed(
            data,
            id=ids.derived("golden", number),
            time_us=BEGINNING_US + number,
            source="/processors/golden/1" if number % 2 else "/commands",
            correlation=ids.derived("golden job"),
            causation=ids.derived("golden", number - 1) if number else None,
        )
        for number, data in enumerate(one_of_each())
    ]
    return [orjson.dumps(to_cloudevent(event)) for event in as_recorded(events)]


def main() -> None:
    """Write the log of the release that is named, unless it is there."""
    path = GOLDEN / f"{sys.argv[1]}.jsonl"
    if path.exists():
        sys.exit(f"{path} is there already, and a golden log never changes")
    path.write_bytes(b"\n".join(lines()) + b"\n")


if __name__ == "__main__":
    main()
