"""GraphQL over HTTP: POST for everything, GET for queries, one request an operation, no batches."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import orjson
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.access import requires
from api.errors import to_problem
from api.graphql.context import Context, Shared
from api.graphql.engine import EVERYTHING, READ_ONLY, Answer, Asked, Engine, asked
from domain.access import Permission
from domain.errors import DiscoError, LimitExceeded, Malformed, Unsupported

MOST_BODY_BYTES = 1 << 20
JSON_TYPE = "application/json"
GRAPHQL_TYPE = "application/graphql-response+json"


async def body_of(request: Request, limit: int = MOST_BODY_BYTES) -> bytes:
    """The request's body. Raises: LimitExceeded, as soon as it passes the limit."""
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > limit:
        raise LimitExceeded(f"the request has {told} bytes, {limit} are allowed", what="body", limit=limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise LimitExceeded(f"the request has more than {limit} bytes", what="body", limit=limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _json(text: bytes | str, field: str) -> Any:  # Any: JSON
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"{field} is not JSON: {error}", field=field) from error


def from_query(request: Request) -> Asked:
    """Read a request from a URL's query. Raises: Malformed."""
    given = dict(parse_qsl(request.url.query, keep_blank_values=True))
    body: dict[str, object] = {"query": given.get("query"), "operationName": given.get("operationName")}
    if given.get("variables"):
        body["variables"] = _json(given["variables"], "variables")
    return asked(body)


async def from_body(request: Request) -> Asked:
    """Read a request from a JSON body. Raises: Malformed, LimitExceeded, Unsupported."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON_TYPE:
        raise Unsupported(f"send the query as {JSON_TYPE}, not {kind or 'nothing'}")
    return asked(_json(await body_of(request), "body"))


def _response(answer: Answer, request: Request) -> Response:
    accepts = request.headers.get("accept", "")
    kind = GRAPHQL_TYPE if GRAPHQL_TYPE in accepts else JSON_TYPE
    status = 200 if answer.ran or kind == JSON_TYPE else 400
    return Response(answer.json, status, media_type=kind, headers={"cache-control": "no-store"})


def refused(error: Exception) -> Response:
    """A request that was no GraphQL request: its errors in GraphQL's form, under the status of the problem."""
    status, problem = to_problem(error)
    told = {key: problem[key] for key in ("code", "retryable", "details")}
    body = {"errors": [{"message": problem["detail"], "extensions": told}]}
    return Response(orjson.dumps(body), 400 if status == 422 else status, media_type=JSON_TYPE)


class GraphQLEndpoint:
    """The route /graphql."""

    def __init__(self, engine: Engine, shared: Shared, *, development: bool) -> None:
        self._engine = engine
        self._shared = shared
        self._development = development

    @requires(Permission.READ)
    async def __call__(self, request: Request) -> Response:
        """Answer; every field of the query checks its own permission."""
        wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if wants_page and "query" not in request.query_params:
            return self._page()
        try:
            given = from_query(request) if request.method == "GET" else await from_body(request)
        except DiscoError as error:
            return refused(error)
        allowed = READ_ONLY if request.method == "GET" else EVERYTHING - {OperationType.SUBSCRIPTION}
        answer = await self._engine.execute(given, Context(self._shared), allowed=allowed)
        return _response(answer, request)

    def _page(self) -> Response:
        if not self._development:
            return HTMLResponse("GraphQL: POST a query as application/json. See docs/schema.graphql.\n")
        from strawberry.http.ides import get_graphql_ide_html  # a page of 100 kB that only development reads

        return HTMLResponse(get_graphql_ide_html(graphql_ide="graphiql"))
