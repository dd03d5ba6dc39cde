"""Lineage: what something was made from, what was made from it, what suffers if it goes."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.access import requires
from api.cli import ids
from api.cli.moments import AsOfOption, moment_of
from api.cli.shell import Shell
from api.cli.text import table
from api.cli.verbs import verb
from api.cli.why import why
from domain.access import Permission
from domain.errors import Malformed
from domain.ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.views import AsOf, Lineage
    from events.envelope import Recorded
    from infra.base import BaseDisco

DEADLINE_S = 30.0
MOST_STEPS = 1000


class Format(StrEnum):
    """How a lineage is told."""

    TREE = "tree"
    PROV = "prov"
    OPENLINEAGE = "openlineage"


IdArgument = Annotated[str, typer.Argument(help="The resource; the beginning of its id will do.")]
FirstOption = Annotated[int, typer.Option(min=1, max=100_000, help="How many nodes at most.")]


@verb("Look", example="disco lineage 3f2a91c4 --up --depth 5")
@requires(Permission.READ, of="id")
def lineage(
    shell: Shell,
    id: IdArgument,
    up: Annotated[bool, typer.Option("--up/--down", help="What it was made from, or what was made from it.")] = True,
    depth: Annotated[int, typer.Option(min=1, max=MOST_STEPS, help="How many steps to walk.")] = 10,
    as_of: AsOfOption = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only nodes of this kind; may be said again.")] = None,
    format: Annotated[Format, typer.Option(help="A tree, W3C PROV-JSON, or OpenLineage run events.")] = Format.TREE,
    first: FirstOption = 500,
) -> None:
    """Show where a resource comes from, or what came of it, and why."""
    from domain.views import Direction, Kind

    kinds = tuple(kind or ())
    unknown = [name for name in kinds if name not in set(Kind)]
    if unknown:
        raise Malformed(f"{unknown[0]!r} is no kind; there are {', '.join(Kind)}", field="kind")
    with shell.service() as service:
        found, moment = ids.resource(shell, service, id), moment_of(as_of)
        if format is not Format.TREE:
            _document(service, found, format, up=up, moment=moment)
            return
        direction = Direction.UP if up else Direction.DOWN
        walk = service.views.graph.lineage(
            found, direction, depth=depth, kinds=kinds, as_of=moment, first=first, deadline_s=DEADLINE_S
        )
        events = service.log.at(sorted({node.position for node in walk.nodes}))
        if shell.json:
            shell.line(_told(walk, events), indent=2)
        else:
            from api.cli.tree import print_tree

            print_tree(shell.console(), walk, direction, events)


def _document(service: BaseDisco, id: ResourceId, format: Format, *, up: bool, moment: AsOf) -> None:
    """Print a lineage in a standard's form."""
    import orjson

    from api.export import FORMATS, gather
    from domain.views import Direction

    material = gather(service, id, direction=Direction.UP if up else Direction.DOWN, moment=moment)
    document = FORMATS[format.value].write(material)
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n")


def _told(walk: Lineage, events: Mapping[int, Recorded]) -> dict[str, Any]:  # Any: JSON
    return {
        "nodes": [
            {
                **{name: getattr(node, name) for name in ("id", "kind", "variant", "label", "project", "depth")},
                **{name: getattr(node, name) for name in ("position", "time_us", "archived", "facts")},
                "why": because(events.get(node.position)),
            }
            for node in walk.nodes
        ],
        "edges": walk.edges,
        "partial": walk.partial,
        "reason": walk.reason,
    }


def because(event: Recorded | None) -> dict[str, Any] | None:  # Any: JSON
    """The event that made a node."""
    if event is None:
        return None
    names = ("id", "type", "source", "actor", "processor", "duration_ms", "correlation", "causation")
    return {name: getattr(event, name) for name in names}


@verb("Look", example="disco impact 3f2a91c4")
@requires(Permission.READ, of="id")
def impact(shell: Shell, id: IdArgument, as_of: AsOfOption = None, first: FirstOption = 500) -> None:
    """Show what becomes stale, and what must go, if a resource goes."""
    from domain.impact import impacts
    from domain.views import Direction

    with shell.service() as service:
        found = ids.resource(shell, service, id)
        moment = moment_of(as_of)
        walk = service.views.graph.lineage(
            found, Direction.DOWN, depth=MOST_STEPS, as_of=moment, first=first + 1, deadline_s=DEADLINE_S
        )
        nodes = {str(node.id): node for node in walk.nodes}
        hit = [(item, nodes[item.node.id]) for item in impacts(walk, found)]
        told = [
            {
                "effect": item.effect.value,
                **{name: getattr(node, name) for name in ("id", "kind", "variant", "label", "depth")},
                "relation": item.relation.value,
                "through": item.through,
            }
            for item, node in hit
        ]
        events = service.log.at(sorted({node.position for _, node in hit}))
        rows = [
            (
                item.effect.value.replace("_", " "),
                ids.short(node.id),
                f"{node.kind} {node.variant}",
                node.label,
                why(node, events.get(node.position)),
            )
            for item, node in hit
        ]
        answer = {"impacts": told, "partial": walk.partial, "reason": walk.reason}
        shell.answer(answer, lambda console: table(console, ("effect", "id", "kind", "name", "why"), rows))
