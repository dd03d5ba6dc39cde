"""The documents: what each resource is called, tagged and described as, and what was found in it."""

from __future__ import annotations

from typing import Any

from domain.resource import embedded_tags, merged
from domain.views import Document, DocumentRows, Kind
from events import analyses, exports, generations, imports, models, processing, resources
from events.base import Event
from events.catalogue import types_under
from events.envelope import Recorded

NAME = "catalogue"
VERSION = 1
FINDINGS = {kind.TYPE: kind for kind in types_under(analyses.Analysis)}


def apply(rows: DocumentRows, events: list[Recorded]) -> None:
    """Fold a page of events into the documents."""
    for event in events:
        before = rows.get(event.subject)
        if before is not None and before["position"] >= event.position:
            continue
        after = fold(before, event)
        if after is not None:
            rows.put(event.subject, after)


def fold(document: Document | None, event: Recorded) -> Document | None:
    """Return the document of the event's subject after it; None where the event makes no document."""
    finding = FINDINGS.get(event.type)
    if document is None:
        begun = None if finding else _begun(event.data)
        if begun is None:
            return None
        document = {
            "id": event.subject,
            "project": event.project,
            "tags": [],
            "metadata": {},
            "archived": False,
            "created_us": event.time_us,
            "actor": event.actor,
            "version": event.sequence,
            "analyses": {},
            **begun,
        }
    elif finding:
        document = {**document, "analyses": {**document["analyses"], finding.KIND: _found(event, finding)}}
    elif isinstance(event.data, processing.ProcessingFailed | processing.RetryRequested | imports.AssetAdded):
        return {**document, "position": event.position}
    else:
        document = {**document, **_changed(document, event.data), "version": event.sequence}
    document["updated_us"] = event.time_us
    document["position"] = event.position
    return document


def _found(event: Recorded, kind: type[analyses.Analysis]) -> dict[str, Any]:
    values = event.json
    return {"id": event.id, "source": event.source, **{name: values[name] for name in kind.FACTS}}


def _begun(data: Event) -> dict[str, Any] | None:
    match data:
        case resources.ProjectCreated():
            return {"kind": Kind.PROJECT, "variant": "", "name": data.name, "container": None}
        case resources.TrackCreated():
            return {"kind": Kind.TRACK, "variant": "", "name": data.name, "container": data.project_id}
        case imports.AudioAdded() | imports.NotesAdded():
            return {
                "kind": Kind.ASSET,
                "variant": data.KIND,
                "name": data.name,
                "container": data.container_id,
                "content": data.content.model_dump(),
                "facts": {**data.facts.model_dump(), "duration_s": round(data.facts.duration_s, 6)},
                "file_name": getattr(data, "file_name", None),
                "metadata": embedded_tags(data),
            }
        case generations.AccompanimentRequested():
            return {
                "kind": Kind.GENERATION,
                "variant": "accompaniment",
                "name": data.name,
                "container": data.container_id,
                "facts": {"seed": data.seed, "parameters": data.parameters, "asset_id": data.asset_id},
            }
        case models.ModelVersionRegistered():
            name = f"{data.name} {data.version}"
            return {"kind": Kind.MODEL_VERSION, "variant": "", "name": name, "container": None, "facts": data.card}
        case exports.LineageExported():
            return {
                "kind": Kind.EXPORT,
                "variant": data.format,
                "name": data.name,
                "container": None,
                "content": data.content.model_dump(),
                "facts": {"source_id": data.source_id, "position": data.position},
            }
        case _:
            return None


def _changed(document: Document, data: Event) -> dict[str, Any]:
    match data:
        case resources.ResourceRenamed():
            return {"name": data.name}
        case resources.ResourceTagged():
            return {"tags": sorted(set(document["tags"]) - set(data.removed) | set(data.added))}
        case resources.ResourceDescribed():
            return {"metadata": merged(document["metadata"], data.changes)}
        case resources.ResourceMoved():
            return {"container": data.to_id}
        case resources.ResourceArchived():
            return {"archived": True}
        case resources.ResourceRestored():
            return {"archived": False}
        case resources.VersionLinked():
            return {"previous": data.previous_id}
        case _:
            return {}
