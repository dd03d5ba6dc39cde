"""Documents that are made from the code say what the code says."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from events.catalogue import EVENT_TYPES
from events.envelope import encode
from infra.documentation import ROOT, documents


@pytest.mark.parametrize("path", sorted(documents()), ids=str)
def test_a_generated_document_is_current(path: Path) -> None:
    """Given the code, when the documents are made anew, then they equal what is committed."""
    committed = ROOT / path
    assert committed.exists(), f"{path} is missing; run: python -m infra.documentation"
    assert committed.read_text() == documents()[path], f"{path} is out of date; run: python -m infra.documentation"


def test_every_schema_is_a_valid_json_schema() -> None:
    """Given the schemas, then each is valid against the 2020-12 metaschema."""
    for path in (ROOT / "docs/events").glob("*.json"):
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_golden_events_fit_their_published_schemas() -> None:
    """Given every event of the golden log, then its payload fits the schema that its envelope names."""
    lines = [line for file in (ROOT / "tests/events/golden").glob("*.jsonl") for line in file.read_text().splitlines()]
    assert lines, "the golden log is missing"
    for line in lines:
        event = json.loads(line)
        schema = json.loads((ROOT / "docs/events" / event["dataschema"].rsplit("/", 1)[1]).read_text())
        jsonschema.Draft202012Validator(schema).validate(event["data"])
        kind = EVENT_TYPES[event["type"]]
        assert json.loads(encode(kind.model_validate(event["data"])))


def test_asyncapi_refers_only_to_what_exists() -> None:
    """Given the AsyncAPI document, then every reference in it leads somewhere."""
    document = json.loads((ROOT / "docs/asyncapi.json").read_text())

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for value in node.values() for found in references(value)]
        return [found for value in node for found in references(value)] if isinstance(node, list) else []

    for reference in references(document):
        if reference.startswith("#/"):
            node: object = document
            for part in reference[2:].split("/"):
                assert isinstance(node, dict)
                assert part in node, reference
                node = node[part]
        else:
            assert (ROOT / "docs" / reference).exists(), reference
