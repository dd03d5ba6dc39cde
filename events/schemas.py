"""The events as documents: a JSON Schema of every type, and an AsyncAPI 3 document of the log they travel in."""

from __future__ import annotations

from typing import Any

from events.base import Event
from events.catalogue import EVENT_TYPES, TOPICS
from events.envelope import dataschema

Json = dict[str, Any]  # Any: JSON

ENVELOPE_PROPERTIES: Json = {
    "specversion": {"type": "string", "const": "1.0"},
    "id": {"type": "string", "format": "uuid", "description": "deterministic for what a processor made"},
    "source": {
        "type": "string",
        "format": "uri-reference",
        "description": "/commands, /models, /reprocessing or /processors/NAME/VERSION; "
        "behind a # what sets apart those of one source",
    },
    "subject": {"type": "string", "format": "uuid", "description": "the resource it is about"},
    "time": {"type": "string", "format": "date-time"},
    "datacontenttype": {"type": "string", "const": "application/json"},
    "partitionkey": {"type": "string", "format": "uuid", "description": "the project, whose events keep their order"},
    "sequence": {"type": "string", "description": "counts the project's events without gaps; 20 digits"},
    "position": {"type": "string", "description": "place in the whole log"},
    "correlationid": {"type": "string", "description": "the job that the event belongs to"},
    "causationid": {"type": "string", "format": "uuid", "description": "the event that this one answers"},
    "actor": {"type": "string", "description": "who acted"},
    "durationms": {"type": "integer", "description": "how long a processor worked on it"},
}
REQUIRED = [name for name in ENVELOPE_PROPERTIES if name not in ("causationid", "durationms", "sequence", "position")]


def json_schema(kind: type[Event]) -> Json:
    """The JSON Schema (2020-12) of one event type's payload in its newest version."""
    schema = kind.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": dataschema(kind.TYPE, kind.VERSION),
        **schema,
        "title": kind.TYPE,
        "additionalProperties": False,
    }


def schema_files() -> dict[str, Json]:
    """File name -> JSON Schema, of every event type."""
    return {dataschema(kind.TYPE, kind.VERSION).rsplit("/", 1)[1]: json_schema(kind) for kind in EVENT_TYPES.values()}


def _message(kind: type[Event]) -> Json:
    required = sorted([*REQUIRED, "type", "dataschema", "data"])
    return {
        "name": kind.TYPE,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip().split("\n")[0],
        "contentType": "application/cloudevents+json",
        "payload": {
            "type": "object",
            "required": required,
            "properties": {
                **ENVELOPE_PROPERTIES,
                "type": {"type": "string", "const": kind.TYPE},
                "dataschema": {"type": "string", "const": dataschema(kind.TYPE, kind.VERSION)},
                "data": {"$ref": f"./events/{kind.TYPE}.v{kind.VERSION}.json"},
            },
        },
        "tags": [{"name": kind.__module__.rsplit(".", 1)[-1]}],
    }


def asyncapi(version: str) -> Json:
    """The AsyncAPI 3.0 document of the event log, as a product of this version."""
    messages = {kind.TYPE: _message(kind) for kind in EVENT_TYPES.values()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Disco Musica events",
            "version": version,
            "description": "Every import, analysis and generation of music, as CloudEvents 1.0, in order.",
            "license": {"name": "Apache-2.0"},
            "tags": [
                {"name": topic.__name__.rsplit(".", 1)[-1], "description": (topic.__doc__ or "").strip().split("\n")[0]}
                for topic in TOPICS
            ],
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "events": {
                "address": "events",
                "description": "The log. Within a project, events keep their order and `sequence` has no gaps.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "followEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/events"},
                "summary": "What a subscriber hears: history from a position first, then live, no gap and no repeat.",
            }
        },
        "components": {"messages": messages},
    }
