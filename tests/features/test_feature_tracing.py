"""Traces: what one request sets off is one connected trace at a collector, over processes and stores."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

from api.app import create_app
from benchmarks.server_room import told
from domain.commands import CreateProject, RetryProcessing
from domain.errors import Malformed
from events.envelope import Recorded
from events.imports import AudioImported
from infra.base import BaseDisco
from infra.opening import open_service
from infra.pool import WorkerPool
from infra.settings import Settings
from infra.wiring import CONSUMERS
from tests.api.client import Client
from tests.cli.calling import PATIENCE_S, begin
from tests.collector import Collector, Traced
from tests.features.conftest import Profile, Start
from tests.features.test_feature_failures import Trouble
from tests.given import ADA, RATE_HZ, SETTLE_S, Given, lent, sine

HIDDEN = "the song nobody may know of"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of this test's own."""
    with Collector() as made:
        yield made


@contextmanager
def _worker(settings: Settings) -> Iterator[None]:
    """Another process that does the work, until it has told of all that it did."""
    with begin(settings.home, "worker", "--json", told=told(settings)) as process:
        assert process.stdout is not None
        try:
            said = json.loads(_document(process))
            assert said["working"], said
            yield
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


def _document(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("}"):
            break
    return "".join(lines)


@contextmanager
def _at_work(settings: Settings) -> Iterator[BaseDisco]:
    """A service, and who works for it: itself on one file, another process on servers."""
    with open_service(settings) as service:
        if settings.profile == "embedded":
            yield service
        else:
            with _worker(settings):
                yield service


def _imported(service: BaseDisco) -> str:
    """Import a file through HTTP, from a project to the last view; the job."""
    sound = io.BytesIO()
    soundfile.write(sound, sine(), RATE_HZ, format="WAV")
    with Client(create_app(service, development=False)) as client:
        made = client.post("/graphql", json={"query": 'mutation { createProject(name: "Tests") { resource { id } } }'})
        project = made.json()["data"]["createProject"]["resource"]["id"]
        path = f"/api/projects/{project}/files"
        answer = client.post(path, params={"name": f"{HIDDEN}.wav"}, content=sound.getvalue())
        assert answer.status_code == 201, answer.text
    assert service.settle(SETTLE_S)
    return str(answer.json()["job"])


def _way_up(span: Traced, by_id: dict[str, Traced]) -> list[str]:
    """The names from the root to a span; a parent that nobody told of is an error."""
    above = _way_up(by_id[span.parent], by_id) if span.parent else []
    return [*above, span.name]


def test_an_import_is_one_trace_from_the_request_to_the_views(
    profile: Profile, tmp_path: Path, workers: WorkerPool, monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> None:
    """Given a file sent by HTTP, then its job is one tree: request, command, event, processors, their events, views.

    Each event was appended and folded into each view; on servers, the work was another process's, and Kafka has them.
    """
    monkeypatch.setattr(f"{profile.disco}.WorkerPool", lambda *_, **__: lent(workers))
    settings = (profile.place() or Settings(home=tmp_path / "home")).model_copy(
        update={"otlp_endpoint": collector.address, "workers": 2}
    )
    with _at_work(settings) as service:
        job = _imported(service)
        events = [event for event in service.log.read(0, limit=1000) if event.correlation == job]
        views = {status.name for status in service.views.status()}
    (trace,) = {span.trace for span in collector.spans if span.attributes.get("disco.job") == job}
    spans = [span for span in collector.spans if span.trace == trace]
    by_id = {span.id: span for span in spans}
    assert len(by_id) == len(spans), "no span is told twice"
    ways = {span.id: _way_up(span, by_id) for span in spans}
    begun = ["POST /api/projects/{project_id}/files", "command ImportAudio", "append disco.audio.imported"]
    assert {way[0] for way in ways.values()} == {begun[0]}

    appended = {span.attributes["disco.event.id"]: span for span in spans if span.name.startswith("append ")}
    assert appended.keys() == {event.id for event in events}
    answered = [event for event in events if event.processor in CONSUMERS[AudioImported.TYPE]]
    assert {event.processor for event in answered} == set(CONSUMERS[AudioImported.TYPE])
    for event in answered:
        assert ways[appended[event.id].id] == [*begun, f"process {event.processor}", f"append {event.type}"]
    _check_brought(spans, events, appended, {f"fold {view}" for view in views})
    if profile.name == "server":
        _check_brought(spans, events, appended, {"publish"})


def _check_brought(spans: list[Traced], events: list[Recorded], appended: dict[str, Traced], names: set[str]) -> None:
    """Every event is above, or linked from, one span of each name."""
    for event in events:
        span = appended[event.id]
        below = [each.name for each in spans if each.parent == span.id or span.place in each.links]
        assert names == {name for name in below if name.split()[0] in {each.split()[0] for each in names}}


def test_what_a_collector_is_told_names_nothing_that_somebody_wrote(disco: Given, collector: Collector) -> None:
    """Given a file, a project and a command's id with secret names, then none of them, nor a folder, is in any span."""
    disco.reopened(otlp_endpoint=collector.address)
    disco.given_audio(name=HIDDEN, project=f"project of {HIDDEN}")
    disco.when(CreateProject(name=f"another of {HIDDEN}"), command_id=HIDDEN)
    disco.settled().service.close()
    assert {span.name for span in collector.spans} >= {"command ImportAudio", "command CreateProject"}
    for secret in (HIDDEN, str(disco.home), socket.gethostname()):
        assert secret.encode() not in collector.raw, secret
    assert ADA.name not in {value for span in collector.spans for value in span.attributes.values()}
    names = {name for each in collector.resources for name in each if not name.startswith("telemetry.")}
    assert names == {"service.name", "service.version", "service.instance.id", "disco.profile"}


def test_a_processor_that_gives_up_is_told_with_its_attempts_and_a_retry_is_linked(
    start: Start, collector: Collector
) -> None:
    """Given a failure and a retry that comes right, then each is a span beneath what asked for it, with its outcome."""
    trouble = Trouble()
    trouble.error = RuntimeError("broken pedal")
    disco = start(*trouble.processors, otlp_endpoint=collector.address)
    asset = disco.given_audio(sine(seconds=0.02))
    disco.settled()
    ((_, letter),) = disco.service.views.dead_letters.page()[0]
    trouble.error = None
    disco.when(RetryProcessing(resource_id=asset, failure_id=letter["id"]))  # type: ignore[arg-type]  # ids
    disco.settled().service.close()
    by_id = {span.id: span for span in collector.spans}
    first, second = (span for span in collector.spans if span.name == "process troubled")
    assert (first.attributes["disco.outcome"], first.attributes["disco.attempts"], first.failed) == ("gave_up", 3, True)
    assert (second.attributes["disco.outcome"], second.attributes["disco.attempts"]) == ("answered", 1)
    assert not second.failed
    assert by_id[first.parent].name == "append disco.audio.imported"
    assert by_id[second.parent].name == "append disco.processing.retry_requested"
    assert first.trace != second.trace
    below = {span.name for span in collector.spans if span.parent == second.id}
    assert below == {"append disco.silence.found"}
    assert b"broken pedal" not in collector.raw


def test_a_replay_tells_nobody(quick: Given, collector: Collector) -> None:
    """Given events in views, when every view is built anew and compared with the log, then no span is told."""
    quick.reopened(otlp_endpoint=collector.address)
    quick.given_audio(sine(seconds=0.02))
    quick.settled().reopened(otlp_endpoint=None)
    before = len(collector.spans)
    assert before
    quick.reopened(otlp_endpoint=collector.address)
    quick.replayed()
    assert list(quick.service.differences()) == []
    quick.service.close()
    assert len(collector.spans) == before


class _LongAgo:
    """A clock that is two hours behind."""

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return time.time_ns() // 1000 - 7_200_000_000


def test_history_that_views_catch_up_with_is_told_to_nobody(
    quick: Given, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an event of two hours ago and one of now, when folded, then views tell of the second alone."""
    quick.reopened(otlp_endpoint=collector.address)
    with monkeypatch.context() as patch:
        patch.setattr(quick.service, "clock", _LongAgo())
        quick.when(CreateProject(name="Long ago"))
    quick.when(CreateProject(name="Now"))
    quick.settled().service.close()
    old, new = (span for span in collector.spans if span.name == "append disco.project.created")
    brought = [span for span in collector.spans if span.name.split()[0] in ("fold", "publish")]
    assert {span.parent for span in brought} >= {new.id}
    assert not [span for span in brought if span.parent == old.id or old.place in span.links]


@pytest.mark.parametrize("fault", ["down", "silent", "wrong"])
def test_a_collector_that_is_down_or_silent_harms_nothing(quick: Given, collector: Collector, fault: str) -> None:
    """Given a collector that refuses, never answers, or is none, then all is done, and closing waits for no answer."""
    address = {"down": "http://127.0.0.1:9", "silent": collector.address, "wrong": f"{collector.address}/other"}[fault]
    collector.hold()
    quick.reopened(otlp_endpoint=address)
    quick.given_audio(sine(seconds=0.02))
    quick.settled()
    if fault != "down":
        assert collector.asked.wait(SETTLE_S)
    assert list(quick.service.differences()) == []
    quick.service.close()
    assert collector.spans == [], "it has not answered yet"


@pytest.mark.parametrize("address", ["localhost:4318", "ftp://localhost", "http://user:secret@localhost:4318"])
def test_an_address_that_is_none_or_holds_a_password_is_refused(tmp_path: Path, address: str) -> None:
    """Given an address without a scheme, of another one, or with a password, then the setting is refused."""
    with pytest.raises(ValueError, match="otlp_endpoint"):
        Settings(home=tmp_path, otlp_endpoint=address)


def test_without_the_extra_the_setting_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an address for traces where OpenTelemetry is not installed, then it is said what to install."""
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(__import__("sys").modules, "infra.otlp", raising=False)
    with pytest.raises(Malformed, match=r"disco-musica\[otel\]"):
        open_service(Settings(home=tmp_path, otlp_endpoint="http://127.0.0.1:4318"))
