"""Draws what a resource was made from as an SVG: `python docs/draw_lineage.py HOME ID FILE.svg`.

Time runs from top to bottom: each card stands below all that it was made from. An edge that passes over a row is led
through a free place in it, so that lines never cross a card.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

from domain.views import Direction, Lineage, Node
from events.envelope import Recorded
from infra.disco import Disco, open_disco
from infra.settings import Settings

CARD_W, CARD_H, LANE_W = 194, 64, 20
GAP_X, GAP_Y, MARGIN = 16, 46, 24
SWEEPS = 12
COLOURS = {
    "asset": "#1f7a4d",
    "analysis": "#1d6fa5",
    "generation": "#8a3ffc",
    "model_version": "#b25e09",
    "export": "#57606a",
    "project": "#57606a",
    "track": "#57606a",
}


@dataclass(slots=True)
class Place:
    """A card, or a lane that an edge takes through a row."""

    row: int
    node: Node | None = None
    before: list[Place] = field(default_factory=list)
    after: list[Place] = field(default_factory=list)
    left: float = 0.0

    @property
    def width(self) -> int:
        """How much of the row it takes."""
        return CARD_W if self.node else LANE_W

    @property
    def middle(self) -> float:
        """Where edges meet it."""
        return self.left + self.width / 2

    @property
    def top(self) -> float:
        """Its upper side."""
        return MARGIN + self.row * (CARD_H + GAP_Y)


def _rows(walk: Lineage) -> dict[str, int]:
    """The row of each node: one below the lowest thing it was made from."""
    into: dict[str, list[str]] = defaultdict(list)
    for edge in walk.edges:
        into[edge.downstream].append(edge.upstream)
    found: dict[str, int] = {}

    def row(id: str) -> int:
        if id not in found:
            found[id] = max((row(above) + 1 for above in into[id]), default=0)
        return found[id]

    for node in walk.nodes:
        row(node.id)
    for node in walk.nodes:  # what comes of nothing stands right above what it was first used for
        if not into[node.id]:
            uses = [found[edge.downstream] for edge in walk.edges if edge.upstream == node.id]
            found[node.id] = max(0, min(uses, default=1) - 1)
    return found


def _placed(walk: Lineage) -> tuple[list[list[Place]], dict[tuple[str, str], list[Place]]]:
    """Rows of places, and the way of every edge through them."""
    at = _rows(walk)
    cards = {node.id: Place(at[node.id], node) for node in walk.nodes}
    rows: list[list[Place]] = [[] for _ in range(max(at.values()) + 1)]
    for card in cards.values():
        rows[card.row].append(card)
    ways: dict[tuple[str, str], list[Place]] = {}
    for edge in walk.edges:
        up, down = cards[edge.upstream], cards[edge.downstream]
        lanes = [Place(row) for row in range(up.row + 1, down.row)]
        for lane in lanes:
            rows[lane.row].append(lane)
        way = ways[edge.upstream, edge.downstream] = [up, *lanes, down]
        for left, right in pairwise(way):
            left.after.append(right)
            right.before.append(left)
    return rows, ways


def _arrange(rows: list[list[Place]]) -> float:
    """Order each row by its neighbours, and give every place its room; returns the width of all."""
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            order = {id(place): rank for each in rows for rank, place in enumerate(each)}

            def rank(place: Place, order: dict[int, int] = order, forward: bool = sweep % 2 == 0) -> float:
                beside = place.before if forward else place.after
                return sum(order[id(other)] for other in beside) / len(beside) if beside else order[id(place)]

            row.sort(key=rank)
    widths = [sum(place.width for place in row) + GAP_X * (len(row) - 1) for row in rows]
    for row, width in zip(rows, widths, strict=True):
        left = MARGIN + (max(widths) - width) / 2
        for place in row:
            place.left = left
            left += place.width + GAP_X
    return max(widths) + 2 * MARGIN


def _short(text: str, most: int) -> str:
    """The text, its middle left out where it is too long."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}…{text[-(most - most // 2 - 1) :]}"


def _texts(node: Node, event: Recorded | None) -> tuple[str, str]:
    """What a card says under its kind: two lines."""
    facts = node.facts
    if node.kind == "analysis":
        found = f"{facts['tempo_bpm']:g} BPM" if facts.get("tempo_bpm") else node.label
        found = f"{facts['tonic']} {facts['mode']}" if facts.get("tonic") else found
        return found, f"confidence {facts['confidence']:.2f}" if "confidence" in facts else ""
    if "seed" in facts:
        style = (facts.get("parameters") or {}).get("style")
        return node.label, f"seed {facts['seed']}" + (f", style {style}" if style else "")
    if "sha256" in facts:
        by = f"by {event.processor}" if event is not None and event.processor else f"imported by {facts['actor']}"
        return node.label, by
    return node.label, "built in" if node.kind == "model_version" else ""


def _card(place: Place, node: Node, event: Recorded | None) -> str:
    colour = COLOURS.get(node.kind, "#57606a")
    kind = " · ".join(filter(None, (node.kind.replace("_", " "), node.variant)))
    name, told = _texts(node, event)
    x, y = place.left, place.top
    lines = [
        f'<rect x="{x:.1f}" y="{y}" width="{CARD_W}" height="{CARD_H}" rx="8" fill="#fff" stroke="#d0d7de"/>',
        f'<rect x="{x:.1f}" y="{y}" width="6" height="{CARD_H}" rx="3" fill="{colour}"/>',
        f'<text x="{x + 15:.1f}" y="{y + 18}" class="kind" fill="{colour}">{escape(kind)}</text>',
        f'<text x="{x + 15:.1f}" y="{y + 37}" class="name">{escape(_short(name, 21))}</text>',
        f'<text x="{x + 15:.1f}" y="{y + 54}" class="told">{escape(_short(told, 28))}</text>',
    ]
    title = f"<title>{escape(node.label)} {node.id}</title>"
    return f"<g>{title}{''.join(lines)}</g>"


def _edge(way: list[Place], relation: str) -> str:
    last = way[-1]
    x, y = way[0].middle, way[0].top + CARD_H
    path = f"M{x:.1f},{y}"
    for place in way[1:]:
        bend = (place.top - y) * 0.6
        path += f" C{x:.1f},{y + bend:.1f} {place.middle:.1f},{place.top - bend:.1f} {place.middle:.1f},{place.top}"
        x, y = place.middle, place.top
        if place is not last:
            y += CARD_H
            path += f" L{x:.1f},{y}"
    colour = COLOURS["asset"] if relation == "derived_from" else "#8c959f"
    end = "made" if relation == "derived_from" else "used"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6" marker-end="url(#{end})"/>'


def _arrow(id: str, colour: str) -> str:
    return (
        f'<marker id="{id}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{colour}"/></marker>'
    )


def svg(walk: Lineage, events: Mapping[int, Recorded]) -> str:
    """A walk upwards as an SVG document."""
    rows, ways = _placed(walk)
    width = _arrange(rows)
    height = 2 * MARGIN + len(rows) * CARD_H + (len(rows) - 1) * GAP_Y
    relations = {(edge.upstream, edge.downstream): edge.relation for edge in walk.edges}
    drawn = [_edge(way, relations[ends]) for ends, way in ways.items()]
    drawn += [
        _card(place, place.node, events.get(place.node.position))
        for row in rows
        for place in row
        if place.node is not None
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" role="img"'
            f' aria-label="What {escape(walk.nodes[0].label)} was made from">',
            "<style>text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}"
            ".kind{font-size:10.5px;font-weight:600}.name{font-size:13px;fill:#1f2328;font-weight:600}"
            ".told{font-size:11px;fill:#57606a}</style>",
            f"<defs>{_arrow('made', COLOURS['asset'])}{_arrow('used', '#8c959f')}</defs>",
            f'<rect width="{width:.0f}" height="{height}" rx="10" fill="#f6f8fa"/>',
            *drawn,
            "</svg>",
            "",
        ]
    )


def draw(service: Disco, id: str) -> str:
    """The lineage of a resource as an SVG document."""
    walk = service.views.graph.lineage(id, Direction.UP, depth=20, first=60)
    return svg(walk, service.log.at(sorted({node.position for node in walk.nodes})))


def main() -> None:
    """Draw into a file."""
    home, id, file = sys.argv[1:]
    with open_disco(Settings(home=Path(home)), run=False) as service:
        found = service.views.documents.find(id.replace("-", ""))
        Path(file).write_text(draw(service, found[0] if found else id), encoding="utf-8")


if __name__ == "__main__":
    main()
