"""Why something is there: the event that made it, by what version of what, with which parameters and seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from api.cli.text import one_line, time_text

if TYPE_CHECKING:
    from domain.views import Node
    from events.envelope import Recorded

HASH = 12


def why(node: Node, event: Recorded | None) -> str:
    """The node's reason on one line."""
    told: list[str] = []
    if event is not None:
        told.append(event.type.removeprefix("disco."))
        told.append(_by(event))
        told.append(time_text(event.time_us))
    facts = node.facts
    if "seed" in facts:
        told.append(f"seed {facts['seed']}")
    parameters = facts.get("parameters")
    if isinstance(parameters, Mapping) and parameters:
        told.append(one_line(parameters))
    if "sha256" in facts:
        told.append(f"sha256 {facts['sha256'][:HASH]}")
    return " · ".join(filter(None, told))


def found(node: Node) -> str:
    """What an analysis found, in a few words."""
    if node.kind != "analysis":
        return ""
    return one_line({name: value for name, value in node.facts.items() if name not in ("source", "parameters")})


def _by(event: Recorded) -> str:
    if event.processor is None:
        return f"by {event.actor}"
    version = event.source.rpartition("/")[2].partition("#")[0]
    took = f" in {event.duration_ms / 1000:.2g} s" if event.duration_ms is not None else ""
    return f"by {event.processor} {version}{took}"
