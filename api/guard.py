"""What stands before every route of a local service: who it believes to be called as, and from which pages.

A page on any site can make a browser send requests to 127.0.0.1, under a name of its own choosing (DNS rebinding) or
with an Origin of its own (request forgery); a local service answers neither. It answers as localhost and as the names
it is told besides (`allowed_hosts`, `disco serve --allow-host NAME`): listening on 0.0.0.0 lets others reach it, and a
name that they reach it by has to be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import urlsplit

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import to_problem
from domain.errors import DiscoError, Forbidden

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


def host_name(host: str) -> str:
    """The name in a Host header, its port cut off; an IPv6 address keeps its brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return _bracketed(host[1:].partition("]")[0])
    return host.partition(":")[0].rstrip(".")


def allowed_name(host: str) -> str:
    """A name to be answered as, in the form of `host_name`: an IPv6 address may come without its brackets."""
    host = host.strip()
    return _bracketed(host) if host.count(":") > 1 and not host.startswith("[") else host_name(host)


def _bracketed(address: str) -> str:
    try:
        return f"[{IPv6Address(address).compressed}]"
    except AddressValueError:
        return f"[{address}]"


class Guard:
    """ASGI middleware that refuses foreign hosts and origins, for HTTP and WebSocket alike."""

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str] = LOOPBACK) -> None:
        self.app = app
        self.allowed = frozenset(map(allowed_name, allowed_hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 or go on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self.refusal(scope["headers"])
        if refusal is None:
            await self.app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.message[:120]})
        else:
            await answer_problem(send, refusal)

    def refusal(self, headers: Sequence[tuple[bytes, bytes]]) -> Forbidden | None:
        """Why a request with these headers is not answered; None if it is."""
        found = {name: value.decode("latin-1") for name, value in headers if name in (b"host", b"origin", _FETCH_SITE)}
        host = found.get(b"host", "")
        if "*" not in self.allowed and host_name(host) not in self.allowed:
            return Forbidden(
                f"this service does not answer as {host[:100]!r}; use localhost, or start it with --allow-host NAME",
                host=host[:100],
            )
        origin = found.get(b"origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return Forbidden(f"pages of {origin[:100]!r} may not use this service", origin=origin[:100])
        if origin is None and found.get(_FETCH_SITE, "none") not in ("none", "same-origin"):
            return Forbidden("pages of other sites may not use this service")
        return None


_FETCH_SITE = b"sec-fetch-site"


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_SECURITY]}
        await send(message)

    return sending


async def answer_problem(send: Send, error: DiscoError) -> None:
    """Answer with a problem document where there is no framework yet."""
    status, problem = to_problem(error)
    body = orjson.dumps(problem)
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers + _SECURITY})
    await send({"type": "http.response.body", "body": body})
