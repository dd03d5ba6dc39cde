"""What fails is tried again, given up with its cause, retried by hand; what was cut short is done after a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from domain import ids
from domain.commands import RetryProcessing
from domain.errors import Malformed, NotFound, Unavailable
from domain.ports import Progress
from events.analyses import AudioDescribed, SilenceFound
from events.base import Event
from events.envelope import Proposed, processor_source
from events.imports import AudioAdded
from processors.handler import Processor, processor
from tests import payloads
from tests.features.conftest import Start
from tests.given import Given, sine


class Trouble:
    """Two processors of one event: one always answers, the other fails as told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.times = 1 << 30
        self.calls = 0
        self.asked: set[str] = set()

        @processor("1")
        def troubled(event: AudioAdded) -> SilenceFound:
            self.calls += 1
            self.asked.add(event.asset_id)
            if self.error is not None and self.calls <= self.times:
                raise self.error
            return payloads.findings(event.asset_id)["silence"]  # type: ignore[return-value]  # it is

        @processor("1")
        def steady(event: AudioAdded) -> AudioDescribed:
            return payloads.findings(event.asset_id)["levels"]  # type: ignore[return-value]  # it is

        # annotations are looked up in the module, where a function's own names are not
        for made in (troubled, steady):
            made.handle.__annotations__.update({"event": AudioAdded, "return": Event})  # type: ignore[attr-defined]
        self.processors: tuple[Processor, ...] = (troubled, steady)


def _kinds(disco: Given, asset: str) -> set[str]:
    return set(disco.service.views.documents.get(asset)["analyses"])


def _letters(disco: Given) -> list[dict]:  # type: ignore[type-arg]  # JSON
    return [letter for _, letter in disco.service.views.dead_letters.page()[0]]


def test_what_fails_for_a_while_comes_right_by_itself(start: Start) -> None:
    """Given a processor that fails twice, then its third answer is recorded, and nobody is told of a failure."""
    trouble = Trouble()
    trouble.error, trouble.times = Unavailable("not now"), 2
    disco = start(*trouble.processors)
    asset = disco.given_audio(sine(seconds=0.02))
    disco.settled()
    assert _kinds(disco, asset) == {"silence", "levels"}
    assert trouble.calls == 3
    assert _letters(disco) == []


def test_for_a_store_that_is_away_work_waits_and_is_not_given_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a store that does not answer at any number of attempts, then no dead letter; once back, all is answered.

    While it is away no more is begun than may be under way.
    """
    monkeypatch.setattr("infra.processing.AWAY_S", (0.01,))
    trouble = Trouble()
    trouble.error = Unavailable("the store does not answer", retry_s=1)
    disco = start(*trouble.processors, workers=1)
    assets = [disco.given_audio(sine(200 + number, seconds=0.02), name=f"sound {number}") for number in range(6)]
    _until(lambda: trouble.calls > 50)
    assert 0 < len(trouble.asked) < len(assets)
    assert _letters(disco) == []
    trouble.error = None
    disco.settled()
    assert [_kinds(disco, asset) for asset in assets] == [{"silence", "levels"}] * len(assets)
    assert _letters(disco) == []


def test_what_goes_on_failing_is_given_up_with_its_cause_and_harms_no_other(start: Start) -> None:
    """Given a processor that always fails, then after bounded attempts a dead letter says what, where and why.

    The answers of the other processor to the same event are there.
    """
    trouble = Trouble()
    trouble.error = RuntimeError("broken pedal")
    disco = start(*trouble.processors)
    asset = disco.given_audio(sine(seconds=0.02))
    disco.settled()
    assert _kinds(disco, asset) == {"levels"}
    (letter,) = _letters(disco)
    assert (letter["processor"], letter["resource_id"]) == ("troubled", asset)
    assert "broken pedal" in letter["message"]
    assert letter["attempts"] == trouble.calls <= 5
    assert letter["traceback_digest"]
    (imported,) = [event for event in disco.events() if event.type == "disco.audio.imported"]
    assert letter["cause_id"] == imported.id


def test_malformed_input_is_not_tried_again(start: Start) -> None:
    """Given a processor that says the input is malformed, then it is asked once."""
    trouble = Trouble()
    trouble.error = Malformed("this is a picture")
    disco = start(*trouble.processors)
    disco.given_audio(sine(seconds=0.02))
    disco.settled()
    assert trouble.calls == 1
    (letter,) = _letters(disco)
    assert (letter["code"], letter["attempts"]) == ("malformed", 1)


def test_a_dead_letter_is_retried_by_hand_until_it_comes_right(start: Start) -> None:
    """Given a dead letter, when retried while it fails, then another stands there; once mended, the answer does."""
    trouble = Trouble()
    trouble.error = Malformed("no")
    disco = start(*trouble.processors)
    asset = disco.given_audio(sine(seconds=0.02))
    disco.settled()
    (first,) = _letters(disco)
    disco.when(RetryProcessing(resource_id=asset, failure_id=first["id"]))
    disco.settled()
    (second,) = _letters(disco)
    assert second["id"] != first["id"]
    trouble.error = None
    disco.when(RetryProcessing(resource_id=asset, failure_id=second["id"]))
    disco.settled()
    assert _letters(disco) == []
    assert _kinds(disco, asset) == {"silence", "levels"}
    assert disco.types(asset).count("disco.audio.described") == 1, "what had answered is not asked again"
    with pytest.raises(NotFound):
        disco.when(RetryProcessing(resource_id=asset, failure_id=second["id"]))
    digests = disco.service.views.digests()
    assert disco.replayed().service.views.digests() == digests


def test_retries_after_a_restart_find_what_they_are_about(start: Start) -> None:
    """Given a dead letter and a restart, when retried, then it is done, and a further restart does it not again."""
    trouble = Trouble()
    trouble.error = Malformed("no")
    disco = start(*trouble.processors)
    asset = disco.given_audio(sine(seconds=0.02))
    disco.settled()
    (letter,) = _letters(disco)
    trouble.error = None
    disco = start(*trouble.processors)
    disco.when(RetryProcessing(resource_id=asset, failure_id=letter["id"]))
    disco.settled()
    calls, head = trouble.calls, disco.service.log.head()
    assert _letters(disco) == []
    assert _kinds(disco, asset) == {"silence", "levels"}
    disco = start(*trouble.processors).settled()
    assert (trouble.calls, disco.service.log.head()) == (calls, head)


def test_a_new_processor_comes_to_everything_there_is(start: Start) -> None:
    """Given files imported by a release without it, when a processor is added, then it answers all of them, once."""
    trouble = Trouble()
    disco = start(trouble.processors[1])
    assets = [disco.given_audio(sine(200.0 + n, seconds=0.02), name=f"{n}") for n in range(5)]
    disco.settled()
    disco = start(*trouble.processors).settled()
    assert all(_kinds(disco, asset) == {"silence", "levels"} for asset in assets)
    assert trouble.calls == 5
    assert all(disco.types(asset).count("disco.audio.described") == 1 for asset in assets)


def test_a_retry_that_finds_its_answer_there_leaves_nothing_pending(start: Start) -> None:
    """Given a dead letter whose answer came meanwhile, as from another process, then a retry of it asks nobody.

    Its job is done, and nothing is pending.
    """
    trouble = Trouble()
    trouble.error = Malformed("no")
    disco = start(*trouble.processors)
    asset = disco.given_audio(sine(seconds=0.02))
    disco.settled()
    (letter,) = _letters(disco)
    late = Proposed(
        id=ids.output_id(letter["cause_id"], "troubled", "1", 0),
        project=ids.project_id("Tests"),
        data=payloads.findings(asset)["silence"],
        time_us=disco.service.clock.now_us(),
        source=processor_source("troubled", "1"),
        actor="disco",
        correlation=letter["job"],
    )
    disco.service.log.append([late])
    done = disco.when(RetryProcessing(resource_id=asset, failure_id=letter["id"]))
    disco.settled()
    assert (trouble.calls, _letters(disco)) == (1, [])
    assert _kinds(disco, asset) == {"silence", "levels"}
    assert disco.service.pending(done.job) == 0


def test_work_that_was_cut_short_is_done_after_a_restart_and_once(start: Start) -> None:
    """Given a service closed in the middle of its work, when opened again, then the rest is done, and nothing twice."""
    first = Trouble()
    disco = start(*first.processors)
    assets = [disco.given_audio(sine(200.0 + n, seconds=0.02), name=f"{n}") for n in range(20)]
    disco = start(*first.processors)
    disco = start(*first.processors).settled()
    for asset in assets:
        assert sorted(disco.types(asset)) == sorted(
            ["disco.audio.imported", "disco.audio.described", "disco.silence.found"]
        )
    assert len({event.id for event in disco.events()}) == len(disco.events())


@pytest.mark.parametrize("error", [Unavailable("not now"), Unavailable("the store is away", retry_s=1)])
def test_closing_does_not_wait_for_what_is_to_be_tried_again(
    start: Start, monkeypatch: pytest.MonkeyPatch, error: Unavailable
) -> None:
    """Given an answer that waits a minute for its next attempt, when closed, then at once; it is there after a restart.

    Nothing is left behind that would keep the process from ending.
    """
    trouble = Trouble()
    trouble.error, trouble.times = error, 1
    disco = start(*trouble.processors)
    monkeypatch.setattr("infra.processing.BACKOFF_S", (60.0,))
    monkeypatch.setattr("infra.processing.AWAY_S", (60.0,))
    asset = disco.given_audio(sine(seconds=0.02))
    _until(lambda: trouble.calls == 1 and "disco.audio.described" in disco.types(asset))
    before = set(threading.enumerate())
    closing = threading.Thread(target=disco.service.close)
    closing.start()
    closing.join(20)
    assert not closing.is_alive(), "it waits for the next attempt"
    _until(lambda: not [each for each in before if each.is_alive() and "processors" in each.name])
    disco = start(*trouble.processors).settled()
    assert _kinds(disco, asset) == {"silence", "levels"}


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_progress_is_heard_by_who_listens_and_is_no_event(start: Start) -> None:
    """Given a listener, then it hears of each asset's work from its beginning to its end, and no event of it."""
    trouble = Trouble()
    disco = start(*trouble.processors)
    heard: list[Progress] = []
    lock = threading.Lock()

    def listener(progress: Progress) -> None:
        with lock:
            heard.append(progress)

    stop = disco.service.on_progress(listener)
    asset = disco.given_audio(sine(seconds=0.02))
    disco.settled()
    stop()
    mine = [progress for progress in heard if progress.resource_id == asset]
    assert [progress.done for progress in mine] == sorted(progress.done for progress in mine)
    assert mine[-1].done == mine[-1].total
    assert len({progress.job for progress in mine}) == 1
    assert not [event for event in disco.events() if "progress" in event.type]
    before = len(heard)
    disco.given_audio(sine(300, seconds=0.02), name="unheard")
    disco.settled()
    assert len(heard) == before


def test_pending_counts_down_to_nothing(start: Start) -> None:
    """Given work under way, then some is pending, of its job and of all; once settled, none is."""
    trouble = Trouble()
    gate = threading.Event()
    handle = trouble.processors[0].handle

    @processor("1")
    def gated(event: AudioAdded) -> Event:
        gate.wait(20)
        return handle(event)  # type: ignore[return-value]  # one event

    disco = start(gated, trouble.processors[1])
    disco.given_audio(sine(seconds=0.02))
    (job,) = {event.correlation for event in disco.events() if event.type == "disco.audio.imported"}
    disco.service.views.wait(disco.service.log.head(), 10)
    assert disco.service.pending(job) > 0
    assert disco.service.pending() > 0
    assert not disco.service.settle(0.05)
    gate.set()
    disco.settled()
    assert (disco.service.pending(job), disco.service.pending()) == (0, 0)
