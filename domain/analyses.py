"""Analyses as resources: what was found is told by the graph, what people said of it by a document of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from domain.commands import Command, OfResource
from domain.errors import NotFound
from domain.handling import Done, execute
from domain.ids import EventId, ResourceId
from domain.ports import Clock, EventLog
from domain.views import NOW, AsOf, Direction, Document, Graph, Kind, Node, Relation, Views
from events.envelope import Recorded

WAIT_S = 5.0


def carry_out(
    log: EventLog,
    views: Views,
    clock: Clock,
    command: Command,
    *,
    actor: str,
    job: str | None = None,
    command_id: str | None = None,
) -> Done:
    """Carry out a command, of an analysis too: the graph tells its asset, in which the decision then looks for it.

    Raises: as `execute`.
    """
    try:
        return execute(log, clock, command, actor=actor, job=job, command_id=command_id)
    except NotFound as error:  # nothing is about it; so it is with an analysis that nobody has changed yet
        if not isinstance(command, OfResource) or command.within or error.details.get("id") != command.resource_id:
            raise
        asset = _asset_of(log, views, ResourceId(command.resource_id))
        if asset is None:
            raise
        command = command.model_copy(update={"within": asset})
    return execute(log, clock, command, actor=actor, job=job, command_id=command_id)


def _asset_of(log: EventLog, views: Views, id: ResourceId) -> ResourceId | None:
    """The asset that an analysis was found in; None for what is no analysis, once the views know all that there is."""
    above = views.graph.neighbours([id], Relation.ANALYSED_AS, Direction.UP)[id]
    if not above:
        views.wait(log.head(), WAIT_S)
        above = views.graph.neighbours([id], Relation.ANALYSED_AS, Direction.UP)[id]
    return above[0].id if above else None


def whole(
    graph: Graph, documents: Mapping[str, Document], ids: Sequence[str], as_of: AsOf = NOW
) -> dict[str, Document]:
    """The documents of these ids, given those there are: an analysis has one, whether or not anybody changed it.

    It was created by the finding itself, whose event is about the asset.
    """
    asked = [id for id in ids if id not in documents or documents[id]["kind"] == Kind.ANALYSIS]
    nodes = graph.nodes(asked, as_of) if asked else {}
    return {**documents, **{id: _of_node(node, documents.get(id)) for id, node in nodes.items()}}


def described(views: Views, id: ResourceId, as_of: AsOf = NOW) -> Document:
    """The document of one resource, of any kind. Raises: NotFound."""
    found = whole(views.graph, views.documents.many([id], as_of), [id], as_of)
    if id not in found:
        raise NotFound(f"there is no resource {id}", id=id)
    return found[id]


def findings(log: EventLog, found: Iterable[tuple[str, str]]) -> dict[str, Recorded]:
    """The events of findings by their id, of those that are in the log; each is named by its asset and its id."""
    within: dict[str, list[EventId]] = defaultdict(list)
    for asset, id in found:
        within[asset].append(EventId(id))
    places = [log.places(ids, subject=ResourceId(asset)) for asset, ids in within.items()]
    events = log.at([position for known in places for position in known.values()])
    return {str(id): events[position] for known in places for id, position in known.items() if position in events}


def found_in(log: EventLog, document: Document) -> dict[str, Recorded]:
    """The events of an asset's newest findings, by kind of analysis, of a document of its."""
    ids = {kind: found["id"] for kind, found in document["analyses"].items()}
    events = findings(log, [(document["id"], id) for id in ids.values()])
    return {kind: events[id] for kind, id in ids.items() if id in events}


def _of_node(node: Node, said: Document | None) -> Document:
    unchanged: Document = {
        "name": node.label,
        "tags": [],
        "metadata": {},
        "archived": node.archived,
        "version": 0,
        "updated_us": node.time_us,
        "position": node.position,
    }
    return {
        **unchanged,
        **(said or {}),
        "id": node.id,
        "kind": Kind(node.kind),
        "variant": node.variant,
        "project": node.project,
        "container": None,
        "actor": None,
        "created": node.position,
        "created_us": node.time_us,
        "facts": dict(node.facts),
        "analyses": {},
    }
