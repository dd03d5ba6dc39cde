"""Spans for an OpenTelemetry collector, by OTLP over HTTP; the one place that knows OpenTelemetry.

What is told waits in a bounded queue for a thread that sends it; what a collector does not take in time is dropped.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from importlib.metadata import PackageNotFoundError, version

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from domain.tracing import Place, Side, Span

QUEUE = 8192
BATCH = 512
DELAY_MS = 500
SEND_S = 5.0
CLOSE_S = 1.0
SELDOM_S = 60.0
NOISY = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")
KINDS = {Side.INTERNAL: SpanKind.INTERNAL, Side.SERVER: SpanKind.SERVER, Side.PRODUCER: SpanKind.PRODUCER}
SAMPLED = TraceFlags(TraceFlags.SAMPLED)

log = structlog.get_logger("tracing")


class Otlp:
    """`Spans` for the collector at an address. profile: told with every span."""

    on = True

    def __init__(self, endpoint: str, *, profile: str) -> None:
        for name in NOISY:
            _say_seldom(logging.getLogger(name))
        self._exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=SEND_S)
        self._processor = BatchSpanProcessor(
            self._exporter, max_queue_size=QUEUE, max_export_batch_size=BATCH, schedule_delay_millis=DELAY_MS
        )
        self._ids = _Ids()
        self._provider = TracerProvider(resource=_resource(profile), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("disco-musica")

    def now_us(self) -> int:
        """See `Spans.now_us`."""
        return time.time_ns() // 1000

    def fresh(self) -> int:
        """See `Spans.fresh`."""
        return random.getrandbits(64) or 1

    def tell(self, span: Span) -> None:
        """See `Spans.tell`."""
        try:
            self._tell(span)
        except Exception as error:  # what is told of the work must not stop it
            log.error("span_not_told", span=span.name, error=repr(error))

    def _tell(self, span: Span) -> None:
        above = None if span.parent is None else _context(Place(span.place.trace, span.parent))
        self._ids.next = span.place
        started = self._tracer.start_span(
            span.name,
            context=Context() if above is None else set_span_in_context(NonRecordingSpan(above), Context()),
            kind=KINDS[span.side],
            attributes=span.attributes,
            links=[Link(_context(place)) for place in span.links],
            start_time=span.began_us * 1000,
        )
        if span.fault is not None:
            started.set_attribute("error.type", span.fault)
            started.set_status(Status(StatusCode.ERROR))
        started.end(max(span.began_us, span.ended_us) * 1000)  # a clock may have been set back meanwhile

    def close(self) -> None:
        """See `Spans.close`. What a collector has not taken by then is lost."""
        closing = threading.Thread(target=self._processor.shutdown, name="tracing-close", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # it has no annotations


class _Ids(IdGenerator, threading.local):
    """Gives the span that is started in this thread the ids that it was told with."""

    next = Place(1, 1)

    def generate_trace_id(self) -> int:
        """The trace of the span to come."""
        return self.next.trace

    def generate_span_id(self) -> int:
        """Its id."""
        return self.next.span


def _resource(profile: str) -> Resource:
    """What is told of this process. An operator may add to it by OTEL_RESOURCE_ATTRIBUTES."""
    try:
        release = version("disco-musica")
    except PackageNotFoundError:  # run from a tree that was not installed
        release = "of the tree"
    return Resource.create({"service.name": "disco-musica", "service.version": release, "disco.profile": profile})


def _context(place: Place) -> SpanContext:
    return SpanContext(place.trace, place.span, is_remote=True, trace_flags=SAMPLED)


def _say_seldom(logger: logging.Logger) -> None:
    """Let a logger complain once a minute: a collector that is down is no news every second."""
    if not any(isinstance(each, _Seldom) for each in logger.filters):
        logger.addFilter(_Seldom())


class _Seldom(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._again = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is time to say something again."""
        now = time.monotonic()
        if now < self._again:
            return False
        self._again = now + SELDOM_S
        return True
