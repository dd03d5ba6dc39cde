"""The event log: every adapter keeps these promises."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import ids
from domain.errors import Conflict, Malformed
from domain.ports import EventLog, Selection
from events.envelope import Proposed, encode
from tests import payloads
from tests.builders import History, as_recorded, interleaved, numbered, proposed
from tests.contracts.adapters import LOGS, LogAdapter

WRONG: tuple[dict[str, Any], ...] = (
    {},
    {"id": "not an id"},
    {"correlation": "\ud800"},
    {"time_us": 1 << 70},
    {"source": "nul\0"},
)
A, B = ids.project_id("a"), ids.project_id("b")


@pytest.fixture(params=sorted(LOGS))
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogAdapter]:
    """One adapter over an empty log."""
    made = LOGS[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def log(adapter: LogAdapter) -> EventLog:
    """A handle on an empty log."""
    return adapter.open()


def _written(log: EventLog) -> list[str]:
    return [event.id for event in log.read(0, limit=100_000)]


def test_what_is_read_is_what_was_appended(log: EventLog) -> None:
    """Given one event of every type, when read back, then every field is as it was, and positions begin at 1."""
    given = [proposed(data, source="/processors/x/1", causation=ids.derived("c")) for data in payloads.one_of_each()]
    appended = log.append(given)
    found = log.read(0)
    assert list(appended.positions) == [event.position for event in found] == list(range(1, len(given) + 1))
    for before, after in zip(given, found, strict=True):
        assert after.data == before.data
        assert after.raw == encode(before.data)
        names = ("id", "project", "time_us", "source", "actor", "correlation", "causation", "duration_ms")
        assert all(getattr(after, name) == getattr(before, name) for name in names)
        assert (after.subject, after.type, after.version) == (
            before.data.subject,
            before.data.TYPE,
            before.data.VERSION,
        )


def test_an_empty_log_has_head_0_and_nothing_to_read(log: EventLog) -> None:
    """Given nothing, then nothing is found, and nothing fails."""
    assert (log.head(), log.read(0), log.about(payloads.PROJECT), log.at([1]), log.wait(0, 0.0)) == (0, [], [], {}, 0)
    assert log.places([numbered(1)[0].id]) == {}


def test_positions_of_an_append_are_told_in_the_order_of_its_events(log: EventLog) -> None:
    """Given events of two projects, then positions run over all and sequences over each project, from 1, no gaps."""
    for number in range(4):
        log.append(numbered(3, start=3 * number, project=A))
        appended = log.append(numbered(2, start=2 * number, project=B))
        assert appended.sequences == (2 * number + 1, 2 * number + 2)
        assert appended.token.position == appended.positions[-1] == log.head()
    events = log.read(0)
    assert [event.position for event in events] == list(range(1, 21))
    for project in (A, B):
        mine = [event.sequence for event in events if event.project == project]
        assert mine == list(range(1, len(mine) + 1))


def test_an_append_at_the_expected_version_succeeds_and_any_other_is_a_conflict(log: EventLog) -> None:
    """Given a subject at a version, when appended from another, then Conflict tells the current one."""
    (first,) = log.append(numbered(1), expected={payloads.PROJECT: 0}).sequences
    log.append(numbered(1, start=1), expected={payloads.PROJECT: first})
    for wrong in (0, first, 99):
        with pytest.raises(Conflict) as raised:
            log.append(numbered(1, start=7), expected={payloads.PROJECT: wrong})
        assert raised.value.details["current"] == 2
    assert len(log.read(0)) == 2


def test_expectations_hold_for_every_subject_that_was_looked_at(log: EventLog) -> None:
    """Given events about two subjects, when one of them has moved, then nothing of the append is written."""
    other = ids.derived("other")
    log.append(numbered(1))
    log.append(numbered(1, subject=other))
    with pytest.raises(Conflict):
        log.append(numbered(1, start=5), expected={payloads.PROJECT: 1, other: 0})
    assert log.head() == 2
    log.append(numbered(1, start=5), expected={payloads.PROJECT: 1, other: 2})


def test_of_many_who_decide_from_the_same_version_exactly_one_wins(log: EventLog) -> None:
    """Given 32 threads that expect version 0, then one writes and 31 are told Conflict."""

    def race(number: int) -> bool:
        try:
            log.append(numbered(1, start=number), expected={payloads.PROJECT: 0})
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(32) as threads:
        assert sum(threads.map(race, range(32))) == 1
    assert log.head() == 1


def test_an_append_again_with_the_same_ids_writes_nothing_and_answers_the_same_at_any_age(log: EventLog) -> None:
    """Given an append, when retried at once and after 3,000 others, then it is answered as at first."""
    events = [*numbered(3), proposed(payloads.findings(payloads.PROJECT)["key"])]
    first = log.append(events, expected={payloads.PROJECT: 0})
    for age in range(3):
        for expected in (None, {payloads.PROJECT: 0}):
            again = log.append(events, expected=expected)
            assert (again.positions, again.sequences, again.written) == (first.positions, first.sequences, 0)
        log.append(numbered(1000, start=1000 * (age + 1)))
    assert log.head() == 3004


@given(data=st.data())
def test_batches_that_overlap_write_each_event_once(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Given batches drawn with repetition, also within one, then each id is there once, in order of appearance."""
    adapter = LOGS["embedded"](tmp_path_factory.mktemp("log"))
    log, pool = adapter.open(), _some_of_both_kinds()
    batches = data.draw(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=8))
    order: list[str] = []
    for batch in batches:
        fresh = [id for number in batch if (id := pool[number].id) not in order]
        order += dict.fromkeys(fresh)
        appended = log.append([pool[number] for number in batch])
        assert appended.written == len(set(fresh))
        assert list(appended.positions) == [order.index(pool[number].id) + 1 for number in batch]
    assert _written(log) == order
    adapter.close()


def _some_of_both_kinds() -> list[Proposed]:
    kinds = payloads.findings(payloads.PROJECT)
    return [*numbered(5), *(proposed(kinds[kind]) for kind in ("key", "beats", "chords", "levels", "loudness"))]


def test_the_same_events_from_many_threads_at_once_are_written_once(log: EventLog) -> None:
    """Given 16 threads with the same shuffled batches, then each id is there once and all heard the same positions."""
    pool = _some_of_both_kinds()

    def work(seed: int) -> list[dict[str, int]]:
        random, found = Random(seed), []
        for _ in range(10):
            batch = random.sample(pool, 4)
            found.append(dict(zip((event.id for event in batch), log.append(batch).positions, strict=True)))
        return found

    with ThreadPoolExecutor(16) as threads:
        heard = [answer for answers in threads.map(work, range(16)) for answer in answers]
    places = {event.id: event.position for event in log.read(0)}
    assert sorted(places.values()) == list(range(1, len(pool) + 1))
    assert all(answer.items() <= places.items() for answer in heard)


def test_requests_of_a_group_are_atomic_and_one_that_fails_harms_no_other(log: EventLog) -> None:
    """Given 64 writers at once, a third of them wrong in some way, then the right ones are whole, the others absent."""
    log.append(numbered(1, project=B))

    def write(number: int) -> list[Proposed]:
        events = numbered(3, start=100 * number, project=A if number % 2 else B)
        if number % 3:
            log.append(events)
            return events
        wrong = WRONG[number // 3 % len(WRONG)]
        last = proposed(events[2].data, **{"project": events[2].project, **wrong})
        with pytest.raises((Conflict, Malformed)):
            log.append([*events[:2], last], expected={} if wrong else {B: 999})
        return []

    with ThreadPoolExecutor(64) as threads:
        right = [events for events in threads.map(write, range(64)) if events]
    found = _written(log)
    assert len(found) == 1 + 3 * len(right)
    for events in right:
        start = found.index(events[0].id)
        assert found[start : start + 3] == [event.id for event in events], "a request's events lie together"


def test_an_append_of_nothing_or_of_two_projects_is_malformed(log: EventLog) -> None:
    """Given no events, or those of two projects, then Malformed, and nothing is written."""
    with pytest.raises(Malformed):
        log.append([])
    with pytest.raises(Malformed):
        log.append([*numbered(1, project=A), *numbered(1, project=B)])
    assert log.head() == 0


def test_an_id_in_use_for_something_else_is_never_taken_for_a_repeat(log: EventLog) -> None:
    """Given an id, when it comes again about another project, then it is refused and the log stays as it is."""
    (event,) = numbered(1, project=A)
    log.append([event])
    with pytest.raises(Malformed):
        log.append([proposed(numbered(1, project=B)[0].data, id=event.id, project=B)])
    assert log.head() == 1


@given(limit=st.integers(1, 30), upto=st.integers(0, 60), seed=st.integers(0, 5))
def test_pages_put_together_are_the_log(shared: EventLog, limit: int, upto: int, seed: int) -> None:
    """Given any page size and end, then following the cursor gives every event once, in order, up to the end."""
    wanted = [event.position for event in shared.read(0, limit=1000) if event.position <= upto]
    found: list[int] = []
    after = 0
    while page := shared.read(after, limit=limit, upto=upto):
        assert len(page) <= limit
        found += [event.position for event in page]
        after = found[-1]
    assert found == wanted


@given(data=st.data())
def test_a_selection_is_what_a_filter_of_the_whole_log_finds(shared: EventLog, data: st.DataObject) -> None:
    """Given any selection, page and cursor, then the events are those that fit all of its fields, and no others."""
    events = shared.read(0, limit=1000)

    def one_of(values: set[str]) -> str | None:
        return data.draw(st.sampled_from([None, ids.derived("nobody"), *sorted(values)]))

    types = tuple(data.draw(st.lists(st.sampled_from(sorted({event.type for event in events})), max_size=3)))
    subject, project = one_of({event.subject for event in events}), one_of({event.project for event in events})
    selection = Selection(types, subject, project, one_of({event.correlation for event in events}))
    after, limit = data.draw(st.integers(0, 80)), data.draw(st.integers(1, 20))
    fitting = [
        event.position
        for event in events
        if event.position > after
        and (not types or event.type in types)
        and subject in (None, event.subject)
        and project in (None, event.project)
        and selection.correlation in (None, event.correlation)
    ]
    found = shared.read(after, limit=limit, selection=selection)
    assert [event.position for event in found] == fitting[:limit]


@pytest.fixture(scope="module", params=sorted(LOGS))
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventLog]:
    """A log with the histories of three projects in it, only to be read."""
    adapter = LOGS[request.param](tmp_path_factory.mktemp("shared"))
    log, random = adapter.open(), Random(1)
    for event in interleaved([History(random, name).grow(25) for name in "abc"], random):
        log.append([event])
    yield log
    adapter.close()


def test_events_about_a_resource_by_place_and_by_id_agree_with_the_whole_log(shared: EventLog) -> None:
    """Given a log, then `about`, `at` and `places` find exactly what reading it all finds."""
    events = shared.read(0, limit=1000)
    for subject in {event.subject for event in events}:
        wanted = [event.id for event in events if event.subject == subject]
        assert [event.id for event in shared.about(subject)] == wanted
        half = events[len(events) // 2].position
        assert [event.position for event in shared.about(subject, after=half)] == [
            event.position for event in events if event.subject == subject and event.position > half
        ]
    places = [event.position for event in events[::7]]
    assert {position: event.id for position, event in shared.at([*places, 10_000]).items()} == {
        event.position: event.id for event in events[::7]
    }
    for event in events:
        assert shared.places([event.id, ids.derived("no")], subject=event.subject) == {event.id: event.position}
        assert shared.places([event.id], subject=ids.derived("no")) == {}
        if not event.data.FINDING:
            assert shared.places([event.id]) == {event.id: event.position}


def test_the_same_events_give_the_same_records_whatever_the_log(log: EventLog) -> None:
    """Given a history, then the records are those that the envelope alone foretells: nothing comes from the store."""
    history = History(Random(4), "a").grow(40)
    log.append(history)
    for found, foretold in zip(log.read(0), as_recorded(history), strict=True):
        for name in ("position", "sequence", "id", "project", "subject", "type", "version", "time_us", "raw"):
            assert getattr(found, name) == getattr(foretold, name)


def test_a_reader_that_follows_many_writers_sees_every_event_once_and_in_order(adapter: LogAdapter) -> None:
    """Given 8 threads over two handles that append while a third reads, then its pages have no gap and no repeat."""
    handles, reader = [adapter.open(), adapter.open()], adapter.open()

    def write(writer: int) -> None:
        for number in range(30):
            handles[writer % 2].append(
                numbered(2, start=1000 * writer + 2 * number, project=ids.project_id(str(writer)))
            )

    with ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(write, writer) for writer in range(8)]
        found: list[int] = []
        while len(found) < 480:
            assert reader.wait(len(found), 20.0) > len(found), "the reader hears of every append"
            found += [event.position for event in reader.read(len(found), limit=50)]
        for job in jobs:
            job.result()
    assert found == list(range(1, 481))
    for writer in range(8):
        sequences = [
            event.sequence for event in reader.read(0, selection=Selection(project=ids.project_id(str(writer))))
        ]
        assert sequences == list(range(1, 61))
        assert all(later - earlier == 1 for earlier, later in pairwise(sequences))
