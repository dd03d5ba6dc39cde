"""What suffers if a resource goes: read off a walk downstream from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.ids import ResourceId
from domain.views import Edge, Kind, Lineage, Node, Relation


class Effect(StrEnum):
    """STALE: found in what goes, true no more. MUST_GO: made from it."""

    STALE = "stale"
    MUST_GO = "must_go"


@dataclass(slots=True)
class Impact:
    """A node, what becomes of it, and through which relation to which upstream node."""

    node: Node
    effect: Effect
    relation: Relation
    through: ResourceId


def effect_of(kind: str, relation: str) -> Effect:
    """A finding, a document and a newer version of what goes are out of date; whatever was made from it must go."""
    stale = kind in (Kind.ANALYSIS, Kind.EXPORT) or relation == Relation.VERSION_OF
    return Effect.STALE if stale else Effect.MUST_GO


def impacts(walk: Lineage, root: str) -> list[Impact]:
    """What a walk down means for every node but its root; the strongest of several ways counts."""
    depths = {node.id: node.depth for node in walk.nodes}
    ways: dict[ResourceId, list[Edge]] = {}
    for edge in walk.edges:
        ways.setdefault(edge.downstream, []).append(edge)
    found = []
    for node in walk.nodes:
        if node.id == root or node.id not in ways:
            continue
        edges = sorted(ways[node.id], key=lambda edge: (depths.get(edge.upstream, -1), edge.position))
        effects = [effect_of(node.kind, edge.relation) for edge in edges]
        at = effects.index(Effect.MUST_GO) if Effect.MUST_GO in effects else 0
        found.append(Impact(node, effects[at], Relation(edges[at].relation), edges[at].upstream))
    return found
