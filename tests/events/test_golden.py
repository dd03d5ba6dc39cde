"""The logs of all releases are read for ever, and say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from events.catalogue import EVENT_TYPES
from events.envelope import Recorded, encode, from_cloudevent, to_cloudevent
from tests.builders import as_recorded
from tests.spine import Spine

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.jsonl"))
LINES = [
    pytest.param(json.loads(line), id=f"{path.stem} {number}")
    for path in GOLDEN
    for number, line in enumerate(path.read_text().splitlines(), 1)
]


def _again(line: dict[str, Any]) -> Recorded:
    (event,) = as_recorded([from_cloudevent(line, where="golden")])
    event.position, event.sequence = int(line["position"]), int(line["sequence"])
    return event


def _version(line: dict[str, Any]) -> int:
    return int(line["dataschema"].rsplit(".v", 1)[1].removesuffix(".json"))


@pytest.mark.parametrize("line", LINES)
def test_an_event_of_any_release_is_read_and_written_as_it_was(line: dict[str, Any]) -> None:
    """Given an event as a release wrote it, then it is read; of the current version, it is written again the same."""
    event = _again(line)
    assert event.type == line["type"]
    assert event.data == type(event.data).model_validate_json(encode(event.data))
    if _version(line) == EVENT_TYPES[line["type"]].VERSION:
        assert to_cloudevent(event) == line
    else:
        assert {**to_cloudevent(event), "data": 0, "dataschema": 0} == {**line, "data": 0, "dataschema": 0}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_log_of_any_release_is_taken_in_and_projected(path: Path, spine: Spine) -> None:
    """Given a release's whole log, when imported into this one, then every view takes it and verifies."""
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    spine.append([from_cloudevent(line, where="golden") for line in lines])
    spine.views.catch_up()
    assert [event.id for event in spine.events()] == [line["id"] for line in lines]
    assert list(spine.views.differences()) == []


def test_every_event_type_is_in_the_golden_logs_in_every_version() -> None:
    """Given all golden logs, then they hold each type there is, in each version there has been."""
    held = {(line.values[0]["type"], _version(line.values[0])) for line in LINES}
    there = {(name, version) for name, kind in EVENT_TYPES.items() for version in range(1, kind.VERSION + 1)}
    assert there <= held
