"""How the service is doing: views, jobs, dead letters."""

from __future__ import annotations

from typing import cast

import strawberry

from api.access import requires
from api.graphql.context import Info
from api.graphql.fields import derived, query
from api.graphql.paging import Connection, connect
from api.graphql.resources import Resource
from api.graphql.scalars import JSON, Cursor, Instant, Long
from api.tokens import PageCursor, page_text, parse_page
from domain.access import Permission
from domain.errors import NotFound
from domain.ids import parse_id
from domain.views import Document


@strawberry.type(description="How a view stands against the log")
class View:
    """Resolved over `domain.views.ViewStatus`, whose attributes it names."""

    name: str
    version: int
    position: Long = strawberry.field(description="The last event it has taken in")
    lag: Long = strawberry.field(description="How many events it is behind the log")
    state: str
    building_position: Long | None = strawberry.field(description="How far its successor is being built, if it is")


@strawberry.type(description="A command and all that follows from it")
class Job:
    """A job."""

    id: strawberry.ID
    project_id: strawberry.ID
    actor: str
    started: Instant
    updated: Instant
    types: JSON = strawberry.field(description="How many events of each type it holds")
    answered: JSON = strawberry.field(description="How many events each processor has given")
    failed: int
    retried: int
    pending: int = strawberry.field(description="How many pieces of processing are still to come")

    @derived("Whether nothing more will come of it")
    def done(self) -> bool:
        """Nothing is pending."""
        return self.pending == 0


@strawberry.type(description="A piece of processing that was given up")
class DeadLetter:
    """A dead letter."""

    id: strawberry.ID = strawberry.field(description="Give it to `retry` as failureId")
    resource_id: strawberry.ID
    project_id: strawberry.ID
    job: strawberry.ID
    cause: strawberry.ID = strawberry.field(description="The event that could not be processed")
    processor: str
    attempts: int
    code: str
    message: str
    traceback_digest: str
    time: Instant

    @derived()
    async def resource(self, info: Info) -> Resource | None:
        """The resource it is about."""
        try:
            return await info.context.resource(self.resource_id)
        except NotFound:
            return None


def job_of(found: Document, pending: int) -> Job:
    """A job of its document."""
    return Job(
        id=found["id"],
        project_id=found["project"],
        actor=found["actor"],
        started=found["started_us"],
        updated=found["updated_us"],
        types=cast(JSON, found["types"]),
        answered=cast(JSON, found["answered"]),
        failed=found["failed"],
        retried=found["retried"],
        pending=pending,
    )


def _letter(found: Document) -> DeadLetter:
    return DeadLetter(
        id=found["id"],
        resource_id=found["resource_id"],
        project_id=found["project"],
        job=found["job"],
        cause=found["cause_id"],
        processor=found["processor"],
        attempts=found["attempts"],
        code=found["code"],
        message=found["message"],
        traceback_digest=found["traceback_digest"],
        time=found["time_us"],
    )


@requires(Permission.READ)
async def job(info: Info, id: strawberry.ID, after: Cursor | None = None) -> Job | None:
    """A job by the id that a mutation answered with."""
    await info.context.seen(after)
    service = info.context.service
    return await info.context.run(lambda: job_of(service.views.jobs.get(id), service.pending(id)))


@requires(Permission.OPERATE)
async def views(info: Info, after: Cursor | None = None) -> list[View]:
    """Where every view stands."""
    await info.context.seen(after)
    return cast(list[View], await info.context.run(info.context.service.views.status))


@requires(Permission.READ, of="project")
async def dead_letters(
    info: Info, project: strawberry.ID | None = None, first: int = 50, after: Cursor | None = None
) -> Connection[DeadLetter]:
    """What processors gave up on and nobody has tried again since."""
    await info.context.seen(after)
    cursor = parse_page(after, "deadLetters")
    begin = cursor.after if isinstance(cursor, PageCursor) else 0
    within = parse_id(project) if project else None
    records = info.context.service.views.dead_letters
    found, more = await info.context.run(records.page, project=within, first=first, after=begin)
    return connect([(page_text("deadLetters", at), _letter(item)) for at, item in found], more=more, began=begin > 0)


@strawberry.type
class OperationQueries:
    """Root fields about the service itself."""

    job: Job | None = query(job)
    views: list[View] = query(views)
    dead_letters: Connection[DeadLetter] = query(dead_letters)
