"""Where spans are told: bounded, promptly given up, and consistent over processes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.tracing import Place, Span, place_of
from infra.otlp import BATCH, QUEUE, Otlp
from tests.collector import Collector

MORE = 2 * (QUEUE + 2 * BATCH)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of this test's own."""
    with Collector() as made:
        yield made


def _span(place: Place, parent: int | None = None) -> Span:
    return Span("work", place, parent, 1_000_000, 2_000_000, {"disco.number": 1})


def test_a_span_arrives_as_it_was_told(collector: Collector) -> None:
    """Given a span with its own ids, times and links, then the collector has exactly these."""
    spans, other = Otlp(collector.address, profile="embedded"), Place(1 << 127, 1 << 63)
    spans.tell(Span("work", Place(5, 6), 7, 1_000_001, 2_000_002, {"disco.view": "jobs"}, (other,), "conflict"))
    spans.close()
    (told,) = collector.spans
    assert (told.trace, told.id, told.parent) == (f"{5:032x}", f"{6:016x}", f"{7:016x}")
    assert (told.began_ns, told.ended_ns) == (1_000_001_000, 2_000_002_000)
    assert told.links == {(f"{1 << 127:032x}", f"{1 << 63:016x}")}
    assert told.attributes == {"disco.view": "jobs", "error.type": "conflict"}
    assert told.failed


def test_what_a_collector_does_not_take_is_dropped_not_kept(collector: Collector) -> None:
    """Given a collector that stands still, when more is told than is kept, then the oldest of it is lost, in order."""
    collector.hold()
    spans = Otlp(collector.address, profile="embedded")
    for number in range(1, MORE + 1):
        spans.tell(_span(Place(1, number)))
    collector.release()
    assert collector.wait_for(lambda span: span.id == f"{MORE:016x}")
    spans.close()
    told = [int(span.id, 16) for span in collector.spans]
    assert BATCH < len(told) < MORE
    assert told == sorted(told)


def test_sampling_takes_or_leaves_jobs_as_a_whole(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given OpenTelemetry's own setting to take a quarter, then two processes take the same jobs, and all of each."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    here, there = (Otlp(collector.address, profile="server") for _ in range(2))
    for job in range(400):
        first, second = place_of(str(job), "first"), place_of(str(job), "second")
        here.tell(_span(first))
        there.tell(_span(second, first.span))
    here.close()
    there.close()
    counts = Counter(span.trace for span in collector.spans)
    assert set(counts.values()) == {2}
    assert 60 <= len(counts) <= 140, "near a quarter"


def test_nothing_of_it_is_loaded_where_nobody_listens(tmp_path: Path) -> None:
    """Given no address, when a service and its front are opened and used, then no part of the extra was imported."""
    code = f"""
import sys
from pathlib import Path
from api.app import create_app
from domain.access import Actor
from domain.commands import CreateProject
from infra.opening import open_service
from infra.settings import Settings
with open_service(Settings(home=Path({str(tmp_path)!r}), workers=1)) as service:
    create_app(service, development=False)
    service.execute(CreateProject(name="Tests"), actor=Actor(name="ada"))
    service.settle()
extra = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf", "infra.otlp")
print(*[name for name in sys.modules if name.startswith(extra)])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == ""
