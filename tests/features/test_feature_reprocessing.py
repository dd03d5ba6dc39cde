"""A processor of another version comes to what was imported before, when somebody asks for it, and once."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from domain.commands import Reprocess, RetryProcessing
from domain.errors import Malformed, NotFound
from domain.ids import ProjectId, project_id
from domain.views import Direction
from events.analyses import AudioDescribed, SilenceFound
from events.base import Event
from events.envelope import Proposed
from events.imports import AudioAdded, NotesAdded
from events.processing import RepeatRequested, ReprocessingPlanned, RetryRequested
from infra.disco import Disco
from infra.processing import Processing
from infra.reprocessing import Planner
from infra.settings import Settings
from processors.handler import Processor, processor
from tests import payloads
from tests.crash import cheap
from tests.features.conftest import Start
from tests.given import ADA, Given, sine
from tests.spine import Spine

PROJECT = project_id("Tests")


class Release:
    """Processors of a release: `weigh` in a version of its own, `hush` in the first; `calls` counts their work."""

    def __init__(self, version: str, *, broken: bool = False, gate: threading.Event | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self.broken = broken

        @processor(version)
        def weigh(event: AudioAdded) -> AudioDescribed:
            self.calls["weigh"] += 1
            if gate is not None:
                gate.wait(20)
            if self.broken:
                raise Malformed("too heavy")
            found = payloads.findings(event.asset_id)["levels"]
            return AudioDescribed(**{**found.model_dump(), "duration_s": float(version)})

        @processor("1")
        def hush(event: AudioAdded) -> SilenceFound:
            self.calls["hush"] += 1
            return payloads.findings(event.asset_id)["silence"]  # type: ignore[return-value]  # it is

        # annotations are looked up in the module, where a function's own names are not
        for made in (weigh, hush):
            made.handle.__annotations__.update({"event": AudioAdded, "return": Event})  # type: ignore[attr-defined]
        self.processors: tuple[Processor, ...] = (weigh, hush)


def _tones(disco: Given, count: int, *, project: str = "Tests", settled: bool = True) -> list[str]:
    """So many assets; `settled` once they are answered."""
    names = [f"{project} {number}" for number in range(count)]
    assets = [
        disco.given_audio(sine(200.0 + number, seconds=0.02), name=name, project=project)
        for number, name in enumerate(names)
    ]
    if settled:
        disco.settled()
    return assets


def _reprocessed(disco: Given, *names: str, project: ProjectId = PROJECT) -> tuple[str, ReprocessingPlanned]:
    """Ask, wait until it is done, and return the job and what it came to."""
    job = disco.when(Reprocess(project_id=project, processors=names)).job
    disco.settled()
    return job, _plan(disco, job)


def _plan(disco: Given, job: str) -> ReprocessingPlanned:
    (plan,) = [event.data for event in disco.events() if event.correlation == job and event.type.endswith("planned")]
    assert isinstance(plan, ReprocessingPlanned)
    return plan


def _weights(disco: Given, asset: str) -> list[float]:
    """What the versions of `weigh` found in an asset, in order."""
    return [event.json["duration_s"] for event in disco.service.log.about(asset) if event.type.endswith("described")]  # type: ignore[arg-type]  # an id


def _letters(disco: Given) -> list[dict]:  # type: ignore[type-arg]  # JSON
    return [letter for _, letter in disco.service.views.dead_letters.page()[0]]


def test_a_new_version_comes_to_what_was_imported_before(start: Start) -> None:
    """Given assets answered by version 1, when reprocessed under version 2, then each has both findings.

    The document holds the newest, the lineage shows both and what made each; nothing else is done again.
    """
    assets = _tones(start(*Release("1").processors), 3)
    second = Release("2")
    disco = start(*second.processors).settled()
    assert second.calls == {}, "a new version alone does nothing to what is there"
    job, plan = _reprocessed(disco)
    assert (plan.causes, plan.answers) == (3, 3)
    assert second.calls == {"weigh": 3}
    for asset in assets:
        assert _weights(disco, asset) == [1.0, 2.0]
        document = disco.service.views.documents.get(asset)["analyses"]["levels"]
        assert (document["duration_s"], document["source"]) == (2.0, "/processors/weigh/2")
        found = disco.service.views.graph.lineage(asset, Direction.DOWN).nodes
        sources = [node.facts["source"] for node in found if node.variant == "levels"]
        assert sorted(sources) == ["/processors/weigh/1", "/processors/weigh/2"]
        assert document["id"] in {node.id for node in found if node.facts.get("source") == "/processors/weigh/2"}
    assert disco.service.pending(job) == 0
    assert disco.service.views.jobs.get(job)["answered"] == {"weigh": 3}


def test_doing_it_twice_is_doing_it_once(start: Start) -> None:
    """Given requests one upon the other, of one processor and of all, and one much later, then each is done once."""
    assets = _tones(start(*Release("1").processors), 4)
    second = Release("2")
    disco = start(*second.processors)
    commands = [Reprocess(project_id=PROJECT, processors=names) for names in ((), ("weigh",), ("hush", "weigh"), ())]
    jobs = [disco.service.execute(command, actor=ADA).job for command in commands]
    disco.settled()
    head = disco.service.log.head()
    jobs.append(_reprocessed(disco)[0])
    assert second.calls == {"weigh": 4}
    assert [_plan(disco, job).answers for job in jobs] == [4, 0, 0, 0, 0]
    assert [disco.service.pending(job) for job in jobs] == [0] * 5
    assert all(_weights(disco, asset) == [1.0, 2.0] for asset in assets)
    assert disco.service.log.head() == head + 2, "the request, and that it came to nothing"


def test_only_the_processors_and_the_project_that_are_named(start: Start) -> None:
    """Given two projects and two new versions, when one of each is named, then the others stay as they are."""
    disco = start(*Release("1").processors)
    mine, theirs = _tones(disco, 1)[0], _tones(disco, 1, project="Others")[0]
    second = Release("2")
    disco = start(*second.processors)
    assert _reprocessed(disco, "hush")[1].answers == 0
    assert second.calls == {}
    _reprocessed(disco, "weigh")
    assert (_weights(disco, mine), _weights(disco, theirs)) == ([1.0, 2.0], [1.0])
    with pytest.raises(NotFound):
        disco.when(Reprocess(project_id=payloads.TRACK))
    with pytest.raises(Malformed):
        disco.when(Reprocess(project_id=mine))


def test_what_is_being_answered_is_not_asked_for_again(start: Start) -> None:
    """Given an import under way, when reprocessed, then it is answered once, and neither job waits for more."""
    gate = threading.Event()
    release = Release("2", gate=gate)
    disco = start(*release.processors)
    asset = _tones(disco, 1, settled=False)[0]
    done = disco.service.execute(Reprocess(project_id=PROJECT), actor=ADA)
    disco.service.views.wait(done.token.position, 30)
    gate.set()
    disco.settled()
    assert release.calls == {"weigh": 1, "hush": 1}
    assert _weights(disco, asset) == [2.0]
    assert _plan(disco, done.job).answers == 0
    assert disco.service.pending(done.job) == 0


def test_pending_is_what_is_still_to_come(start: Start) -> None:
    """Given a request under way, then its job has as many pieces pending as answers are due, then none."""
    _tones(start(*Release("1").processors), 3)
    gate = threading.Event()
    disco = start(*Release("2", gate=gate).processors)
    job = disco.service.execute(Reprocess(project_id=PROJECT), actor=ADA).job
    planned = disco.service.log.head()
    while not any(event.type == ReprocessingPlanned.TYPE for event in disco.events()):
        planned = disco.service.log.wait(planned, 10)
    disco.service.views.wait(disco.service.log.head(), 10)
    assert disco.service.pending(job) == 3
    gate.set()
    disco.settled()
    assert disco.service.pending(job) == 0
    document = disco.service.views.jobs.get(job)
    assert (document["repeated"], document["retried"], document["failed"]) == (3, 0, 0)


def test_what_an_older_version_gave_up_on_is_tried_and_what_the_current_one_did_is_not(start: Start) -> None:
    """Given dead letters of version 1, when reprocessed under 2, which fails too, then 3, then the letters follow.

    Version 2 takes up the letters and leaves its own, once; version 3 takes those up and leaves none.
    """
    asset = _tones(start(*Release("1", broken=True).processors), 1)[0]
    second = Release("2", broken=True)
    disco = start(*second.processors).settled()
    (first,) = _letters(disco)
    job, plan = _reprocessed(disco)
    (letter,) = _letters(disco)
    assert letter["id"] != first["id"]
    assert (plan.answers, disco.service.pending(job), second.calls["weigh"]) == (1, 0, 1)
    assert _reprocessed(disco)[1].answers == 0, "what the current version gave up on waits for a retry"
    assert second.calls["weigh"] == 1
    disco.when(RetryProcessing(resource_id=asset, failure_id=letter["id"]))
    disco.settled()
    assert second.calls["weigh"] == 2
    assert len(_letters(disco)) == 1
    disco = start(*Release("3").processors)
    assert _reprocessed(disco)[1].answers == 1
    assert _letters(disco) == []
    assert _weights(disco, asset) == [3.0]
    assert [event.type for event in disco.events()].count(RetryRequested.TYPE) == 3


def test_a_generator_of_a_new_version_makes_a_new_asset_which_is_answered_in_turn(start: Start) -> None:
    """Given sound made of notes by version 1, when version 2 comes to the notes, then its sound is there and weighed.

    What version 1 made stays, and both are made of the same notes.
    """

    def play(version: str) -> Processor:
        def play(event: NotesAdded) -> Event:
            sound = payloads.rendered(payloads.notes(f"{event.asset_id} {version}"))
            return type(sound)(
                **{**sound.model_dump(), "project_id": event.project_id, "container_id": event.container_id}
                | {"source_id": event.asset_id}
            )

        play.__annotations__.update({"event": NotesAdded, "return": Event})
        return processor(version)(play)

    disco = start(play("1"), *Release("1").processors)
    tune = disco.given_midi()
    disco.settled()
    disco = start(play("2"), *Release("1").processors)
    job, plan = _reprocessed(disco, "play")
    assert plan.answers == 1
    sounds = [
        node.id for node in disco.service.views.graph.lineage(tune, Direction.DOWN).nodes if node.variant == "audio"
    ]
    assert len(sounds) == 2
    assert all(_weights(disco, sound) == [1.0] for sound in sounds)
    assert disco.service.views.jobs.get(job)["answered"] == {"play": 1, "weigh": 1, "hush": 1}
    assert disco.service.pending(job) == 0


def test_a_restart_in_the_middle_loses_and_doubles_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a service closed again and again while it reprocesses, then in the end each asset has each finding once."""
    monkeypatch.setattr("infra.reprocessing.PAGE", 2)
    assets = _tones(start(*Release("1").processors), 12)
    disco = start(*Release("2").processors)
    done = disco.service.execute(Reprocess(project_id=PROJECT), actor=ADA)
    for _ in range(4):
        disco = start(*Release("2").processors)
    disco.settled()
    assert all(_weights(disco, asset) == [1.0, 2.0] for asset in assets)
    plan = _plan(disco, done.job)
    assert (plan.causes, plan.answers) == (12, 12)
    assert disco.service.pending(done.job) == 0
    assert len({event.id for event in disco.events()}) == len(disco.events())


@pytest.mark.parametrize("profile", ["embedded"], indirect=True)  # it looks inside the runner
def test_a_plan_broken_off_goes_on_where_it_was(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given a planner stopped after each page in turn, then no event is asked for twice, and the plan counts all."""
    monkeypatch.setattr("infra.reprocessing.PAGE", 3)
    disco = start(*Release("1").processors)
    _tones(disco, 10)
    disco.service.close()
    cheap.install(monkeypatch.setattr, Release("2").processors)
    with Disco(Settings(home=tmp_path / "home", workers=1), run=False) as service:
        job = service.execute(Reprocess(project_id=PROJECT), actor=ADA).job
        request = service.log.read(service.log.head() - 1)[0]
        processing = _processing(service)
        for pages in range(5):
            stop = _AfterSo(pages)
            finished = Planner(service.log, service.clock, processing._unanswered).plan(request, set(), stop)
            assert finished == (pages == 4), "ten assets are four pages"
        assert Planner(service.log, service.clock, processing._unanswered).plan(request, set(), threading.Event())
        behind = [event for event in service.log.read(request.position, limit=1000) if event.correlation == job]
    asked = [event.data.cause_id for event in behind if isinstance(event.data, RepeatRequested)]
    assert len(asked) == len(set(asked)) == 10
    (plan,) = [event.data for event in behind if isinstance(event.data, ReprocessingPlanned)]
    assert (plan.causes, plan.answers) == (10, 10)


class _AfterSo(threading.Event):
    """Is set once it was looked at so often."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        """Count the look."""
        self.looks -= 1
        return self.looks < 0


def _processing(service: Disco) -> Processing:
    return service._runner._processing


def test_views_log_and_a_copy_of_it_agree_afterwards(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a reprocessed catalogue, then fresh views equal the live ones, and so do those of a copy in a folder.

    A service over the copy finds that all is answered, and does nothing.
    """
    disco = start(*Release("1").processors)
    disco.given_midi()
    _tones(disco, 3)
    disco = start(*Release("2").processors)
    _reprocessed(disco)
    live, events = disco.service.views.digests(), disco.events()
    assert list(disco.service.differences()) == []
    assert disco.replayed().service.views.digests() == live
    (tmp_path / "copy").mkdir()
    with Spine(tmp_path / "copy" / "disco.sqlite") as empty:
        for event in events:
            how = (event.time_us, event.source, event.actor, event.correlation, event.causation, event.duration_ms)
            empty.append([Proposed(event.id, event.project, event.data, *how)])
    third = Release("2")
    cheap.install(monkeypatch.setattr, third.processors)
    with Given(tmp_path / "copy") as copy:
        copy.settled()
        assert [event.id for event in copy.events()] == [event.id for event in events]
        assert third.calls == {}
        assert copy.service.views.digests() == live


def test_a_processor_added_later_does_not_have_the_old_requests_done_again(start: Start) -> None:
    """Given a request done under version 2, when a release brings version 3 and another processor, only that one runs.

    The new one begins with the first event and comes past the old requests, which others have come past already.
    """
    asset = _tones(start(Release("1").processors[0]), 1)[0]
    _reprocessed(start(Release("2").processors[0]))
    third = Release("3")
    disco = start(*third.processors).settled()
    assert third.calls == {"hush": 1}
    assert _weights(disco, asset) == [1.0, 2.0]
