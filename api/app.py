"""The service's front: GraphQL, REST, health, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from api.errors import to_problem
from api.feed import Feed
from api.front import front
from api.graphql.context import Shared
from api.graphql.engine import Engine
from api.graphql.http import GraphQLEndpoint
from api.graphql.sse import SseEndpoint
from api.graphql.websocket import WebSocketEndpoint
from api.guard import LOOPBACK, Guard
from api.metrics import Measured
from api.rest import probes, rest
from api.slow import SEND_S
from api.threads import Threads
from api.traced import Traced
from domain.errors import DiscoError, Malformed, NotFound
from domain.service import Service

PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Mounted:
    """What an app holds, at `app.state.mounted`: for tests, benchmarks and shutdown."""

    shared: Shared
    engine: Engine


def create_app(
    service: Service, *, development: bool, allowed_hosts: Sequence[str] = LOOPBACK, send_s: float = SEND_S
) -> FastAPI:
    """The ASGI application over an open service, which stays its opener's to close.

    development: GraphiQL, introspection and suggestions. allowed_hosts: the names it answers as, "*" for all; a name by
    which others in the network reach it has to be among them, or they get 403.
    send_s: how long a subscriber may leave a message unread before it is let go.
    """
    shared = Shared(service, Feed(service.log), Threads())
    engine = Engine(development=development)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await shared.feed.close()
        shared.threads.close()

    app = FastAPI(
        title="Disco Musica",
        version="1",
        lifespan=lifespan,
        docs_url="/api/docs" if development else None,
        redoc_url=None,
        openapi_url="/api/openapi.json" if development else None,
    )
    app.state.mounted = Mounted(shared, engine)
    graphql = GraphQLEndpoint(engine, shared, development=development)
    stream = SseEndpoint(engine, shared, send_s=send_s)
    socket = WebSocketEndpoint(engine, shared, send_s=send_s)
    plain = rest(shared)
    app.router.routes.extend(
        [
            Route("/graphql", graphql.__call__, methods=["GET", "POST"]),
            Route("/graphql/stream", stream.__call__, methods=["GET", "POST"]),
            WebSocketRoute("/graphql", socket.__call__),
            *plain,
            front(shared, plain, development=development),
        ]
    )
    _answer_problems(app)
    if service.spans.on:
        app.add_middleware(Traced, spans=service.spans, routes=app.router.routes)
    app.add_middleware(Guard, allowed_hosts=allowed_hosts)
    app.add_middleware(Measured, metrics=shared.metrics, routes=app.router.routes)
    return app


def create_probes(service: Service, *, allowed_hosts: Sequence[str] = LOOPBACK) -> FastAPI:
    """The ASGI application by which a process that answers nothing else is watched; as `create_app`."""
    shared = Shared(service, Feed(service.log), Threads())
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.extend(probes(shared))
    _answer_problems(app)
    app.add_middleware(Guard, allowed_hosts=allowed_hosts)
    return app


def problem(error: Exception) -> Response:
    """A problem document."""
    status, body = to_problem(error)
    return Response(orjson.dumps(body), status, media_type=PROBLEM)


def _answer_problems(app: FastAPI) -> None:
    async def ours(request: Request, error: Exception) -> Response:
        return problem(error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for it
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        return problem(Malformed(f"{field}: {first['msg']}", field=field))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # registered for it
        if error.status_code == 404:
            return problem(NotFound(f"there is nothing at {request.url.path}"))
        body = {"type": "about:blank", "title": error.detail, "status": error.status_code, "detail": error.detail}
        return Response(orjson.dumps(body), error.status_code, media_type=PROBLEM, headers=error.headers)

    app.add_exception_handler(DiscoError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, ours)
