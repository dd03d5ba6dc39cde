"""Numbers for Prometheus: what is counted here as it happens, and what is asked of the service at a scrape.

No label holds what a client sends: routes are told by their pattern, methods, kinds and states are of few values.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Gauge as Counted
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import DiscoError
from domain.service import Gauge, Server, Service
from domain.views import ViewStatus

REMEMBERED_S = 1.0
PATIENCE_S = 8.0
"""Less than the 10 s that Prometheus waits for an answer."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STATES = ("live", "rebuilding", "failing")
_PREFIX = "disco_"

Waiting = Callable[[Callable[[Service], "Standing"], Service], Awaitable["Standing"]]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a service tells of itself at a moment; `up` is False where log and views cannot be read."""

    up: bool
    servers: Sequence[Server] = ()
    views: Sequence[ViewStatus] = ()
    gauges: Sequence[Gauge] = ()


def standing(service: Service) -> Standing:
    """Ask a service how it stands; what is down costs its own numbers alone."""
    servers = service.servers()
    if not any(server.needed and server.fault is not None for server in servers):
        try:
            return Standing(True, servers, service.views.status(), service.gauges(outside=True))
        except DiscoError:  # told by `up`
            pass
    return Standing(False, servers, (), service.gauges(outside=False))


@dataclass(slots=True)
class Outcome:
    """How an operation ended."""

    failed: bool = True


class Metrics:
    """What one app counts; a scrape adds how its service stands, asked at most once in `REMEMBERED_S`."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Histogram(
            "disco_request_seconds",
            "From a request to the beginning of its answer.",
            ("route", "method", "status"),
            registry=registry,
        )
        self._operations = Histogram(
            "disco_graphql_seconds", "How long queries and mutations ran.", ("kind", "outcome"), registry=registry
        )
        self._subscriptions = Counted("disco_subscriptions", "Subscriptions that are open.", registry=registry)
        self._asking = asyncio.Lock()
        self._standing = Standing(False)
        self._asked_at = float("-inf")

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method if method in METHODS else "other", str(status)).observe(seconds)

    @contextmanager
    def operation(self, kind: str) -> Iterator[Outcome]:
        """Count a query or mutation, as failed unless the outcome is told to be otherwise."""
        outcome, began = Outcome(), time.perf_counter()
        try:
            yield outcome
        finally:
            told = "error" if outcome.failed else "ok"
            self._operations.labels(kind, told).observe(time.perf_counter() - began)

    @contextmanager
    def subscribed(self) -> Iterator[None]:
        """Count a subscription while it is open."""
        with self._subscriptions.track_inprogress():
            yield

    async def scraped(self, service: Service, feed: int | None, wait: Waiting) -> bytes:
        """All numbers as text. feed: how far the feed has read, None before it has begun; wait: runs what blocks."""
        async with self._asking:
            if time.monotonic() - self._asked_at > REMEMBERED_S:
                try:
                    self._standing = await asyncio.wait_for(wait(standing, service), PATIENCE_S)
                except TimeoutError:
                    self._standing = Standing(False)
                self._asked_at = time.monotonic()
        return generate_latest(_Scrape(self._registry, [*_families(self._standing), *_feed(self._standing, feed)]))


class _Scrape(CollectorRegistry):
    """What is counted, and what was asked."""

    def __init__(self, counted: CollectorRegistry, asked: Sequence[Metric]) -> None:
        super().__init__()
        self._counted = counted
        self._asked = asked

    def collect(self) -> Iterator[Metric]:
        yield from self._asked
        yield from self._counted.collect()


def _families(standing: Standing) -> Iterator[Metric]:
    yield _family("up", "1 where the log and the views can be read.", [({}, standing.up)])
    if standing.servers:
        answering = [({"server": each.name}, each.fault is None) for each in standing.servers]
        yield _family("server_up", "1 where the server answers.", answering)
    yield from _of_views(standing.views)
    named: dict[str, list[Gauge]] = {}
    for gauge in standing.gauges:
        named.setdefault(gauge.name, []).append(gauge)
    for name, gauges in named.items():
        yield _family(name, gauges[0].about, [(gauge.labels, gauge.value) for gauge in gauges])


def _of_views(views: Sequence[ViewStatus]) -> Iterator[Metric]:
    if not views:
        return
    positions = [({"view": view.name}, view.position) for view in views]
    lags = [({"view": view.name}, view.lag) for view in views]
    states = [({"view": view.name, "state": state}, view.state == state) for view in views for state in STATES]
    yield _family("view_position", "The position up to which a view has everything.", positions)
    yield _family("view_lag_events", "Events that a view is behind the log.", lags)
    yield _family("view_state", "1 for the state that a view is in.", states)


def _feed(standing: Standing, position: int | None) -> Iterator[Metric]:
    """How far subscriptions have been read for; nothing before the first of them."""
    if position is None:
        return
    yield _family("feed_position", "The position up to which the log was read for subscriptions.", [({}, position)])
    for gauge in standing.gauges:
        if gauge.name == "log_head_position":
            lag = max(0, gauge.value - position)
            yield _family("feed_lag_events", "Events that this is behind the log.", [({}, lag)])


def _family(name: str, about: str, samples: Sequence[tuple[Mapping[str, str], float]]) -> Metric:
    names = tuple(samples[0][0])
    family = GaugeMetricFamily(_PREFIX + name, about, labels=names)
    for labels, value in samples:
        family.add_metric([labels[name] for name in names], float(value))
    return family


class Measured:
    """ASGI middleware that counts requests, by the pattern of their route, until their answers begin."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self._metrics = metrics
        self._patterns = {route.endpoint: route.path for route in routes if isinstance(route, Route)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on and look at the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message["status"], began)
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception:  # answered further out, as an internal error
            self._note(scope, 500, began)
            raise

    def _note(self, scope: Scope, status: int, began: float) -> None:
        route = self._patterns.get(scope["endpoint"], "none") if "endpoint" in scope else "none"
        self._metrics.request(route, scope["method"], status, time.perf_counter() - began)
