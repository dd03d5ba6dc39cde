"""A resource as decisions know it: `evolve` folds it from the events about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from domain.ids import ProjectId, ResourceId
from domain.values import Metadata
from domain.views import Kind
from events import analyses, exports, generations, imports, models, processing, resources
from events.base import Event


@dataclass(frozen=True, slots=True)
class Resource:
    """What decisions need to know of a resource, folded from the events about it.

    version: the sequence of the last event that changed it; head: of the last event about it.
    findings: analysis kind -> (event id, event), the newest of each; found: event id -> kind, of every analysis;
    places: (container, file name) of every import;
    failures: event id -> what processors gave up on and nobody has asked to try again.
    asset: what an analysis was found in; None for all else.
    """

    id: ResourceId
    kind: Kind
    project: ProjectId
    name: str
    version: int
    head: int
    container: ResourceId | None = None
    variant: str = ""
    tags: frozenset[str] = frozenset()
    metadata: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON
    archived: bool = False
    duration_s: float | None = None
    previous: ResourceId | None = None
    findings: Mapping[str, tuple[str, Event]] = field(default_factory=dict)
    found: Mapping[str, str] = field(default_factory=dict)
    places: frozenset[tuple[str, str]] = frozenset()
    failures: Mapping[str, processing.ProcessingFailed] = field(default_factory=dict)
    asset: ResourceId | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as `evolve` sees it."""

    id: str
    project: ProjectId
    sequence: int
    data: Event


def evolve(state: Resource | None, happened: Happened) -> Resource | None:
    """Return the resource after one event about it."""
    event, sequence = happened.data, happened.sequence
    if state is None:
        return _begin(happened)
    state = replace(state, head=sequence)
    if isinstance(event, analyses.Analysis):
        findings = {**state.findings, event.KIND: (happened.id, event)}
        return replace(state, findings=findings, found={**state.found, happened.id: event.KIND})
    if isinstance(event, processing.ProcessingFailed):
        return replace(state, failures={**state.failures, happened.id: event})
    if isinstance(event, processing.RetryRequested):
        return replace(state, failures={id: kept for id, kept in state.failures.items() if id != event.failure_id})
    changed = _changed(state, event)
    return replace(changed, version=sequence) if changed is not state else state


def _begin(happened: Happened) -> Resource | None:
    event, sequence, project = happened.data, happened.sequence, happened.project

    def begin(kind: Kind, name: str, **more: Any) -> Resource:  # Any: fields of Resource
        return Resource(event.subject, kind, project, name, sequence, sequence, **more)

    match event:
        case resources.ProjectCreated():
            return begin(Kind.PROJECT, event.name)
        case resources.TrackCreated():
            return begin(Kind.TRACK, event.name, container=ResourceId(event.project_id))
        case imports.AudioAdded() | imports.NotesAdded():
            return begin(
                Kind.ASSET,
                event.name,
                container=ResourceId(event.container_id),
                variant=event.KIND,
                duration_s=event.facts.duration_s,
                metadata=embedded_tags(event),
                places=frozenset({(event.container_id, getattr(event, "file_name", ""))}),
            )
        case generations.AccompanimentRequested():
            return begin(Kind.GENERATION, event.name, container=ResourceId(event.container_id), variant="accompaniment")
        case models.ModelVersionRegistered():
            return begin(Kind.MODEL_VERSION, f"{event.name} {event.version}")
        case exports.LineageExported():
            return begin(Kind.EXPORT, event.name, variant=event.format)
        case resources.ResourceChanged(found_in=resources.FoundIn(asset_id=asset, kind=kind)):
            return _changed(begin(Kind.ANALYSIS, kind, variant=kind, asset=ResourceId(asset)), event)
        case _:
            return None


def analysis_in(asset: Resource, id: ResourceId) -> Resource | None:
    """An analysis as it was found, and nobody has changed it yet; None if no such one was found in the asset."""
    kind = asset.found.get(id)
    if kind is None:
        return None
    return Resource(id, Kind.ANALYSIS, asset.project, kind, 0, 0, variant=kind, asset=asset.id)


def embedded_tags(event: imports.AssetAdded) -> dict[str, Any]:
    """The tags that came inside a file, as metadata."""
    return {f"tag:{key}": value for key, value in getattr(event, "tags", {}).items()}


def _changed(state: Resource, event: Event) -> Resource:
    match event:
        case resources.ResourceRenamed():
            return replace(state, name=event.name)
        case resources.ResourceTagged():
            return replace(state, tags=state.tags - set(event.removed) | set(event.added))
        case resources.ResourceDescribed():
            return replace(state, metadata=merged(state.metadata, event.changes))
        case resources.ResourceMoved():
            return replace(state, container=ResourceId(event.to_id))
        case resources.ResourceArchived():
            return replace(state, archived=True)
        case resources.ResourceRestored():
            return replace(state, archived=False)
        case resources.VersionLinked():
            return replace(state, previous=ResourceId(event.previous_id))
        case imports.AssetImportedAgain():
            return replace(state, places=state.places | {(event.container_id, event.file_name)})
        case _:
            return state


def merged(metadata: Mapping[str, Any], changes: Metadata) -> dict[str, Any]:
    """Metadata after changes: keys replace, null removes."""
    return {key: value for key, value in {**metadata, **changes}.items() if value is not None}
