"""The envelope of an event, CloudEvents 1.0, and its codec.

Source: CloudEvents specification 1.0.2, with its partitioning, sequence and distributed-tracing-like extensions.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from domain.errors import Malformed, NewerVersion
from domain.ids import EventId, ProjectId, ResourceId
from events.base import Event
from events.catalogue import EVENT_TYPES

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Proposed:
    """An event on its way into the log.

    source names what made it: "/processors/track_beats/1", or "/commands", with a digest of the command behind a #
    where its sender gave it an id. causation is the event it follows from; correlation the job that both belong to;
    duration_ms the work it took.
    """

    id: EventId
    project: ProjectId
    data: Event
    time_us: int
    source: str
    actor: str
    correlation: str
    causation: EventId | None = None
    duration_ms: int | None = None


class Recorded:
    """An event as it lies in the log, its payload decoded when first asked for."""

    __slots__ = (
        "_data",
        "_json",
        "actor",
        "causation",
        "correlation",
        "duration_ms",
        "id",
        "position",
        "project",
        "raw",
        "sequence",
        "source",
        "subject",
        "time_us",
        "type",
        "version",
    )

    def __init__(
        self,
        position: int,
        sequence: int,
        id: EventId,
        project: ProjectId,
        subject: ResourceId,
        type: str,
        version: int,
        time_us: int,
        source: str,
        actor: str,
        correlation: str,
        causation: EventId | None,
        duration_ms: int | None,
        raw: bytes,
    ) -> None:
        self.position = position
        self.sequence = sequence
        self.id = id
        self.project = project
        self.subject = subject
        self.type = type
        self.version = version
        self.time_us = time_us
        self.source = source
        self.actor = actor
        self.correlation = correlation
        self.causation = causation
        self.duration_ms = duration_ms
        self.raw = raw
        self._data: Event | None = None
        self._json: dict[str, Any] | None = None

    @property
    def data(self) -> Event:
        """The payload in its newest version.

        Raises: NewerVersion or Malformed, naming the position.
        """
        if self._data is None:
            self._data = decode(self.type, self.version, self.raw, where=f"position {self.position}")
        return self._data

    @property
    def json(self) -> dict[str, Any]:
        """The payload as JSON in its newest version: quick, for readers that want a field or two.

        It was checked against its schema when it was written, and against its checksum when it was read.
        Raises: NewerVersion, naming the position.
        """
        if self._json is None:
            kind = _kind(self.type, self.version, f"position {self.position}")
            self._json = _upcast(kind, self.version, self.raw, where=f"position {self.position}")
        return self._json

    def look(self) -> None:
        """Decode it the way readers of its type will want it: findings as JSON, what changes resources as a payload.

        Raises: as `data` and `json`.
        """
        if _kind(self.type, self.version, f"position {self.position}").FINDING:
            self.json  # noqa: B018  # for its effect
        else:
            self.data  # noqa: B018  # the same

    @property
    def time(self) -> datetime:
        """When it happened, in UTC."""
        return to_datetime(self.time_us)

    @property
    def processor(self) -> str | None:
        """The name of the processor that made it, or None for an event that a person caused."""
        return processor_of(self.source)

    @property
    def answering(self) -> str | None:
        """The processor whose answer to its cause this is; None for the further events of one answer."""
        return None if "#" in self.source else self.processor

    def __repr__(self) -> str:
        return f"<{self.type} at {self.position}, {self.subject}>"


def to_datetime(time_us: int) -> datetime:
    """Microseconds since 1970 as a UTC datetime, exact."""
    return EPOCH + timedelta(microseconds=time_us)


def to_microseconds(time: datetime) -> int:
    """A datetime with a zone as microseconds since 1970, exact."""
    return (time - EPOCH) // timedelta(microseconds=1)


def processor_source(name: str, version: str, index: int = 0) -> str:
    """The CloudEvents source of a processor's outputs; `index` counts the events of one answer."""
    return f"/processors/{name}/{version}#{index}" if index else f"/processors/{name}/{version}"


def processor_of(source: str) -> str | None:
    """The name of the processor in a CloudEvents source, or None where there is none."""
    parts = source.split("/")
    return parts[2] if len(parts) == 4 and parts[1] == "processors" else None


def encode(event: Event) -> bytes:
    """The payload as JSON, every field of it."""
    return orjson.dumps(event.__dict__, default=_fields)


def _fields(value: object) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return value.__dict__
    raise TypeError(f"a payload cannot hold {value!r}")


def decode(type_name: str, version: int, raw: bytes, *, where: str) -> Event:
    """Return the payload in its newest version, upcast from an older one where need be.

    Raises: NewerVersion, for a type or version that a later release wrote; Malformed, if it does not fit its schema.
    """
    return decode_as(_kind(type_name, version, where), version, raw, where=where)


def decode_as(kind: type[Event], version: int, raw: bytes, *, where: str) -> Event:
    """Return the payload as `kind`, which is no newer than this release; see `decode`."""
    try:
        if version < kind.VERSION:
            return kind.model_validate_json(orjson.dumps(_upcast(kind, version, raw, where=where)))
        return kind.__pydantic_validator__.validate_json(raw)  # type: ignore[no-any-return]  # typed Any in pydantic
    except (ValidationError, orjson.JSONDecodeError) as error:
        raise Malformed(f"{where}: {kind.TYPE} does not fit its schema: {error}") from error


def _kind(type_name: str, version: int, where: str) -> type[Event]:
    kind = EVENT_TYPES.get(type_name)
    if kind is None:
        raise NewerVersion(f"{where}: no event type {type_name!r} is known here; a newer release wrote it, upgrade")
    if version > kind.VERSION:
        raise NewerVersion(
            f"{where}: {kind.TYPE} has version {version}, this release reads up to {kind.VERSION}; upgrade"
        )
    return kind


def _upcast(kind: type[Event], version: int, raw: bytes, *, where: str) -> dict[str, Any]:
    try:
        data: dict[str, Any] = orjson.loads(raw)
        for step in range(version, kind.VERSION):
            data = kind.UPCASTERS[step](data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(
            f"{where}: {kind.TYPE} of version {version} cannot be read as version {kind.VERSION}: {error!r}"
        ) from error
    return data


def dataschema(type_name: str, version: int) -> str:
    """The URI of the JSON Schema of one version of a type; the file lies in docs/events under its last part."""
    return f"urn:disco-musica:events/{type_name}.v{version}.json"


def to_cloudevent(event: Recorded) -> dict[str, Any]:
    """The event as a CloudEvents 1.0 JSON object."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": dataschema(event.type, event.version),
        "partitionkey": event.project,
        "sequence": str(event.sequence).zfill(20),
        "position": str(event.position),
        "correlationid": event.correlation,
        **({"causationid": event.causation} if event.causation else {}),
        "actor": event.actor,
        **({"durationms": event.duration_ms} if event.duration_ms is not None else {}),
        "data": orjson.loads(event.raw),
    }


def from_cloudevent(envelope: Mapping[str, Any], *, where: str) -> Proposed:
    """Read a CloudEvents JSON object of ours; its position and sequence are given anew on append.

    Raises: Malformed, NewerVersion.
    """
    try:
        version = int(envelope["dataschema"].rsplit(".v", 1)[1].removesuffix(".json"))
        data = decode(envelope["type"], version, orjson.dumps(envelope["data"]), where=where)
        return Proposed(
            id=EventId(_id(envelope["id"])),
            project=ProjectId(_id(envelope["partitionkey"])),
            data=data,
            time_us=to_microseconds(datetime.fromisoformat(envelope["time"])),
            source=_text(envelope["source"]),
            actor=_text(envelope["actor"]),
            correlation=_text(envelope["correlationid"]),
            causation=EventId(_id(envelope["causationid"])) if "causationid" in envelope else None,
            duration_ms=int(envelope["durationms"]) if "durationms" in envelope else None,
        )
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise Malformed(f"{where}: not one of our CloudEvents: {error!r}") from error


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} where there must be text")
    return value


def _id(value: object) -> str:
    return str(uuid.UUID(_text(value)))
