"""Lineage in the forms that others read: W3C PROV-JSON and OpenLineage run events. Pure functions over `Material`.

Both rest on the same reading of the graph: an activity is a generation, or the event that made a node; it used what
lies upstream of what it made.
Source: W3C Member Submission "The PROV-JSON Serialization" (24 April 2013); OpenLineage specification 2-0-2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from domain.ids import ResourceId
from domain.views import Document, Edge, Kind, Node, Relation
from events.envelope import Recorded, to_datetime

Json = dict[str, Any]  # Any: JSON

PRODUCER = "https://github.com/disco-musica/disco-musica"
SCHEMA_URL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
_OURS = "urn:disco-musica:openlineage-facets:1-0-0#/$defs/DiscoRunFacet"
PREFIXES = {
    "resource": "urn:disco-musica:resource:",
    "event": "urn:disco-musica:event:",
    "actor": "urn:disco-musica:actor:",
    "software": "urn:disco-musica:software:",
    "disco": "urn:disco-musica:vocabulary:",
}
_DERIVED = (Relation.DERIVED_FROM, Relation.ANALYSED_AS)
_NOT_USED = (Relation.GENERATED_BY, Relation.VERSION_OF, Relation.CONTAINS)


@dataclass(frozen=True, slots=True)
class Material:
    """A lineage with all that is to be told of it: documents by node id, events by position."""

    root: ResourceId
    nodes: list[Node]
    edges: list[Edge]
    documents: Mapping[str, Document]
    events: Mapping[int, Recorded]


@dataclass(slots=True)
class Activity:
    """Something that was done: what it used, what it made; `event` began it, `last` ended it."""

    id: str
    event: Recorded
    last: Recorded
    generation: Node | None = None
    inputs: dict[str, None] = field(default_factory=dict)
    outputs: dict[str, Recorded] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The processor's name, or the type of the event that a command came to."""
        return self.last.processor or self.event.type

    @property
    def version(self) -> str | None:
        """The processor's version, None for a command."""
        return self.last.source.rpartition("/")[2] if self.last.processor else None

    @property
    def started_us(self) -> int:
        """When it began: as long before its first event as that took."""
        return self.event.time_us - (self.event.duration_ms or 0) * 1000


def activities(material: Material) -> list[Activity]:
    """What was done, in the order it was begun; nodes whose event is not at hand were made by nobody known."""
    nodes = {node.id: node for node in material.nodes}
    into: dict[str, list[Edge]] = defaultdict(list)
    for edge in material.edges:
        if edge.upstream in nodes and edge.downstream in nodes:
            into[edge.downstream].append(edge)
    found: dict[str, Activity] = {}
    for node in sorted(material.nodes, key=lambda node: (node.position, node.id)):
        event = material.events.get(node.position)
        if event is None:
            continue
        made_by = next((edge.upstream for edge in into[node.id] if edge.relation == Relation.GENERATED_BY), None)
        if node.kind == Kind.GENERATION:
            made_by = node.id
        key = f"resource:{made_by}" if made_by else f"event:{event.id}"
        activity = found.setdefault(key, Activity(key, event, event, nodes[made_by] if made_by else None))
        if event.position > activity.last.position:
            activity.last = event
        if node.kind != Kind.GENERATION:
            activity.outputs[node.id] = event
        activity.inputs.update((edge.upstream, None) for edge in into[node.id] if edge.relation not in _NOT_USED)
    return list(found.values())


def _name(prefix: str, local: str) -> str:
    return f"{prefix}:{quote(local, safe='-._')}"


def _qualified(name: str) -> Json:
    return {"$": name, "type": "xsd:QName"}


def _long(value: int) -> Json:
    return {"$": str(value), "type": "xsd:long"}


def _time(time_us: int) -> str:
    return to_datetime(time_us).isoformat().replace("+00:00", "Z")


class _Prov:
    """A PROV document as it grows."""

    def __init__(self) -> None:
        self.document: dict[str, Json] = {"prefix": dict(PREFIXES)}
        self._count = 0

    def element(self, kind: str, name: str, attributes: Json) -> None:
        self.document.setdefault(kind, {})[name] = attributes

    def relation(self, kind: str, **ends: object) -> None:
        self._count += 1
        attributes = {f"prov:{name}": value for name, value in ends.items() if value is not None}
        self.document.setdefault(kind, {})[f"_:r{self._count}"] = attributes

    def agent(self, activity: Activity) -> str:
        if activity.last.processor is None:
            name = _name("actor", activity.event.actor)
            self.element("agent", name, {"prov:type": _qualified("prov:Agent"), "prov:label": activity.event.actor})
            return name
        label = f"{activity.name} {activity.version}"
        name = _name("software", f"{activity.name}/{activity.version}")
        self.element("agent", name, {"prov:type": _qualified("prov:SoftwareAgent"), "prov:label": label})
        return name


def to_prov(material: Material) -> Json:
    """The lineage as PROV-JSON."""
    prov = _Prov()
    for node in material.nodes:
        if node.kind != Kind.GENERATION:
            prov.element("entity", _name("resource", node.id), _entity(node, material.documents.get(node.id)))
    for activity in activities(material):
        _tell_activity(prov, activity, material)
    entities = prov.document.get("entity", {})
    made_by = {made: activity.id for activity in activities(material) for made in activity.outputs}
    for edge in material.edges:
        down, up = _name("resource", edge.downstream), _name("resource", edge.upstream)
        if down not in entities or up not in entities:
            continue
        if edge.relation in _DERIVED:
            prov.relation("wasDerivedFrom", generatedEntity=down, usedEntity=up, activity=made_by.get(edge.downstream))
        elif edge.relation == Relation.VERSION_OF:
            revision = _qualified("prov:Revision")
            prov.relation("wasDerivedFrom", generatedEntity=down, usedEntity=up, type=revision)
    return prov.document


def _entity(node: Node, document: Document | None) -> Json:
    told: Json = {
        "prov:label": (document or {}).get("name", node.label),
        "prov:type": _qualified(f"disco:{node.kind}"),
        "disco:position": _long(node.position),
    }
    if node.variant:
        told["disco:variant"] = node.variant
    content = (document or {}).get("content")
    if content:
        told["disco:sha256"] = content["sha256"]
        told["disco:mediaType"] = content["media_type"]
        told["disco:sizeBytes"] = _long(content["size_bytes"])
    return told


def _tell_activity(prov: _Prov, activity: Activity, material: Material) -> None:
    told: Json = {
        "prov:startTime": _time(activity.started_us),
        "prov:endTime": _time(activity.last.time_us),
        "prov:label": activity.name,
        "prov:type": _qualified("disco:" + ("generation" if activity.generation else activity.event.type)),
        "disco:job": activity.event.correlation,
    }
    if activity.generation is not None:
        facts = activity.generation.facts
        if "seed" in facts:
            told["disco:seed"] = _long(facts["seed"])
        for name, value in (facts.get("parameters") or {}).items():
            told[f"disco:parameter_{quote(str(name), safe='-._')}"] = value
    prov.element("activity", activity.id, told)
    agent = prov.agent(activity)
    prov.relation("wasAssociatedWith", activity=activity.id, agent=agent)
    if activity.generation is not None and activity.event.processor is None and activity.last.processor is not None:
        person = _name("actor", activity.event.actor)
        prov.element("agent", person, {"prov:type": _qualified("prov:Agent"), "prov:label": activity.event.actor})
        prov.relation("wasAssociatedWith", activity=activity.id, agent=person)
    entities = prov.document.get("entity", {})
    for used in activity.inputs:
        if _name("resource", used) in entities:
            prov.relation("used", activity=activity.id, entity=_name("resource", used))
    for made, event in activity.outputs.items():
        entity = _name("resource", made)
        prov.relation("wasGeneratedBy", entity=entity, activity=activity.id, time=_time(event.time_us))
        prov.relation("wasAttributedTo", entity=entity, agent=agent)


def to_openlineage(material: Material) -> list[Json]:
    """The lineage as OpenLineage run events, one COMPLETE a run, in the order the runs ended."""
    nodes: dict[str, Node] = {node.id: node for node in material.nodes}
    runs = sorted(activities(material), key=lambda activity: (activity.last.position, activity.id))
    return [_run_event(activity, nodes, material) for activity in runs]


def _run_event(activity: Activity, nodes: Mapping[str, Node], material: Material) -> Json:
    return {
        "eventType": "COMPLETE",
        "eventTime": _time(activity.last.time_us),
        "producer": PRODUCER,
        "schemaURL": SCHEMA_URL,
        "run": {"runId": activity.id.partition(":")[2], "facets": _run_facets(activity)},
        "job": {"namespace": "disco-musica", "name": activity.name, "facets": _job_facets(activity)},
        "inputs": [_dataset(nodes[id], material) for id in activity.inputs if id in nodes],
        "outputs": [_dataset(nodes[id], material) for id in activity.outputs],
    }


def _facet(schema: str, **fields: object) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": schema, **fields}


def _run_facets(activity: Activity) -> Json:
    told: Json = {
        "actor": activity.event.actor,
        "job": activity.event.correlation,
        "startedAt": _time(activity.started_us),
        "eventId": activity.event.id,
    }
    if activity.generation is not None:
        facts = activity.generation.facts
        told["seed"] = str(facts.get("seed"))
        told["parameters"] = facts.get("parameters") or {}
    facets = {"disco": _facet(_OURS, **told)}
    if activity.version is not None:
        schema = f"{_FACETS}/1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet"
        facets["processing_engine"] = _facet(schema, version=activity.version, name=activity.name)
    return facets


def _job_facets(activity: Activity) -> Json:
    schema = f"{_FACETS}/2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"
    kind = "PROCESSOR" if activity.version is not None else "COMMAND"
    return {"jobType": _facet(schema, processingType="BATCH", integration="DISCO_MUSICA", jobType=kind)}


def _dataset(node: Node, material: Material) -> Json:
    document = material.documents.get(node.id) or {}
    documentation = f"{_FACETS}/1-1-0/DocumentationDatasetFacet.json#/$defs/DocumentationDatasetFacet"
    label = f"{document.get('name', node.label)} ({' '.join(filter(None, (node.kind, node.variant)))})"
    facets: Json = {"documentation": _facet(documentation, description=label)}
    content = document.get("content")
    if content:
        version = f"{_FACETS}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
        facets["version"] = _facet(version, datasetVersion=content["sha256"])
    return {"namespace": f"disco-musica:{node.project}", "name": f"{node.kind}/{node.id}", "facets": facets}
