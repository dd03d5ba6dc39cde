"""The lineage graph: what exists, what it was made from, what was made from it, and since when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from domain.ids import LIBRARY
from domain.views import At, GraphRows, Kind, Relation
from events import analyses, exports, generations, imports, models, resources
from events.catalogue import types_under
from events.envelope import Recorded

NAME = "lineage_graph"
VERSION = 1

Apply = Callable[[GraphRows, Recorded, Any, At], None]  # Any: each takes its own event


def _project(rows: GraphRows, event: Recorded, data: resources.ProjectCreated, at: At) -> None:
    rows.node(Kind.PROJECT, data.project_id, variant="", label=data.name, project=event.project, at=at, facts={})


def _track(rows: GraphRows, event: Recorded, data: resources.TrackCreated, at: At) -> None:
    rows.node(Kind.TRACK, data.track_id, variant="", label=data.name, project=event.project, at=at, facts={})
    rows.edge(Relation.CONTAINS, data.project_id, data.track_id, at)


def _asset(rows: GraphRows, event: Recorded, data: imports.AssetAdded, at: At) -> None:
    facts = {"sha256": data.content.sha256, "media_type": data.content.media_type, "actor": event.actor}
    if isinstance(data, generations.AudioRendered):
        facts["parameters"] = dict(data.parameters)  # type: ignore[assignment]  # JSON
        rows.edge(Relation.DERIVED_FROM, data.source_id, data.asset_id, at)
        rows.edge(Relation.USED_MODEL, data.model_version_id, data.asset_id, at)
    if isinstance(data, generations.MidiTranscribed):
        rows.edge(Relation.DERIVED_FROM, data.source_id, data.asset_id, at)
        rows.edge(Relation.DERIVED_FROM, data.analysis_id, data.asset_id, at, within=data.source_id)
    if isinstance(data, generations.MidiGenerated):
        rows.edge(Relation.GENERATED_BY, data.generation_id, data.asset_id, at)
        for source in data.source_ids:
            rows.edge(Relation.DERIVED_FROM, source, data.asset_id, at)
    rows.node(Kind.ASSET, data.asset_id, variant=data.KIND, label=data.name, project=event.project, at=at, facts=facts)
    rows.edge(Relation.CONTAINS, data.container_id, data.asset_id, at)


def _again(rows: GraphRows, event: Recorded, data: imports.AssetImportedAgain, at: At) -> None:
    rows.edge(Relation.CONTAINS, data.container_id, data.asset_id, at)


def _finding(rows: GraphRows, event: Recorded, kind: type[analyses.Analysis], at: At) -> None:
    values = event.json
    facts: dict[str, Any] = {name: values[name] for name in kind.FACTS}
    facts["source"] = event.source
    if values["parameters"]:
        facts["parameters"] = values["parameters"]
    rows.finding(event.id, event.subject, variant=kind.KIND, project=event.project, at=at, facts=facts)


def _accompaniment(rows: GraphRows, event: Recorded, data: generations.AccompanimentRequested, at: At) -> None:
    rows.node(
        Kind.GENERATION,
        data.generation_id,
        variant="accompaniment",
        label=data.name,
        project=event.project,
        at=at,
        facts={"seed": data.seed, "parameters": data.parameters, "actor": event.actor},
    )
    rows.edge(Relation.USED_MODEL, data.model_version_id, data.generation_id, at)
    rows.edge(Relation.USED, data.asset_id, data.generation_id, at)
    for finding in data.analysis_ids:
        rows.edge(Relation.USED, finding, data.generation_id, at, within=data.asset_id)


def _model(rows: GraphRows, event: Recorded, data: models.ModelVersionRegistered, at: At) -> None:
    rows.node(
        Kind.MODEL_VERSION,
        data.model_version_id,
        variant="",
        label=f"{data.name} {data.version}",
        project=LIBRARY,
        at=at,
        facts={"name": data.name, "version": data.version, "card": data.card},
    )


def _export(rows: GraphRows, event: Recorded, data: exports.LineageExported, at: At) -> None:
    rows.node(
        Kind.EXPORT,
        data.export_id,
        variant=data.format,
        label=data.name,
        project=event.project,
        at=at,
        facts={"sha256": data.content.sha256, "position": data.position, "actor": event.actor},
    )
    rows.edge(Relation.DERIVED_FROM, data.source_id, data.export_id, at, within=_asset_of(data))


def _asset_of(data: resources.ResourceChanged | exports.LineageExported) -> str | None:
    return data.found_in.asset_id if data.found_in else None


def _renamed(rows: GraphRows, event: Recorded, data: resources.ResourceRenamed, at: At) -> None:
    rows.relabel(data.resource_id, data.name, at, within=_asset_of(data))


def _moved(rows: GraphRows, event: Recorded, data: resources.ResourceMoved, at: At) -> None:
    rows.end_edge(Relation.CONTAINS, data.from_id, data.resource_id, at)
    rows.edge(Relation.CONTAINS, data.to_id, data.resource_id, at)


def _archived(rows: GraphRows, event: Recorded, data: resources.ResourceArchived, at: At) -> None:
    rows.archive(data.resource_id, True, at, within=_asset_of(data))


def _restored(rows: GraphRows, event: Recorded, data: resources.ResourceRestored, at: At) -> None:
    rows.archive(data.resource_id, False, at, within=_asset_of(data))


def _linked(rows: GraphRows, event: Recorded, data: resources.VersionLinked, at: At) -> None:
    rows.edge(Relation.VERSION_OF, data.previous_id, data.resource_id, at)


HANDLERS: dict[str, Apply] = {
    resources.ProjectCreated.TYPE: _project,
    resources.TrackCreated.TYPE: _track,
    **{kind.TYPE: _asset for kind in types_under(imports.AssetAdded)},
    imports.AssetImportedAgain.TYPE: _again,
    generations.AccompanimentRequested.TYPE: _accompaniment,
    models.ModelVersionRegistered.TYPE: _model,
    exports.LineageExported.TYPE: _export,
    resources.ResourceRenamed.TYPE: _renamed,
    resources.ResourceMoved.TYPE: _moved,
    resources.ResourceArchived.TYPE: _archived,
    resources.ResourceRestored.TYPE: _restored,
    resources.VersionLinked.TYPE: _linked,
}


FINDINGS = {kind.TYPE: kind for kind in types_under(analyses.Analysis)}


def apply(rows: GraphRows, events: list[Recorded]) -> None:
    """Fold a page of events into the graph."""
    for event in events:
        at = At(event.position, event.time_us)
        if event.type in FINDINGS:
            _finding(rows, event, FINDINGS[event.type], at)
        elif event.type in HANDLERS:
            HANDLERS[event.type](rows, event, event.data, at)
