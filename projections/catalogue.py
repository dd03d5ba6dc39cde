"""The documents: what each resource is called, tagged and described as, and what was found in it.

An analysis has one once somebody has changed it: it holds what people said; what was found is told by the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from domain.resource import embedded_tags, merged
from domain.views import AsOf, Document, DocumentRows, Kind
from events import analyses, exports, generations, harmony, imports, models, processing, resources, timbre
from events.base import Event
from events.catalogue import types_under
from events.envelope import Recorded

NAME = "catalogue"
VERSION = 3
MOST_FORMER = 4_000  # characters: more than is changed by hand, so that no document grows with all that a program does
FINDINGS = {kind.TYPE: kind for kind in types_under(analyses.Analysis)}
KEY = harmony.KeyEstimated.KIND
TAGS = timbre.TagsHeard.KIND


def apply(rows: DocumentRows, events: list[Recorded]) -> None:
    """Fold a page of events into the documents."""
    rows.expect({event.subject for event in events})
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
            "created": event.position,
            "created_us": event.time_us,
            "updated_us": event.time_us,
            "actor": event.actor,
            "version": event.sequence,
            "analyses": {},
            **begun,
        }
    elif finding:
        found = {**document["analyses"], finding.KIND: _found(event, finding)}
        document = {**document, **_former(document, _heard(document, finding.KIND))}
        document = {**document, "analyses": found}
    elif isinstance(event.data, processing.OfProcessing | imports.AssetAdded):
        return {**document, "position": event.position}
    else:
        document = {**document, **_changed(document, event.data), "version": event.sequence}
    if event.time_us > document["updated_us"]:  # or a clock was set back
        document["updated_us"] = event.time_us
    document["position"] = event.position
    return document


def _found(event: Recorded, kind: type[analyses.Analysis]) -> dict[str, Any]:
    found, values = {"id": event.id, "source": event.source}, event.json
    for name in kind.FACTS:
        found[name] = values[name]
    return found


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
        case resources.ResourceChanged(found_in=resources.FoundIn(kind=kind)):
            bare: Document = {"variant": kind, "name": kind, "container": None, "tags": [], "metadata": {}}
            return {"kind": Kind.ANALYSIS, **bare, **_changed(bare, data)}
        case _:
            return None


def _changed(document: Document, data: Event) -> dict[str, Any]:
    match data:
        case resources.ResourceRenamed():
            return {"name": data.name, **_former(document, [document["name"]])}
        case resources.ResourceTagged():
            tags = set(document["tags"]) - set(data.removed) | set(data.added)
            return {"tags": sorted(tags), **_former(document, sorted(set(document["tags"]) - tags))}
        case resources.ResourceDescribed():
            before = {key: value for key, value in document["metadata"].items() if key in data.changes}
            return {"metadata": merged(document["metadata"], data.changes), **_former(document, _noted(before))}
        case resources.ResourceMoved():
            return {"container": data.to_id}
        case resources.ResourceArchived():
            return {"archived": True, "ever_archived": True}
        case resources.ResourceRestored():
            return {"archived": False}
        case resources.VersionLinked():
            return {"previous": data.previous_id}
        case _:
            return {}


def as_it_was(events: Iterable[Recorded], moment: AsOf) -> Document | None:
    """The document that the events about a resource come to by a moment; None where there was none yet."""
    document: Document | None = None
    for event in events:
        if moment.covers(event.position, event.time_us):
            document = fold(document, event)
    return document


def words(document: Document) -> tuple[str, str, str]:
    """What a resource is searched by, archived or not: its name, its tags, and all words else."""
    others = [document["variant"], document.get("file_name") or "", *_noted(document["metadata"])]
    others += [*_heard(document, KEY), *_heard(document, TAGS)]
    return document["name"], " ".join(document["tags"]), " ".join(others)


def _noted(metadata: Mapping[str, Any]) -> list[str]:  # Any: JSON
    texts: list[str] = []
    for key, value in metadata.items():
        texts += (key.removeprefix("tag:"), str(value))
    return texts


def _heard(document: Document, kind: str) -> list[str]:
    """The words for what was found, where it is of a kind that is searched by."""
    found = document["analyses"].get(kind)
    if kind == KEY and found and found["tonic"]:
        return [f"{found['tonic']} {found['mode']}"]
    return [found["words"]] if kind == TAGS and found and found["words"] else []


def _former(document: Document, gone: Sequence[str]) -> dict[str, Any]:  # Any: JSON
    """`former`: what the resource was once searched by and may be no longer; None where that is too much to keep."""
    kept = document.get("former", [])
    fresh = [text for text in gone if text not in kept] if gone and kept is not None else []
    if not fresh:
        return {}
    together = [*kept, *dict.fromkeys(fresh)]
    return {"former": together if sum(map(len, together)) <= MOST_FORMER else None}
