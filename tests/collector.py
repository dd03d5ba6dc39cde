"""A collector of OpenTelemetry spans on loopback: real HTTP, real OTLP, kept to be looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Told
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True)
class Traced:
    """A span as it came in; ids are hexadecimal, `links` are traces and spans."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    failed: bool
    began_ns: int
    ended_ns: int
    attributes: dict[str, Any]
    links: frozenset[tuple[str, str]]

    @property
    def place(self) -> tuple[str, str]:
        """What a link to it holds."""
        return self.trace, self.id


class Collector:
    """Takes spans at `address`; one that is `holding` takes requests and leaves them without an answer."""

    def __init__(self) -> None:
        self.spans: list[Traced] = []
        self.resources: list[dict[str, Any]] = []
        self.raw = b""
        self.asked = threading.Event()
        self._came = threading.Condition()
        self._go_on = threading.Event()
        self._go_on.set()
        self._server = _server(self)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hold(self) -> None:
        """Answer nobody from now on."""
        self._go_on.clear()

    def release(self) -> None:
        """Answer those who wait, and everybody from now on."""
        self._go_on.set()

    def wait_for(self, wanted: Callable[[Traced], bool], timeout_s: float = 60.0) -> bool:
        """Wait until a span has come that is wanted; whether it has."""
        with self._came:
            return self._came.wait_for(lambda: any(map(wanted, self.spans)), timeout_s)

    def take(self, path: str, body: bytes) -> bytes:
        """Keep what one request holds; the answer's body."""
        self.asked.set()
        self._go_on.wait()
        assert path == "/v1/traces", path
        self.raw += body
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(_plain(group.resource.attributes))
            with self._came:
                self.spans += [_traced(span) for scope in group.scope_spans for span in scope.spans]
                self._came.notify_all()
        return bytes(ExportTraceServiceResponse().SerializeToString())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()


def _server(collector: Collector) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = collector.take(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # who asked has gone
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    return server


def _plain(attributes: Any) -> dict[str, Any]:  # Any: repeated key values of protobuf
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def _traced(span: Told) -> Traced:
    return Traced(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.kind,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        attributes=_plain(span.attributes),
        links=frozenset((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
    )
