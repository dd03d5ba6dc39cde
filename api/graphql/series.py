"""Measurements over time: loudness, tempo, processing times."""

from __future__ import annotations

import re
from typing import Annotated

import strawberry

from api.access import requires
from api.graphql.context import Info
from api.graphql.fields import query
from api.graphql.limits import usually
from api.graphql.moments import AsOfArgument
from api.graphql.paging import PageInfo, page_info
from api.graphql.scalars import Cursor, Instant, as_of
from api.tokens import PageCursor, page_text, parse_page
from domain import views
from domain.access import Permission
from domain.errors import Malformed
from domain.ids import parse_id

_UNITS_US = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}


@strawberry.type(description="A measurement, or a bucket of them that begins at this time")
class Point:
    """Resolved over `domain.views.Point`, whose attributes it names."""

    time_us: Instant = strawberry.field(name="time")
    count: int
    mean: float
    minimum: float
    maximum: float
    subject: strawberry.ID | None = strawberry.field(description="What was measured; null for a bucket of several")


@strawberry.type(description="Part of a series, in order of time")
class SeriesConnection:
    """A page of points."""

    name: str
    nodes: list[Point] = strawberry.field(metadata=usually(1))
    page_info: PageInfo


def bucket_us(text: str | None) -> int:
    """The width of a bucket such as 30s, 15m, 1h, 1d or 1w; None is 0, single measurements. Raises: Malformed."""
    if text is None:
        return 0
    found = re.fullmatch(r"(\d{1,6})(ms|s|m|h|d|w)", text.strip())
    if found is None or int(found[1]) == 0:
        raise Malformed(f"{text[:40]!r} is not a width of time; write 30s, 15m, 1h, 1d or 1w", field="bucket")
    return int(found[1]) * _UNITS_US[found[2]]


@requires(Permission.READ, of="project")
async def series(
    info: Info,
    name: str,
    project: strawberry.ID | None = None,
    bucket: str | None = None,
    from_: Annotated[Instant | None, strawberry.argument(name="from")] = None,
    to: Instant | None = None,
    as_of_: AsOfArgument = None,
    first: int = 100,
    after: Cursor | None = None,
) -> SeriesConnection:
    """Measurements of a name, or their buckets of a width such as 1h."""
    await info.context.seen(after)
    width, cursor = bucket_us(bucket), parse_page(after, "series")
    within = parse_id(project) if project else None
    moment = as_of(as_of_)
    begin, skip = (cursor.after, cursor.position) if isinstance(cursor, PageCursor) else (from_ or 0, 0)

    def load() -> SeriesConnection:
        found = info.context.service.views.series.points(
            name,
            project=within,
            from_us=begin,
            to_us=to,
            bucket_us=width,
            first=first + skip + 1,
            as_of=moment,
        )
        page = found[skip : skip + first]
        cursors = [_cursor(found, skip + index, begin, width) for index in range(len(page))]
        info_ = page_info(cursors, more=len(found) > skip + first, began=isinstance(cursor, PageCursor))
        return SeriesConnection(name=name, nodes=page, page_info=info_)  # type: ignore[arg-type]  # see Point

    return await info.context.run(load)


def _cursor(found: list[views.Point], index: int, begin: int, width: int) -> str:
    """Behind a bucket: where the next begins. Behind a measurement: its time, and how many of that time were told."""
    point = found[index]
    if width:
        return page_text("series", point.time_us + width)
    told = sum(1 for other in found[: index + 1] if other.time_us == point.time_us)
    return page_text("series", max(point.time_us, begin), told)


@requires(Permission.READ, of="project")
async def series_names(
    info: Info, project: strawberry.ID | None = None, as_of_: AsOfArgument = None, after: Cursor | None = None
) -> list[str]:
    """The names of the series there are."""
    await info.context.seen(after)
    within = parse_id(project) if project else None
    return await info.context.run(info.context.service.views.series.names, within, as_of(as_of_))


@strawberry.type
class SeriesQueries:
    """Root fields about measurements."""

    series: SeriesConnection = query(series)
    series_names: list[str] = query(series_names)
