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


def gather(service: Service, id: ResourceId, *, direction: Direction = Direction.UP, moment: AsOf = NOW) -> Material:
    """All of a lineage, with the documents of its nodes and the events behind its nodes and edges.

    Raises: NotFound; LimitExceeded, for one too large to be written in one piece.
    """
    moment = AsOf(position=service.log.head()) if moment == NOW else moment
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
    positions = {node.position for node in nodes.values()} | {edge.position for edge in edges}
    return Material(
        root=id,
        nodes=list(nodes.values()),
        edges=list(edges),
        documents=service.views.documents.many(list(nodes)),
        events=service.log.at(sorted(positions)),
    )


def exported(service: Service, id: ResourceId, format: str, *, moment: AsOf = NOW) -> Exported:
    """The lineage of a resource, upwards, in one of `FORMATS`. Raises: see `gather`."""
    position = service.log.head()
    material = gather(service, id, moment=AsOf(position=position) if moment == NOW else moment)
    document = FORMATS[format].write(material)
    return Exported(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS), position)
