"""Why figures that miss their target stand where they do, and what was tried: told on the page while they miss it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.figures import Result

RECORDER = (
    "the library's recorder is given rows that are ready; ours begins at event objects. With the library's mapper "
    "counted, ours is 2.3 to 2.8 times as fast (`append.vs_eventsourcing.mapped`), and a bare insert of our rows "
    "alone, with their indexes, is 1.0 to 1.25 times its rate"
)
WHY: Mapping[str, str] = {
    "append.batch1000": (
        "on an insert of 8 to 9 µs an event come 1.8 µs of JSON, 1.2 µs of checksum and some 3 µs of tuples and keys. "
        "Tried: the indexes laid out anew, orjson in place of pydantic, ids and checksum made ready once, the "
        "numbering remembered between groups"
    ),
    "append.concurrent64": (
        "64 threads hand one interpreter lock to each other. Tried: a leader that commits for its followers, a lock an "
        "event, statements of many rows, gathering for up to 0.5 ms, the switch interval. Where fsync dominates, "
        "committing in groups is 12 times as fast as a commit an event"
    ),
    "append.vs_eventsourcing.1": RECORDER,
    "append.vs_eventsourcing.100": RECORDER,
    "append.vs_eventsourcing.1000": RECORDER,
    "lineage.depth5_vs_sql": (
        "the walk takes 0.8 ms and GraphQL 0.8 ms, in the middle, against a query tuned by hand of 0.2 to 0.3 ms. "
        "Tried: a compiled path for plain queries, which took it from 5.7 to 1.3 ms; a walk that keeps keys and "
        "reads whole nodes for the page alone; edges as tuples"
    ),
    "lineage.ancestry2000": (
        "the median is well below the target, and this p99 above it in each run on this machine of two shared cores; "
        "the bare query's p99 in the same run is two to three times as long"
    ),
}
NOT_KNOWN = "not looked into yet"


def reasons(results: Sequence[Result]) -> str:
    """A list of the figures that missed, those of one reason together; nothing where all were met."""
    found: dict[str, list[str]] = {}
    for result in results:
        if result.met is False:
            found.setdefault(WHY.get(result.name, NOT_KNOWN), []).append(f"`{result.name}`")
    return "".join(f"- {', '.join(names)}: {why}.\n" for why, names in found.items())
