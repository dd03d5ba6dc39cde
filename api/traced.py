"""Requests as spans: what a caller traces goes on here, and what is done for it is told beneath."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import METHODS
from domain.tracing import Ongoing, Place, Side, Spans, doing

UNTOLD = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is asked every few seconds, and tells nothing."""
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")


def caller_of(traceparent: str) -> Place | None:
    """The caller's span; None for one that is not recorded, or that is none.

    Source: W3C Trace Context, section 3.2.
    """
    found = _TRACEPARENT.match(traceparent.strip())
    if found is None or (traceparent.startswith("00") and found[4]):
        return None
    place, recorded = Place(int(found[1], 16), int(found[2], 16)), int(found[3], 16) & 1
    return place if recorded and place.trace and place.span else None


class Traced:
    """ASGI middleware that tells of requests by the pattern of their route, from their first byte to the last one."""

    def __init__(self, app: ASGIApp, spans: Spans, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self._spans = spans
        self._patterns: Mapping[object, str] = {each.endpoint: each.path for each in routes if isinstance(each, Route)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on and look at the answer."""
        if scope["type"] != "http" or scope["path"] in UNTOLD:
            await self.app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        with doing(self._spans, method, side=Side.SERVER, caller=caller_of(sent.decode("latin-1"))) as work:
            assert work is not None  # noqa: S101  # it is only here where somebody listens
            work.attributes["http.request.method"] = method

            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._note(work, scope, message["status"])
                await send(message)

            await self.app(scope, receive, noting)

    def _note(self, work: Ongoing, scope: Scope, status: int) -> None:
        route = self._patterns.get(scope["endpoint"]) if "endpoint" in scope else None
        if route is not None:
            work.name = f"{work.attributes['http.request.method']} {route}"
            work.attributes["http.route"] = route
        work.attributes["http.response.status_code"] = status
        if status >= 500:
            work.fault = str(status)
