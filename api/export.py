"""Lineage as a document in a standard's form: what it is gathered from, and its bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from api import provenance
from api.provenance import Material
from domain.errors import LimitExceeded
from domain.ids import ResourceId
from domain.service import Service
from domain.views import NOW, AsOf, Direction, Edge, Node

PAGE = 1000
MOST_NODES = 20_000
MOST_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Format:
    """A standard: its name in events and file names, and how it is written."""

    name: str
    media_type: str
    write: Callable[[Material], Any]  # Any: JSON


FORMATS: Mapping[str, Format] = {
    "prov": Format("prov-json", "application/json", provenance.to_prov),
    "openlineage": Format("openlineage", "application/json", provenance.to_openlineage),
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A document, and the position of the log it was written at."""

    body: bytes
    position: int


def _settled(service: Service, moment: AsOf) -> tuple[int, AsOf]:
    """The position that a moment needs the views to have come to, and the moment, now pinned to its position."""
    head = service.log.head()
    if moment == NOW:
        return head, AsOf(position=head)
    return head if moment.position is None else min(moment.position, head), moment


def gather(service: Service, id: ResourceId, *, direction: Direction = Direction.UP, moment: AsOf = NOW) -> Material:
    """All of a lineage, with the documents of its nodes and the events behind its nodes and edges.

    Waits until the views have come to the moment. Raises: NotFound; LimitExceeded, for one too large to be written in
    one piece: a document never leaves something out silently; Unavailable, where the views do not come.
    """
    position, moment = _settled(service, moment)
    service.views.wait(position)
    nodes: dict[str, Node] = {}
    edges: dict[Edge, None] = {}
    after: int | None = 0
    while after is not None:
        page = service.views.graph.lineage(id, direction, depth=MOST_STEPS, as_of=moment, first=PAGE, after=after)
        nodes.update((node.id, node) for node in page.nodes)
        edges.update(dict.fromkeys(page.edges))
        if len(nodes) > MOST_NODES:
            raise LimitExceeded(f"the lineage has more than {MOST_NODES:,} nodes", limit=MOST_NODES)
        after = page.next_after
        if after is None and page.partial:
            raise LimitExceeded(
                f"the lineage goes on behind a limit ({page.reason}): {MOST_STEPS:,} steps are written in one piece",
                limit=MOST_STEPS, reason=page.reason,
            )  # fmt: skip
    positions = {node.position for node in nodes.values()} | {edge.position for edge in edges}
    return Material(
        root=id,
        nodes=list(nodes.values()),
        edges=list(edges),
        documents=service.views.documents.many(list(nodes), moment),
        events=service.log.at(sorted(positions)),
    )


def exported(service: Service, id: ResourceId, format: str, *, moment: AsOf = NOW) -> Exported:
    """The lineage of a resource, upwards, in one of `FORMATS`. Raises: see `gather`."""
    position, moment = _settled(service, moment)
    material = gather(service, id, moment=moment)
    document = FORMATS[format].write(material)
    return Exported(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS), position)
