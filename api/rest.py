"""REST: what GraphQL is not made for: uploads, downloads in ranges, provenance documents; health and metrics."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.access import LOCAL, check, declared, requires
from api.errors import fitting
from api.export import FORMATS, exported
from api.graphql.context import Shared
from api.graphql.scalars import as_of
from api.health import healthz, metrics, readyz
from api.plots import FORMATS as PLOT_FORMATS
from api.plots import plotted
from api.ranges import parse_range
from api.transfers import Wish, begin_upload, check_project, complete_upload, content_of, imported_answer, link
from domain.access import Permission
from domain.errors import LimitExceeded, Malformed, NotFound, Unavailable
from domain.ids import parse_id

CHUNK_BYTES = 256 * 1024
PART_BYTES = 1 << 20
STALLED_S = 60.0
FOLDER = "disco-upload-"
_INLINE = ("audio/", "image/png", "image/jpeg", "video/", "text/plain")


def rest(shared: Shared) -> list[Route]:
    """The routes under /api, and health."""
    return [
        Route(path, _served(endpoint, shared), methods=methods, name=endpoint.__name__)
        for path, methods, endpoint in (
            ("/api/projects/{project_id}/files", ["POST"], upload),
            ("/api/projects/{project_id}/uploads", ["POST"], begin_upload),
            ("/api/projects/{project_id}/uploads/{upload}", ["POST"], complete_upload),
            ("/api/blobs/{sha256}", ["GET", "HEAD"], download),
            ("/api/resources/{id}/content", ["GET", "HEAD"], content),
            ("/api/resources/{id}/link", ["GET"], link),
            ("/api/lineage/{id}/{format}.json", ["GET"], lineage),
            ("/api/resources/{id}/plots/{plot}.{format}", ["GET"], plot),
        )
    ] + probes(shared)


def probes(shared: Shared) -> list[Route]:
    """The routes by which others see how this process is."""
    return [
        Route(f"/{endpoint.__name__}", _served(endpoint, shared), methods=["GET"], name=endpoint.__name__)
        for endpoint in (healthz, readyz, metrics)
    ]


Endpoint = Callable[[Request, Shared], Any]  # Any: an awaitable of a response


def _served(endpoint: Endpoint, shared: Shared) -> Callable[[Request], Any]:  # Any: the same
    """The route of an endpoint, its permission checked first."""
    requirement = declared(endpoint)

    @requires(requirement.permission, of=requirement.of)
    async def serve(request: Request) -> Response:
        check(shared.service.access, LOCAL, requirement, request.path_params)
        answer: Response = await endpoint(request, shared)
        return answer

    serve.__doc__ = endpoint.__doc__
    return serve


@dataclass(frozen=True, slots=True)
class _Received:
    """An upload that lies in a temporary file."""

    path: Path
    sha256: str
    size_bytes: int


@asynccontextmanager
async def _received(request: Request, shared: Shared) -> AsyncIterator[_Received]:
    """The body in a file that only this user can read and that is gone behind, hashed and counted on the way.

    Raises: LimitExceeded, as soon as it passes the limit; Unavailable, where it stands still or the disk is full.
    """
    limit = shared.service.blob_limit_bytes
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit:
        raise LimitExceeded(f"the upload has {int(told):,} bytes, {limit:,} are allowed", limit=limit)
    with _disk():
        folder = tempfile.mkdtemp(prefix=FOLDER)
    path, digest, size = Path(folder) / "upload", hashlib.sha256(), 0
    try:
        with path.open("wb", buffering=0) as file:
            async for part in _parts(request):
                size += len(part)
                if size > limit:
                    raise LimitExceeded(f"the upload is larger than {limit:,} bytes", limit=limit)
                digest.update(part)
                with _disk():
                    await shared.threads.wait(_write, file, part)
        yield _Received(path, digest.hexdigest(), size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # not in a thread: a cancelled request would skip it


async def _parts(request: Request) -> AsyncIterator[bytes]:
    """The body in parts that are worth a write. Raises: Unavailable, where it stands still; Malformed, cut off."""
    gathered, chunks = bytearray(), request.stream()
    while True:
        try:
            async with asyncio.timeout(STALLED_S):
                chunk = await anext(chunks, None)
        except TimeoutError as error:
            raise Unavailable(f"the upload stood still for {STALLED_S:g} s; send it again") from error
        except ClientDisconnect as error:
            raise Malformed("the upload broke off; send it again") from error
        gathered += chunk or b""
        if gathered and (chunk is None or len(gathered) >= PART_BYTES):
            yield bytes(gathered)
            gathered.clear()
        if chunk is None:
            return


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = tempfile.gettempdir()
        raise Unavailable(
            f"the upload cannot be written to {where}: {error.strerror}; free some space there, or set TMPDIR"
        ) from error


def _write(file: RawIOBase, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


@requires(Permission.WRITE, of="project_id")
async def upload(request: Request, shared: Shared) -> Response:
    """Import the body as a file named `name` into a project, or into its track `container`.

    Answers 201 and the new resource, 200 where the project held the content already; under the same `commandId` again,
    as the first time.
    Raises: Malformed, Unsupported, LimitExceeded, NotFound, Conflict, Unavailable.
    """
    wish, service = Wish.of(request), shared.service
    await shared.threads.run(check_project, service, wish.project)
    async with _received(request, shared) as received:
        await shared.threads.run(wish.check, service, received.sha256)
        with fitting():
            imported, done = await shared.threads.work(
                service.import_upload,
                received.path,
                file_name=wish.name,
                project_id=wish.project,
                container_id=wish.container,
                actor=LOCAL,
                command_id=wish.command_id,
            )
    return imported_answer(imported, done, sha256=received.sha256, size_bytes=received.size_bytes)


def _read(file: BinaryIO, first: int, last: int) -> Iterator[bytes]:
    with file:
        file.seek(first)
        left = last - first + 1
        while left > 0:
            chunk = file.read(min(CHUNK_BYTES, left))
            if not chunk:
                return
            left -= len(chunk)
            yield chunk


def _disposition(name: str | None, media_type: str) -> str:
    how = "inline" if media_type.startswith(_INLINE) else "attachment"
    return f"{how}; filename*=UTF-8''{quote(name, safe='')}" if name else how


async def _send(request: Request, shared: Shared, sha256: str, media_type: str, name: str | None) -> Response:
    """The blob, or the part of it that the request asks for."""
    service = shared.service
    size = await shared.threads.run(service.blobs.size, sha256)
    etag = f'"{sha256}"'
    headers = {
        "etag": etag,
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=31536000, immutable",
        "content-disposition": _disposition(name, media_type),
        "content-security-policy": "sandbox; default-src 'none'",
    }
    if etag in request.headers.get("if-none-match", "") or request.headers.get("if-none-match") == "*":
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
    try:
        part = parse_range(wanted, size)
    except LimitExceeded as error:
        unsatisfied = {"content-range": f"bytes */{size}", "content-type": "application/problem+json"}
        told = {"title": "NotSatisfiable", "status": 416, "code": error.code, "detail": error.message}
        return Response(orjson.dumps(told), 416, headers=unsatisfied)
    first, last = part or (0, size - 1)
    headers["content-length"] = str(last - first + 1)
    if part:
        headers["content-range"] = f"bytes {first}-{last}/{size}"
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    file = await shared.threads.run(service.blobs.open, sha256)
    return StreamingResponse(_chunks(shared, file, first, last), status, headers=headers, media_type=media_type)


async def _chunks(shared: Shared, file: BinaryIO, first: int, last: int) -> AsyncIterator[bytes]:
    chunks = _read(file, first, last)
    try:
        while (chunk := await shared.threads.run(next, chunks, None)) is not None:
            yield chunk
    finally:
        file.close()


@requires(Permission.READ)
async def download(request: Request, shared: Shared) -> Response:
    """A blob by its sha256, whole or in a range. Raises: NotFound."""
    name = request.query_params.get("name")
    return await _send(request, shared, request.path_params["sha256"], "application/octet-stream", name)


@requires(Permission.READ, of="id")
async def content(request: Request, shared: Shared) -> Response:
    """The content of a resource under its name and media type, whole or in a range. Raises: NotFound."""
    id = parse_id(request.path_params["id"])
    blob, name = await shared.threads.run(content_of, shared.service, id)
    return await _send(request, shared, blob["sha256"], blob["media_type"], name)


@requires(Permission.READ, of="id")
async def lineage(request: Request, shared: Shared) -> Response:
    """The lineage of a resource as prov.json or openlineage.json, as of `asOf`. Raises: NotFound, LimitExceeded."""
    format = request.path_params["format"]
    if format not in FORMATS:
        raise NotFound(f"lineage is written as {' or '.join(FORMATS)}, not {format!r}", format=format)
    id, moment = parse_id(request.path_params["id"]), as_of(request.query_params.get("asOf"))
    document = await shared.threads.wait(exported, shared.service, id, format, moment=moment)
    return Response(document.body, media_type=FORMATS[format].media_type)


@requires(Permission.READ, of="id")
async def plot(request: Request, shared: Shared) -> Response:
    """A picture of what was heard in an asset, as PNG or SVG, as of `asOf`. Raises: NotFound."""
    id, moment = parse_id(request.path_params["id"]), as_of(request.query_params.get("asOf"))
    name, format = request.path_params["plot"], request.path_params["format"]
    picture = await shared.threads.wait(plotted, shared.service, id, name, format, moment=moment)
    return Response(picture, media_type=PLOT_FORMATS[format])
