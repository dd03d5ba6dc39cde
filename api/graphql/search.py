"""Finding: by words, and by sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import strawberry

from api.access import requires
from api.graphql.context import Info
from api.graphql.fields import query
from api.graphql.moments import AsOfArgument
from api.graphql.paging import Connection, connect
from api.graphql.resources import Resource, load_resources
from api.graphql.scalars import Cursor, as_of
from api.tokens import PageCursor, page_text, parse_page
from domain.access import Permission
from domain.errors import DiscoError, LimitExceeded
from domain.ids import parse_id
from domain.views import AsOf, Hit

MOST_HITS = 1000
ProjectArgument = Annotated[strawberry.ID | None, strawberry.argument(description="Only within this project")]


@strawberry.type(description="A found resource; a greater score is a better hit")
class SearchHit:
    """A hit."""

    score: float
    resource: Resource


async def _hits(
    info: Info, of: str, find: Callable[[int], list[Hit]], *, moment: AsOf, first: int, after: str | None
) -> Connection[SearchHit]:
    await info.context.seen(after)
    cursor = parse_page(after, of)
    begin = cursor.after if isinstance(cursor, PageCursor) else 0
    if begin + first > MOST_HITS:
        raise LimitExceeded(f"only the best {MOST_HITS} hits can be paged through; narrow the search", limit=MOST_HITS)

    def load() -> Connection[SearchHit]:
        hits = find(begin + first + 1)
        page = hits[begin : begin + first]
        resources = load_resources(info.context.service, [hit.id for hit in page], moment)
        items = [
            (page_text(of, begin + index + 1), SearchHit(score=hit.score, resource=resource))
            for index, (hit, resource) in enumerate(zip(page, resources, strict=True))
            if not isinstance(resource, DiscoError)
        ]
        return connect(items, more=len(hits) > begin + first, began=begin > 0)

    return await info.context.run(load)


@requires(Permission.READ, of="project")
async def search(
    info: Info,
    text: str,
    project: ProjectArgument = None,
    as_of_: AsOfArgument = None,
    first: int = 20,
    after: Cursor | None = None,
) -> Connection[SearchHit]:
    """Resources whose name, tags, metadata or findings hold all the words, best first."""
    within, moment = parse_id(project) if project else None, as_of(as_of_)
    documents = info.context.service.views.documents

    def find(most: int) -> list[Hit]:
        return documents.search(text, first=most, project=within, as_of=moment)

    return await _hits(info, "search", find, moment=moment, first=first, after=after)


@requires(Permission.READ, of="id")
async def similar(
    info: Info,
    id: strawberry.ID,
    project: ProjectArgument = None,
    archived: Annotated[bool, strawberry.argument(description="True adds archived ones")] = False,
    as_of_: AsOfArgument = None,
    first: int = 10,
    after: Cursor | None = None,
) -> Connection[SearchHit]:
    """What sounds like it, nearest first, by the cosine of their embeddings."""
    found, within, moment = parse_id(id), parse_id(project) if project else None, as_of(as_of_)
    vectors = info.context.service.views.vectors

    def find(most: int) -> list[Hit]:
        return vectors.similar(found, first=most, project=within, archived=archived, as_of=moment)

    return await _hits(info, "similar", find, moment=moment, first=first, after=after)


@strawberry.type
class SearchQueries:
    """Root fields that find."""

    search: Connection[SearchHit] = query(search)
    similar: Connection[SearchHit] = query(similar)
