"""What was heard in a recording, in forms that other programs read."""

from __future__ import annotations

from enum import Enum

import strawberry

from api.access import requires
from api.annotations import annotated
from api.graphql.context import Info
from api.graphql.fields import query
from api.graphql.moments import AsOfArgument
from api.graphql.scalars import Cursor, as_of
from api.heard import Heard
from domain.access import Permission
from domain.ids import ResourceId, parse_id


@strawberry.enum(description="A form that annotations can be written in")
class AnnotationFormat(Enum):
    """JAMS (JSON), CSV with a row a mark, or a label track of Audacity."""

    JAMS = "jams"
    CSV = "csv"
    AUDACITY = "audacity"


@requires(Permission.READ, of="id")
async def annotations_of(
    info: Info,
    id: strawberry.ID,
    format: AnnotationFormat,
    layers: list[str] | None = None,
    as_of_: AsOfArgument = None,
    after: Cursor | None = None,
) -> str:
    """What was heard in an asset along time, as one document: all layers (beats, chords, …), or those named."""
    context, moment = info.context, as_of(as_of_)
    await context.seen(after)

    def write() -> str:
        heard = Heard.of(context.service, ResourceId(parse_id(id)), moment)
        return annotated(heard, format.value, layers or ())

    return await context.run(write)


@strawberry.type
class HearingQueries:
    """What was heard."""

    annotations: str = query(annotations_of)
