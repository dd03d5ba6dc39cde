"""Mutations: one for every command; each answers with the resource, the job and a token for later reads.

Every one takes an optional `commandId`: the same again writes nothing and answers as the first time; with it, another
command is a conflict. Those that change a resource take `expectedVersion`: where it is another by now, nothing is
changed and the error is a conflict.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

import strawberry

from api.access import requires
from api.errors import fitting
from api.export import FORMATS, exported
from api.graphql.context import Info
from api.graphql.fields import derived, mutation
from api.graphql.resources import Resource
from api.graphql.scalars import JSON, Cursor, Long
from api.reprocessing import known_processors
from api.tokens import token_text
from domain import commands as c
from domain.access import Permission
from domain.handling import Done
from domain.ids import ProjectId, ResourceId, parse_id

C = TypeVar("C", bound=c.Command)
ID = strawberry.ID


@strawberry.type(description="What came of a command")
class Written:
    """The answer of every mutation."""

    resource_id: ID
    token: Cursor = strawberry.field(
        description="Give it as `after` to a read that shall see this write, or what made it needless"
    )
    job: ID
    written: int = strawberry.field(description="How many events were written")

    @derived("The resource after the write, once the views have got there")
    async def resource(self, info: Info) -> Resource:
        """The resource."""
        await info.context.seen(self.token)
        return await info.context.resource(self.resource_id)


@strawberry.type(description="What came of importing an uploaded file")
class ImportedFile(Written):
    """The answer of importBlob."""

    new: bool = strawberry.field(description="False where the project held this content already")


@strawberry.enum(description="A standard that lineage can be written in")
class ExportFormat(Enum):
    """W3C PROV-JSON, or OpenLineage run events."""

    PROV = "prov"
    OPENLINEAGE = "openlineage"


def _written(done: Done) -> Written:
    token = Cursor(token_text(done.token))
    return Written(resource_id=ID(done.resource_id), token=token, job=ID(done.job), written=done.written)


def make(kind: type[C], **fields: object) -> C:
    """A command of its fields. Raises: Malformed, naming the first field that does not fit."""
    with fitting():
        return kind(**fields)


async def _execute(info: Info, command: c.Command, command_id: str | None) -> Written:
    context = info.context
    return _written(await context.run(context.service.execute, command, actor=context.actor, command_id=command_id))


@requires(Permission.WRITE)
async def create_project(info: Info, name: str, command_id: str | None = None) -> Written:
    """Begin a project."""
    return await _execute(info, make(c.CreateProject, name=name), command_id)


@requires(Permission.WRITE, of="project_id")
async def create_track(info: Info, project_id: ID, name: str, command_id: str | None = None) -> Written:
    """Add a track to a project."""
    return await _execute(info, make(c.CreateTrack, project_id=parse_id(project_id), name=name), command_id)


async def _change(
    info: Info, kind: type[c.ChangeResource], id: str, *, version: int | None, command_id: str | None, **fields: object
) -> Written:
    command = make(kind, resource_id=parse_id(id), expected_version=version, **fields)
    return await _execute(info, command, command_id)


@requires(Permission.WRITE, of="id")
async def rename(
    info: Info, id: ID, name: str, expected_version: int | None = None, command_id: str | None = None
) -> Written:
    """Give a resource another name."""
    return await _change(info, c.RenameResource, id, version=expected_version, command_id=command_id, name=name)


@requires(Permission.WRITE, of="id")
async def tag(
    info: Info,
    id: ID,
    add: list[str] | None = None,
    remove: list[str] | None = None,
    expected_version: int | None = None,
    command_id: str | None = None,
) -> Written:
    """Put tags on a resource and take tags off it."""
    tags = {"add": tuple(add or ()), "remove": tuple(remove or ())}
    return await _change(info, c.TagResource, id, version=expected_version, command_id=command_id, **tags)


@requires(Permission.WRITE, of="id")
async def describe(
    info: Info, id: ID, changes: JSON, expected_version: int | None = None, command_id: str | None = None
) -> Written:
    """Change a resource's free metadata: keys replace, null removes."""
    return await _change(info, c.DescribeResource, id, version=expected_version, command_id=command_id, changes=changes)


@requires(Permission.WRITE, of="id")
async def move(
    info: Info, id: ID, to_id: ID, expected_version: int | None = None, command_id: str | None = None
) -> Written:
    """Put an asset into another track, or straight into the project."""
    to = parse_id(to_id)
    return await _change(info, c.MoveResource, id, version=expected_version, command_id=command_id, to_id=to)


@requires(Permission.WRITE, of="id")
async def archive(info: Info, id: ID, expected_version: int | None = None, command_id: str | None = None) -> Written:
    """Put a resource out of the way; its history stays."""
    return await _change(info, c.ArchiveResource, id, version=expected_version, command_id=command_id)


@requires(Permission.WRITE, of="id")
async def restore(info: Info, id: ID, expected_version: int | None = None, command_id: str | None = None) -> Written:
    """Bring an archived resource back."""
    return await _change(info, c.RestoreResource, id, version=expected_version, command_id=command_id)


@requires(Permission.WRITE, of="id")
async def link_version(
    info: Info, id: ID, previous_id: ID, expected_version: int | None = None, command_id: str | None = None
) -> Written:
    """Say that an asset is a newer version of another of its project."""
    previous = parse_id(previous_id)
    return await _change(info, c.LinkVersion, id, version=expected_version, command_id=command_id, previous_id=previous)


@requires(Permission.WRITE, of="project_id")
async def import_blob(
    info: Info,
    sha256: str,
    file_name: str,
    project_id: ID,
    container_id: ID | None = None,
    command_id: str | None = None,
) -> ImportedFile:
    """Make an asset of a blob that is here already; `POST /api/projects/{id}/files` uploads and imports in one go."""
    context = info.context
    project, container = ProjectId(parse_id(project_id)), parse_id(container_id) if container_id else None
    with fitting():
        imported, done = await context.shared.threads.work(
            context.service.import_blob,
            sha256,
            file_name=file_name,
            project_id=project,
            container_id=container,
            actor=context.actor,
            command_id=command_id,
        )
    written = _written(done)
    return ImportedFile(
        resource_id=ID(imported.asset_id),
        token=written.token,
        job=written.job,
        written=written.written,
        new=imported.new,
    )


@requires(Permission.GENERATE, of="asset_id")
async def generate_accompaniment(
    info: Info,
    asset_id: ID,
    seed: Long,
    name: str | None = None,
    parameters: JSON | None = None,
    command_id: str | None = None,
) -> Written:
    """Write bass, chords and drums to an analysed asset; the same seed and parameters give the same bytes."""
    command = make(
        c.GenerateAccompaniment, asset_id=parse_id(asset_id), seed=seed, name=name, parameters=parameters or {}
    )
    return await _execute(info, command, command_id)


@requires(Permission.GENERATE, of="asset_id")
async def keep_transcription(
    info: Info, asset_id: ID, name: str | None = None, command_id: str | None = None
) -> Written:
    """Make a MIDI asset of the notes that were written down from a recording."""
    return await _execute(info, make(c.KeepTranscription, asset_id=parse_id(asset_id), name=name), command_id)


@requires(Permission.WRITE, of="resource_id")
async def retry(info: Info, resource_id: ID, failure_id: ID, command_id: str | None = None) -> Written:
    """Try a dead letter again."""
    command = make(c.RetryProcessing, resource_id=parse_id(resource_id), failure_id=parse_id(failure_id))
    return await _execute(info, command, command_id)


@requires(Permission.WRITE, of="project_id")
async def reprocess(
    info: Info, project_id: ID, processors: list[str] | None = None, command_id: str | None = None
) -> Written:
    """Have all that older versions of processors have answered in a project answered by the current ones."""
    names = known_processors(info.context.service, processors or ())
    return await _execute(info, make(c.Reprocess, project_id=parse_id(project_id), processors=names), command_id)


@requires(Permission.WRITE, of="id")
async def export_lineage(info: Info, id: ID, format: ExportFormat, command_id: str | None = None) -> Written:
    """Write the lineage of a resource as a document and remember it as an export."""
    context = info.context
    found, kind = parse_id(id), FORMATS[format.value]

    def write() -> c.ExportLineage:
        document = exported(context.service, ResourceId(found), format.value)
        blob = context.service.blobs.put(document.body, kind.media_type)
        return make(c.ExportLineage, resource_id=found, format=kind.name, position=document.position, content=blob)

    return await _execute(info, await context.shared.threads.wait(write), command_id)


def _field(resolver: Any) -> Any:  # Any: see `fields.query`
    return mutation(resolver)


@strawberry.type
class Mutation:
    """Every command."""

    create_project: Written = _field(create_project)
    create_track: Written = _field(create_track)
    rename: Written = _field(rename)
    tag: Written = _field(tag)
    describe: Written = _field(describe)
    move: Written = _field(move)
    archive: Written = _field(archive)
    restore: Written = _field(restore)
    link_version: Written = _field(link_version)
    import_blob: ImportedFile = _field(import_blob)
    generate_accompaniment: Written = _field(generate_accompaniment)
    keep_transcription: Written = _field(keep_transcription)
    retry: Written = _field(retry)
    reprocess: Written = _field(reprocess)
    export_lineage: Written = _field(export_lineage)
