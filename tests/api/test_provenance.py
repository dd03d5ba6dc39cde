"""Lineage written as W3C PROV-JSON and as OpenLineage run events, held against what those standards demand."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any

import jsonschema
import pytest

from tests.api.client import Client
from tests.api.making import Catalogue

QNAME = {"type": "string", "pattern": r"^([a-z]+:[A-Za-z0-9._%-]+|_:[A-Za-z0-9]+)$"}
TIME = {"type": "string", "format": "date-time"}


def relation(**ends: Any) -> dict[str, Any]:
    """A PROV-JSON relation: its ends, the first two required."""
    properties = {f"prov:{name}": kind for name, kind in ends.items()}
    entry = {"type": "object", "properties": properties, "required": list(properties)[:2]}
    return {"type": "object", "additionalProperties": entry}


ELEMENTS = {"type": "object", "propertyNames": QNAME, "additionalProperties": {"type": "object"}}
PROV = {
    "type": "object",
    "required": ["prefix", "entity"],
    "additionalProperties": False,
    "properties": {
        "prefix": {"type": "object", "additionalProperties": {"type": "string", "pattern": r"^\w+:"}},
        "entity": ELEMENTS,
        "activity": ELEMENTS,
        "agent": ELEMENTS,
        "used": relation(activity=QNAME, entity=QNAME),
        "wasGeneratedBy": relation(entity=QNAME, activity=QNAME, time=TIME),
        "wasDerivedFrom": relation(generatedEntity=QNAME, usedEntity=QNAME, activity=QNAME),
        "wasAssociatedWith": relation(activity=QNAME, agent=QNAME),
        "wasAttributedTo": relation(entity=QNAME, agent=QNAME),
    },
}
"""After the W3C Member Submission "The PROV-JSON Serialization", for the relations that we write."""

FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["_producer", "_schemaURL"],
        "properties": {"_producer": {"format": "uri"}, "_schemaURL": {"format": "uri"}},
    },
}
DATASET = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS},
}
RUN_EVENT = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventTime": TIME,
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
        "run": {"type": "object", "required": ["runId"], "properties": {"runId": {"format": "uuid"}, "facets": FACETS}},
        "job": {
            "type": "object",
            "required": ["namespace", "name"],
            "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS},
        },
        "inputs": {"type": "array", "items": DATASET},
        "outputs": {"type": "array", "items": DATASET},
    },
}
"""After OpenLineage.json of the specification 2-0-2."""


@pytest.fixture
def prov(client: Client, made: Catalogue) -> dict[str, Any]:
    """The lineage of a generated file as PROV-JSON."""
    document: dict[str, Any] = client.get(f"/api/lineage/{made.assets['band']}/prov.json").json()
    return document


@pytest.fixture
def runs(client: Client, made: Catalogue) -> list[dict[str, Any]]:
    """The same as OpenLineage run events."""
    events: list[dict[str, Any]] = client.get(f"/api/lineage/{made.assets['band']}/openlineage.json").json()
    return events


def test_prov_has_the_shape_of_the_standard(prov: dict[str, Any]) -> None:
    """Given a lineage, when written, then it fits the standard's schema and every prefix is declared."""
    jsonschema.validate(prov, PROV, cls=jsonschema.Draft202012Validator)
    used = {prefix for text in re.findall(r'"([a-z]+):', str(prov).replace("'", '"')) for prefix in [text]}
    assert used - set(prov["prefix"]) <= {"prov", "xsd", "urn", "https"}


def test_prov_names_only_what_it_declares(prov: dict[str, Any]) -> None:
    """Given the relations, when followed, then each end is a declared entity, activity or agent."""
    kinds = {
        "entity": "entity",
        "generatedEntity": "entity",
        "usedEntity": "entity",
        "activity": "activity",
        "agent": "agent",
    }
    for name in ("used", "wasGeneratedBy", "wasDerivedFrom", "wasAssociatedWith", "wasAttributedTo"):
        assert prov[name]
        for one in prov[name].values():
            for end, kind in kinds.items():
                if f"prov:{end}" in one:
                    assert one[f"prov:{end}"] in prov[kind], (name, one)


def test_prov_obeys_the_constraints_on_time_and_generation(prov: dict[str, Any]) -> None:
    """Given PROV-CONSTRAINTS, when checked, then each entity is generated once, in its activity, before its use."""
    at: dict[str, str] = {}
    for one in prov["wasGeneratedBy"].values():
        assert one["prov:entity"] not in at
        at[one["prov:entity"]] = one["prov:time"]
        activity = prov["activity"][one["prov:activity"]]
        assert activity["prov:startTime"] <= one["prov:time"] <= activity["prov:endTime"]
    for activity in prov["activity"].values():
        start, end = (datetime.fromisoformat(activity[f"prov:{name}Time"]) for name in ("start", "end"))
        assert start <= end
    for one in prov["used"].values():
        assert at[one["prov:entity"]] <= prov["activity"][one["prov:activity"]]["prov:endTime"]
    for one in prov["wasDerivedFrom"].values():
        assert one["prov:generatedEntity"] != one["prov:usedEntity"]


def test_prov_tells_how_it_was_generated(prov: dict[str, Any], made: Catalogue) -> None:
    """Given a generated file, when read, then inputs, seed, parameters, generator's version and person are told."""
    band, song = f"resource:{made.assets['band']}", f"resource:{made.assets['song']}"
    generation = next(one["prov:activity"] for one in prov["wasGeneratedBy"].values() if one["prov:entity"] == band)
    told = prov["activity"][generation]
    assert told["disco:seed"] == {"$": str(2**60), "type": "xsd:long"}
    assert told["disco:parameter_style"] == "pop"
    used = [one["prov:entity"] for one in prov["used"].values() if one["prov:activity"] == generation]
    assert song in used
    assert len(used) >= 3
    agents = {one["prov:agent"] for one in prov["wasAssociatedWith"].values() if one["prov:activity"] == generation}
    assert agents == {"software:write_accompaniment%2F1", "actor:ada"}
    derived = [(one["prov:generatedEntity"], one["prov:usedEntity"]) for one in prov["wasDerivedFrom"].values()]
    assert (band, song) in derived


def test_openlineage_has_the_shape_of_the_standard(runs: list[dict[str, Any]]) -> None:
    """Given a lineage, when written, then each event fits the schema, and run ids are UUIDs of their own."""
    for event in runs:
        jsonschema.validate(
            event, RUN_EVENT, cls=jsonschema.Draft202012Validator, format_checker=jsonschema.FormatChecker()
        )
        assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    assert len({event["run"]["runId"] for event in runs}) == len(runs)


def test_openlineage_joins_up(runs: list[dict[str, Any]], made: Catalogue) -> None:
    """Given the events in order, when replayed, then each run reads what was written, the last writes the file."""
    written: set[tuple[str, str]] = set()
    for event in runs:
        for dataset in event["inputs"]:
            assert (dataset["namespace"], dataset["name"]) in written or dataset["name"].startswith("model_version/")
        written |= {(dataset["namespace"], dataset["name"]) for dataset in event["outputs"]}
    last = runs[-1]
    assert last["outputs"][0]["name"] == f"asset/{made.assets['band']}"
    assert last["job"]["name"] == "write_accompaniment"
    assert last["run"]["facets"]["disco"]["seed"] == str(2**60)


@pytest.mark.parametrize("format", ["prov", "openlineage"])
def test_a_lineage_is_written_whole_or_not_at_all(
    client: Client, made: Catalogue, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    """Given a lineage deeper than is written in one piece, when asked for, then it is refused, not cut short."""
    monkeypatch.setattr("api.export.MOST_STEPS", 1)
    answer = client.get(f"/api/lineage/{made.assets['band']}/{format}.json")
    assert answer.status_code == 413
    assert answer.json()["details"] == {"limit": 1, "reason": "depth"}


def test_a_lineage_can_be_written_as_it_was(client: Client, made: Catalogue) -> None:
    """Given later events, when written as of before, then the document does not tell them."""
    song = made.assets["song"]
    at = client.post("/graphql", json={"query": "{ events(first: 100) { pageInfo { endCursor } } }"}).json()
    position = at["data"]["events"]["pageInfo"]["endCursor"]
    before = client.get(f"/api/lineage/{song}/prov.json").text
    made.analysed(song, lufs=-3.0)
    made.service.views.wait(made.service.log.head())
    assert client.get(f"/api/lineage/{song}/prov.json", params={"asOf": position}).text == before
