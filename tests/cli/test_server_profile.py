"""The command line over real servers: the same verbs, workers as processes, and the way from and into a folder."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import soundfile
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.server_room import drop_schemas, told
from events.imports import AudioImported
from infra.pool import WorkerPool
from infra.server.postgres import postgres_of
from infra.settings import Settings
from infra.wiring import CONSUMERS
from tests.cli.calling import PATIENCE_S, Called, begin, call, ended
from tests.cli.conftest import Disco, Filled
from tests.given import RATE_HZ, lent, sine

if TYPE_CHECKING:
    from tests.installations import Installations

HEARING = len(CONSUMERS[AudioImported.TYPE])
"""Processors that answer an imported sound."""


class Here:
    """An installation, and the command line on it: in this process, in one of its own, as a worker.

    said: by the last worker.
    """

    def __init__(self, settings: Settings, disco: Disco, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = settings
        self.said = ""
        self._disco = disco
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: object, **more: str) -> Called:
        """Run a verb in this process."""
        with self._monkeypatch.context() as patch:
            for name, value in {**told(self.settings), **more}.items():
                patch.setenv(name, value)
            return self._disco(self.settings.home, *arguments)

    def process(self, *arguments: object) -> Called:
        """Run a verb in a process of its own."""
        return call(self.settings.home, *arguments, told=told(self.settings))

    @contextmanager
    def working(self, *arguments: object, **more: str) -> Iterator[subprocess.Popen[str]]:
        """A worker, from when it says that it works; it is told to stop at the end, and must end well."""
        process = begin(self.settings.home, "worker", "--json", *arguments, told={**told(self.settings), **more})
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                self.said = _document(process.stdout)
                assert self.said, process.stderr.read()
                yield process
                process.send_signal(signal.SIGTERM)
                assert ended(process) == 0, process.stderr.read()
            finally:
                process.kill()


@pytest.fixture
def here(
    installations: Installations, disco: Disco, workers: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Here]:
    """An empty installation."""
    monkeypatch.setattr("infra.server.disco.WorkerPool", lambda *_, **__: lent(workers))
    with installations.one() as settings:
        yield Here(settings, disco, monkeypatch)


def _document(lines: Iterable[str]) -> str:
    """The lines of one JSON document, no more of them read; empty where there are none."""
    told = ""
    for line in lines:
        told += line
        if line.startswith("}"):
            break
    return told


def _digests(answer: Called) -> dict[str, str]:
    return {view["name"]: view["digest"] for view in answer.json}


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)


def _tone(path: Path, hz: float, *, seconds: float = 1.0) -> Path:
    soundfile.write(path, sine(hz, seconds=seconds), RATE_HZ)
    return path


def _troubled(home: Path, disco: Disco, path: Path) -> int:
    """A sound that nobody can hear while its content is away: dead letters; how many there are."""
    assert disco(home, "import", path, "--project", "Band", "--no-wait").status == 0
    away = (home / "blobs").rename(home / "blobs.away")
    with begin(home, "serve", "--port", 0) as serving:
        try:
            _until(lambda: not any(job["pending"] for job in disco(home, "jobs", "--json").json))
            serving.send_signal(signal.SIGTERM)
            serving.communicate(timeout=PATIENCE_S)
        finally:
            serving.kill()
    shutil.rmtree(home / "blobs", ignore_errors=True)
    away.rename(home / "blobs")
    return len(disco(home, "dead-letters", "--json").json)


def test_a_catalogue_goes_into_servers_and_back_with_every_view_the_same(
    here: Here, disco: Disco, filled: Filled, home: Path, tmp_path: Path
) -> None:
    """Given a folder with analyses, an accompaniment, changes and dead letters, when moved, then all views are equal.

    So they are when what became of it on the servers is moved into another folder; verify is clean on all three. A
    worker finds that all is answered, and goes on from there.
    """
    song, tone = filled.assets["song"], filled.assets["tone"]
    letters = _troubled(home, disco, _tone(tmp_path / "long.wav", 777.0, seconds=30.0))
    assert letters > 0
    for verb in (("rename", song, "Our song"), ("tag", song, "take-2", "loud"), ("archive", tone)):
        assert disco(home, *verb).status == 0
    exported = disco(home, "export", tmp_path / "there.tar.gz", "--json").json
    before = _digests(disco(home, "views", "--digests", "--json"))
    moved = here.process("import-log", tmp_path / "there.tar.gz", "--json").json
    assert (moved["head"], moved["new_events"], moved["new_blobs"]) == (
        exported["events"],
        exported["events"],
        exported["blobs"],
    )
    assert moved["digests"] == before
    assert here.process("verify", "--blobs", "--json").json["clean"]
    assert len(here("dead-letters", "--json").json) == letters
    with here.working():
        assert (
            here("import", filled.files / "song.wav", "--project", "Band", "--json").json["imported"][0]["new"] is False
        )
        assert here("generate", "accompaniment", song, "--seed", 9, "--json").status == 0
        assert here("retry", "--all", "--json").json["failed"] == 0
        assert here("restore", tone).status == 0
    events = here("events", "--json").lines
    assert len({event["id"] for event in events}) == len(events)
    assert len([e for e in events if e["type"] == "disco.loudness.measured" and e["subject"] == song]) == 1
    after = _digests(here("views", "--digests", "--json"))
    assert after != before
    assert here("verify", "--json").json["clean"]
    assert here.process("export", tmp_path / "back.tar", "--json").json["events"] == len(events)
    assert disco(tmp_path / "back", "import-log", tmp_path / "back.tar", "--json").json["digests"] == after
    assert disco(tmp_path / "back", "verify", "--blobs", "--json").json["clean"]


def test_an_archive_is_not_read_in_while_workers_run(here: Here, disco: Disco, filled: Filled, tmp_path: Path) -> None:
    """Given a worker, when an archive is imported, then it is a conflict that says what to do; nothing is written."""
    disco(filled.home, "export", tmp_path / "log.tar")
    with here.working():
        refused = here("import-log", tmp_path / "log.tar", "--json")
    assert (refused.status, refused.error["code"]) == (4, "conflict")
    assert "stop them" in refused.error["message"]
    assert here("projects", "--json").json == []


def test_workers_share_the_work_come_and_go(here: Here, tmp_path: Path) -> None:
    """Given workers for processors and for views that join and leave, then each answer is there once.

    Who imports when nobody works does the work. The verbs for looking see it all.
    """
    files = tmp_path / "Loops"
    files.mkdir()
    for number in range(3):
        _tone(files / f"{number}.wav", 200.0 + 10 * number)
    with here.working("--views", ""):
        with here.working("--processors", ""):
            assert here("import", files, "--no-wait").status == 0
        with here.working():
            assert here("import", _tone(tmp_path / "late.wav", 900.0), "--project", "Loops").status == 0
    assert here("import", _tone(tmp_path / "alone.wav", 950.0), "--project", "Loops", "--json").json["pending"] == 0
    events = here("events", "--json").lines
    assert len([event for event in events if event["type"] == "disco.audio.imported"]) == 5
    assert len([event for event in events if "processors" in event["source"]]) == 5 * HEARING
    assert here("verify", "--json").json["clean"]
    assert here("replay", "--json").json["same"]
    hits = here("search", "late", "--json").json
    asset = next(hit["id"] for hit in hits if hit["kind"] == "asset")
    assert len(here("lineage", asset, "--down", "--json").json["nodes"]) == 1 + HEARING
    assert len(here("similar", asset, "--json").json) == 4


def test_a_worker_tells_how_it_is_at_a_port(here: Here) -> None:
    """Given a worker with a port for metrics, then what it prints is loopback and ready, and tells of its groups."""
    with here.working("--metrics-port", 0, "--processors", "", "--views", "catalogue"):
        address = json.loads(here.said)["metrics"]
        assert address.startswith("http://127.0.0.1:")
        assert httpx.get(address.replace("/metrics", "/healthz")).json() == {"status": "ok"}
        ready = httpx.get(address.replace("/metrics", "/readyz"), timeout=10.0).json()
        assert ready["status"] == "ready", ready
        families = {family.name: family for family in text_string_to_metric_families(httpx.get(address).text)}
        (lag,) = families["disco_group_lag_records"].samples
        assert lag.labels["group"].endswith("catalogue")


def test_a_worker_can_be_asked_by_others_under_any_name(here: Here) -> None:
    """Given a worker whose numbers are for others, when asked as a pod is, then it answers; on loopback it refuses."""
    stranger, only = {"host": "10.1.2.3:9464"}, ("--processors", "", "--views", "catalogue", "--metrics-port", 0)
    for host, status in (("0.0.0.0", 200), ("127.0.0.1", 403)):  # noqa: S104  # what is tested
        with here.working(*only, "--metrics-host", host):
            port = json.loads(here.said)["metrics"].rpartition(":")[2].partition("/")[0]
            assert httpx.get(f"http://127.0.0.1:{port}/metrics", headers=stranger).status_code == status


def _pending(here: Here) -> int:
    return sum(job["pending"] for job in here("jobs", "--json").json)


def test_a_lost_database_is_made_anew_from_kafka(here: Here, tmp_path: Path) -> None:
    """Given all of PostgreSQL lost, then nothing starts but what makes the ledger anew; then all is as before.

    A worker brings the views there without waiting for another event, and what was imported once is known.
    """
    song = _tone(tmp_path / "song.wav", 440.0)
    asset = here("import", song, "--project", "Songs", "--json").json["imported"][0]["asset_id"]
    before = _digests(here("views", "--digests", "--json"))
    head = len(here("events", "--json").lines)
    postgres = postgres_of(here.settings)
    drop_schemas(postgres)
    postgres.close()
    for refused in (here("rename", asset, "x", "--json"), here.process("worker", "--json")):
        assert (refused.status, refused.error["code"]) == (4, "conflict")
        assert "disco rebuild-ledger" in refused.error["message"]
    made = here("rebuild-ledger", "--progress", "--json")
    assert made.json["events"] == head
    with here.working():
        _until(lambda: {view["lag"] for view in here("views", "--json").json} == {0})
        again = here("import", song, "--project", "Songs", "--json").json
        assert (again["imported"][0]["asset_id"], again["imported"][0]["new"]) == (asset, False)
        _until(lambda: _pending(here) == 0)
        assert _digests(here("views", "--digests", "--json")) == before
    assert len(here("events", "--json").lines) == head
    assert here("verify", "--json").json["clean"]


WRONG = (
    ("DISCO_KAFKA", "127.0.0.1:1", 6, "Kafka at 127.0.0.1:1 does not answer"),
    ("DISCO_POSTGRES", "postgresql://u:hidden@127.0.0.1:1/d", 6, "PostgreSQL at 127.0.0.1:1/d"),
    ("DISCO_NEO4J", "bolt://u:hidden@127.0.0.1:1", 6, "Neo4j at 127.0.0.1:1"),
    ("DISCO_MILVUS", "", 2, "DISCO_MILVUS"),
    ("DISCO_S3", "http://hidden", 2, "http[s]://KEY:SECRET@HOST:PORT/BUCKET"),
    ("DISCO_PARTITIONS", "5", 2, "set it to 4"),
)


def test_what_is_missing_is_told_in_one_line(here: Here) -> None:
    """Given a server that is down or a setting that is missing or wrong, then one line says which, and no password."""
    assert here("projects").status == 0
    for setting, value, status, words in WRONG:
        answer = here("lineage", "cd1f00b3-f66e-5554-b5ab-f49afa09b254", **{setting: value})
        assert answer.status == status, answer.err
        assert words in answer.err
        assert "hidden" not in answer.err
        assert len(answer.err.splitlines()) == 1, answer.err
