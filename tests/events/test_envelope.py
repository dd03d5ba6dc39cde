"""The envelope: CloudEvents by the specification, versions by their upcasters, what is newer named as newer."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import ids
from domain.errors import Malformed, NewerVersion
from events import catalogue, envelope
from events.base import Event, Upcaster
from events.envelope import Recorded, from_cloudevent, to_cloudevent, to_datetime, to_microseconds
from tests.builders import as_recorded, proposed
from tests.payloads import PROJECT, one_of_each

EVENTS = as_recorded(proposed(data, source="/processors/x/1", causation=ids.derived("cause")) for data in one_of_each())
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
class TestCloudEvents:
    """What the CloudEvents specification 1.0.2 says of every event."""

    def test_required_attributes_are_there_and_not_empty(self, event: Recorded) -> None:
        """`id`, `source`, `specversion` and `type` MUST be present; `specversion` MUST be 1.0."""
        told = to_cloudevent(event)
        assert told["specversion"] == "1.0"
        for name in ("id", "source", "type", "subject"):
            assert isinstance(told[name], str)
            assert told[name]

    def test_names_of_attributes_are_lower_case_letters_and_digits(self, event: Recorded) -> None:
        """Attribute names MUST be of a-z and 0-9, SHOULD be at most 20 long, and none may be called `data`."""
        for name in to_cloudevent(event).keys() - {"data"}:
            assert re.fullmatch(r"[a-z0-9]{1,20}", name)

    def test_attributes_have_types_of_the_specification(self, event: Recorded) -> None:
        """Values MUST be strings, booleans or integers of 32 bits; nulls are absent instead."""
        for name, value in to_cloudevent(event).items():
            if name != "data":
                assert isinstance(value, str) or (isinstance(value, int) and abs(value) < 1 << 31)

    def test_time_is_rfc_3339_and_exact(self, event: Recorded) -> None:
        """`time` MUST be RFC 3339, and means the microsecond it happened in."""
        text = to_cloudevent(event)["time"]
        assert RFC3339.fullmatch(text)
        assert to_microseconds(datetime.fromisoformat(text)) == event.time_us

    def test_source_is_a_uri_reference(self, event: Recorded) -> None:
        """`source` MUST be a non-empty URI-reference."""
        assert urlsplit(to_cloudevent(event)["source"]).path
        assert not re.search(r"[^!-~]", event.source)

    def test_dataschema_is_a_uri(self, event: Recorded) -> None:
        """`dataschema` MUST be an absolute URI."""
        assert urlsplit(to_cloudevent(event)["dataschema"]).scheme

    def test_partition_key_and_sequence_follow_their_extensions(self, event: Recorded) -> None:
        """`partitionkey` MUST be a non-empty string; `sequence` strings MUST sort as the numbers do."""
        told = to_cloudevent(event)
        assert told["partitionkey"] == event.project
        assert int(told["sequence"]) == event.sequence
        assert len(told["sequence"]) >= 19

    def test_it_survives_json_and_is_read_back_as_it_was(self, event: Recorded) -> None:
        """Given its JSON, then reading it gives what was appended."""
        told = orjson.loads(orjson.dumps(to_cloudevent(event)))
        again = from_cloudevent(told, where="line 1")
        assert again.data == event.data
        for name in ("id", "project", "time_us", "source", "actor", "correlation", "causation", "duration_ms"):
            assert getattr(again, name) == getattr(event, name)

    def test_what_lacks_a_part_or_has_it_wrong_is_malformed_and_tells_where(self, event: Recorded) -> None:
        """Given any attribute missing, null or of another kind, then Malformed or NewerVersion with the place."""
        told = to_cloudevent(event)
        for name in ("id", "type", "dataschema", "data", "partitionkey", "time", "source", "actor", "correlationid"):
            broken = {key: value for key, value in told.items() if key != name}
            for wrong in ({}, {name: None}, {name: 3}, {name: []}, {name: ""}):
                with pytest.raises((Malformed, NewerVersion), match="line 7"):
                    pytest.fail(f"{name} as {wrong} gave {from_cloudevent({**broken, **wrong}, where='line 7')}")


@given(time_us=st.integers(0, 253_402_300_799_999_999))
def test_times_are_exact_to_the_microsecond_until_the_year_9999(time_us: int) -> None:
    """Given any microsecond, then a datetime and its text bring it back."""
    time = to_datetime(time_us)
    assert time.tzinfo is UTC
    assert to_microseconds(time) == to_microseconds(datetime.fromisoformat(time.isoformat())) == time_us


@given(garbage=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=3))
def test_garbage_is_malformed(garbage: Any) -> None:
    """Given an object with anything under our names, then Malformed or NewerVersion, and no other error."""
    names = ("id", "type", "dataschema", "data", "partitionkey", "time", "source", "actor", "correlationid")
    with pytest.raises((Malformed, NewerVersion)):
        from_cloudevent(dict.fromkeys(names, garbage), where="here")


class Played(Event):
    """A test's event in its third version: version 1 had `loud`, version 2 `level` in percent."""

    TYPE: ClassVar[str] = "disco.test.played"
    VERSION: ClassVar[int] = 3
    UPCASTERS: ClassVar[dict[int, Upcaster]] = {
        1: lambda data: {"resource_id": data["resource_id"], "level": 100 if data["loud"] else 20},
        2: lambda data: {"resource_id": data["resource_id"], "level_share": data["level"] / 100},
    }
    resource_id: str
    level_share: float


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> type[Played]:
    """The test's event among the known ones."""
    types = {**catalogue.EVENT_TYPES, Played.TYPE: Played}
    for module in (catalogue, envelope):
        monkeypatch.setattr(module, "EVENT_TYPES", types)
    return Played


def _stored(version: int, raw: bytes) -> Recorded:
    event = as_recorded([proposed(Played(resource_id=PROJECT, level_share=1.0))])[0]
    event.version, event.raw, event.position = version, raw, 17
    return event


@pytest.mark.usefixtures("played")
class TestVersions:
    """Versions of a type that has had three."""

    @pytest.mark.parametrize(
        ("version", "rest", "level"),
        [(1, '"loud": true', 1.0), (1, '"loud": false', 0.2), (2, '"level": 50', 0.5), (3, '"level_share": 0.7', 0.7)],
    )
    def test_each_version_is_read_as_the_newest(self, version: int, rest: str, level: float) -> None:
        """Given JSON of any version, then it is what the newest class says of it, by every way of reading."""
        event = _stored(version, f'{{"resource_id": "{PROJECT}", {rest}}}'.encode())
        assert event.data == Played(resource_id=PROJECT, level_share=level)
        assert event.json == {"resource_id": PROJECT, "level_share": level}

    def test_what_is_written_is_of_the_newest_version(self) -> None:
        """Given an event, then its envelope names version 3."""
        assert _stored(3, b"{}").version == Played.VERSION
        assert to_cloudevent(_stored(3, b"{}"))["dataschema"].endswith(".v3.json")

    @pytest.mark.parametrize("read", ["data", "json"])
    def test_a_newer_version_is_named_and_not_guessed_at(self, read: str) -> None:
        """Given version 4, then NewerVersion tells the position, the type and both versions."""
        with pytest.raises(NewerVersion, match=r"position 17.*disco\.test\.played.*4.*3"):
            getattr(_stored(4, b'{"level_share": 1}'), read)

    @pytest.mark.parametrize("read", ["data", "json"])
    @pytest.mark.parametrize("version", [-1, 0, 1, 2])
    @pytest.mark.parametrize("raw", [b"{}", b"[]", b'"x"', b"null", b'{"resource_id": 1, "loud": 1, "level": "x"}'])
    def test_an_old_version_that_fits_no_schema_is_malformed(self, read: str, version: int, raw: bytes) -> None:
        """Given JSON that version never had, then Malformed tells the position, whatever the upcaster stumbles over."""
        if read == "json" and version > 0 and b"loud" in raw:
            return  # quick reading trusts what was checked when it was written
        event = _stored(version, raw)
        with pytest.raises(Malformed, match="17"):
            getattr(event, read)

    def test_json_that_is_cut_off_is_malformed(self) -> None:
        """Given half a payload, then Malformed tells the position."""
        for version in (1, 2, 3):
            with pytest.raises(Malformed, match="position 17"):
                _ = _stored(version, b'{"resource_id": "').data


def test_an_unknown_type_is_from_a_newer_release() -> None:
    """Given a type nobody here knows, then NewerVersion tells the position and the type."""
    event = as_recorded([proposed(one_of_each()[0])])[0]
    event.type = "disco.time.travelled"
    for read in ("data", "json"):
        with pytest.raises(NewerVersion, match=r"position 1.*disco\.time\.travelled"):
            getattr(event, read)


@pytest.mark.parametrize("kind", catalogue.EVENT_TYPES.values(), ids=lambda kind: kind.TYPE)
def test_every_type_can_be_read_from_its_first_version_on(kind: type[Event]) -> None:
    """Given a type, then there is an upcaster from each version before its own, and its name is a CloudEvents type."""
    assert sorted(kind.UPCASTERS) == list(range(1, kind.VERSION))
    assert re.fullmatch(r"disco(\.[a-z_]+){2}", kind.TYPE)
    assert kind.SUBJECT in kind.model_fields
