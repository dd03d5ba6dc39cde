"""Uploads and downloads past the service: begun and completed here, carried by the blob store itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api.access import LOCAL, requires
from api.errors import fitting
from api.graphql.context import Shared
from api.tokens import token_text
from domain import ids
from domain.access import Permission
from domain.errors import LimitExceeded, Malformed, NotFound, Unsupported
from domain.handling import Done, check_command_id, past_of
from domain.ids import ProjectId, ResourceId, parse_id
from domain.ports import DirectTransfers
from domain.service import Imported, Service
from domain.views import Kind

UPLOAD_S = 900
DOWNLOAD_S = 300
OCTETS = "application/octet-stream"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def json_answer(body: object, status: int = 200) -> Response:
    """An answer for a program."""
    return Response(orjson.dumps(body), status, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to become of an upload: a file of this name, in this project, inside of it or of a track."""

    project: ProjectId
    name: str
    container: ResourceId | None
    command_id: str | None

    @classmethod
    def of(cls, request: Request) -> Wish:
        """Read it from a request's path and query. Raises: Malformed."""
        query = request.query_params
        name, inside = query.get("name", "").strip(), query.get("container")
        if not name or len(name) > 500 or any(part in name for part in ("/", "\\", "\x00")):
            raise Malformed("say the file's name, without folders, as ?name=…", field="name")
        project = ProjectId(parse_id(request.path_params["project_id"]))
        return cls(project, name, parse_id(inside) if inside else None, query.get("commandId"))

    def check(self, service: Service, sha256: str) -> None:
        """Refuse it before anything is kept of content that is refused. Raises: NotFound, Malformed, Conflict."""
        check_project(service, self.project)
        if self.container is not None and past_of(service.log, self.container) is None:
            raise NotFound(f"there is no track {self.container}", id=self.container)
        if self.command_id is not None:
            check_command_id(service.log, self.command_id, about=ids.asset_id(self.project, sha256))


def check_project(service: Service, id: ProjectId) -> None:
    """Return if there is such a project. Raises: NotFound; Malformed, for another kind of resource."""
    found = past_of(service.log, ResourceId(id))
    if found is None:
        raise NotFound(f"there is no project {id}", id=id)
    if found.kind is not Kind.PROJECT:
        raise Malformed(f"{found.name!r} ({id}) is a {found.kind}; files are uploaded to a project", id=id)


def imported_answer(imported: Imported, done: Done, *, sha256: str, size_bytes: int) -> Response:
    """What an upload came to: 201 and the new resource, 200 where the project held the content already."""
    body = {
        "resourceId": imported.asset_id,
        "projectId": imported.project_id,
        "new": imported.new,
        "job": done.job,
        "token": token_text(done.token),
        "content": {"sha256": sha256, "size": str(size_bytes), "url": f"/api/blobs/{sha256}"},
    }
    return json_answer(body, 201 if imported.new else 200)


def _direct(service: Service) -> DirectTransfers:
    if service.direct is None:
        raise Unsupported(
            "content lies in a folder here, which nobody else can reach; send files to"
            " /api/projects/{id}/files and get them from /api/resources/{id}/content, or use the server profile"
        )
    return service.direct


def _number(request: Request, field: str, usual: int) -> int:
    told = request.query_params.get(field, str(usual))
    if not (told.isascii() and told.isdecimal() and len(told) < 16):
        raise Malformed(f"{field} is a whole number, not {told!r}", field=field)
    return int(told)


@requires(Permission.WRITE, of="project_id")
async def begin_upload(request: Request, shared: Shared) -> Response:
    """Give leave to send one file of at most `size` bytes to the blob store itself, for `seconds`.

    POST `fields` and then the file as `file` to `url`, as a form; then complete `upload`.
    Raises: Unsupported, Malformed, LimitExceeded, NotFound, Unavailable.
    """
    service, project = shared.service, ProjectId(parse_id(request.path_params["project_id"]))
    direct, limit = _direct(service), service.blob_limit_bytes
    size, seconds = _number(request, "size", limit), _number(request, "seconds", UPLOAD_S)
    if size > limit:
        raise LimitExceeded(f"the upload has {size:,} bytes, {limit:,} are allowed", limit=limit)
    await shared.threads.run(check_project, service, project)
    form = await shared.threads.wait(direct.upload, limit_bytes=max(1, size), seconds=seconds)
    body = {
        "upload": form.upload,
        "url": form.url,
        "fields": dict(form.fields),
        "limit": str(form.limit_bytes),
        "seconds": seconds,
    }
    return json_answer(body, 201)


@requires(Permission.WRITE, of="project_id")
async def complete_upload(request: Request, shared: Shared) -> Response:
    """Import what was sent as `upload`, whose content is `sha256`, as a file named `name`; answers as an upload does.

    Nothing names the content before its hash and size were found to be what they should be; what is refused is removed,
    or swept later. Sent again, it answers as the first time.
    Raises: as `upload`; Unsupported.
    """
    direct, wish = _direct(shared.service), Wish.of(request)
    sha256, upload = request.query_params.get("sha256", ""), request.path_params["upload"]
    if not _SHA256.fullmatch(sha256):
        raise Malformed("say the content's SHA-256, in 64 lower-case digits, as ?sha256=…", field="sha256")
    with fitting():
        imported, done, size_bytes = await shared.threads.work(
            _complete, shared.service, direct, wish, upload=parse_id(upload), sha256=sha256
        )
    return imported_answer(imported, done, sha256=sha256, size_bytes=size_bytes)


def _complete(
    service: Service, direct: DirectTransfers, wish: Wish, *, upload: str, sha256: str
) -> tuple[Imported, Done, int]:
    wish.check(service, sha256)
    try:
        direct.accept(upload, OCTETS, limit_bytes=service.blob_limit_bytes, sha256=sha256)
    except NotFound:  # it was accepted, and its answer lost or its import refused
        if not service.blobs.has(sha256):
            raise
    imported, done = service.import_blob(
        sha256,
        file_name=wish.name,
        project_id=wish.project,
        container_id=wish.container,
        actor=LOCAL,
        command_id=wish.command_id,
    )
    return imported, done, service.blobs.size(sha256)


@requires(Permission.READ, of="id")
async def link(request: Request, shared: Shared) -> Response:
    """An address of the blob store that gives a resource's content as a file for `seconds`, to whoever has it.

    Raises: Unsupported, Malformed, NotFound, Unavailable.
    """
    service, id = shared.service, parse_id(request.path_params["id"])
    direct, seconds = _direct(service), _number(request, "seconds", DOWNLOAD_S)
    blob, name = await shared.threads.run(content_of, service, id)
    url = await shared.threads.wait(
        direct.download, blob["sha256"], file_name=name, media_type=blob["media_type"], seconds=seconds
    )
    return json_answer({"url": url, "seconds": seconds, "sha256": blob["sha256"], "size": str(blob["size_bytes"])})


def content_of(service: Service, id: ResourceId) -> tuple[dict[str, Any], str]:  # Any: JSON
    """The blob of a resource, and the name it is saved under. Raises: NotFound."""
    document = service.views.documents.get(id)
    blob = document.get("content")
    if not blob:
        raise NotFound(f"{document['name']!r} has no content of its own", id=id)
    return blob, document.get("file_name") or document["name"]
