"""How this process is: whether it answers, whether it is ready, and its numbers for Prometheus."""

from __future__ import annotations

import orjson
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response

from api.access import requires
from api.graphql.context import Shared
from domain.access import Permission
from domain.errors import Unavailable


@requires(Permission.READ)
async def healthz(request: Request, shared: Shared) -> Response:
    """The process answers."""
    return _json({"status": "ok"})


@requires(Permission.READ)
async def readyz(request: Request, shared: Shared) -> Response:
    """The log and the views answer, 503 while they do not; `degraded` where a server or a view fails beside them."""
    servers = await shared.threads.wait(shared.service.servers)
    for server in servers:
        if server.needed and server.fault is not None:
            raise Unavailable(server.fault, retry_s=5)
    views = await shared.threads.run(shared.service.views.status)
    head = await shared.threads.run(shared.service.log.head)
    well = all(server.fault is None for server in servers) and all(view.failure is None for view in views)
    told = [{"name": view.name, "version": view.version, "lag": view.lag, "state": view.state} for view in views]
    body: dict[str, object] = {"status": "ready" if well else "degraded", "position": str(head), "views": told}
    if servers:
        body["servers"] = [{"name": server.name, "fault": server.fault} for server in servers]
    return _json(body)


@requires(Permission.READ)
async def metrics(request: Request, shared: Shared) -> Response:
    """This process in numbers, for Prometheus; answered also while servers are down."""
    text = await shared.metrics.scraped(shared.service, shared.feed.position, shared.threads.wait)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
