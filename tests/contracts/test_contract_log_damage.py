"""The event log: what a disk has changed is named, and never answered as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from domain import ids
from domain.errors import Corrupted, DiscoError
from domain.ports import EventLog, Selection
from tests import payloads
from tests.builders import History, proposed
from tests.contracts.adapters import LOGS, LogAdapter

COUNT = 12
HURT = 7


@pytest.fixture(params=sorted(LOGS))
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogAdapter]:
    """One adapter over a log of twelve events; the seventh has a value in every field."""
    made = LOGS[request.param](tmp_path)
    log, history = made.open(), History(Random(3), "a")
    before = list(history.grow(COUNT))
    before[HURT - 1] = proposed(
        payloads.findings(ids.derived("asset"))["levels"],
        project=history.project,
        source="/processors/describe_audio/1",
        causation=ids.derived("cause"),
    )
    log.append(before)
    yield made
    made.close()


def _flips(value: Any) -> Iterator[Any]:  # Any: what a store holds
    """The value with one bit changed, at every byte of it."""
    if isinstance(value, bytes):
        for index in range(len(value)):
            yield value[:index] + bytes([value[index] ^ 1 << index % 8]) + value[index + 1 :]
    elif isinstance(value, str):
        yield from (flipped for flipped in _flips(value.encode()))
    elif isinstance(value, int):
        yield from (value ^ 1 << bit for bit in (0, 1, 7, 13, 31, 40))


READS: dict[str, Callable[[EventLog], object]] = {
    "page": lambda log: log.read(0, limit=1000),
    "next": lambda log: log.read(HURT - 1, limit=1),
    "at": lambda log: log.at([HURT]),
}


def test_a_flipped_bit_in_any_byte_of_any_field_is_named_by_position(adapter: LogAdapter) -> None:
    """Given an event, when one bit of any field changes, then every read of it is Corrupted and tells its position."""
    log, flips = adapter.open(), 0
    original = adapter.fields(HURT)
    for field, value in original.items():
        if field == "position":
            continue
        for flipped in _flips(value):
            if not adapter.store(HURT, field, flipped) or field == "finding":
                continue
            for name, read in READS.items():
                with pytest.raises(Corrupted, match=rf"\b{HURT}\b"):
                    pytest.fail(f"{field} as {flipped!r} was answered by {name}: {read(log)}")
            flips += 1
        adapter.store(HURT, field, value)
    assert flips > 100
    assert len(log.read(0)) == COUNT


def test_text_that_is_no_longer_text_is_named_too(adapter: LogAdapter) -> None:
    """Given a text whose bytes are no UTF-8 any more, or a field of another kind, then Corrupted, never a crash."""
    log, original = adapter.open(), adapter.fields(HURT)
    for field, value in original.items():
        if field in ("position", "finding"):
            continue
        for wrong in (None, 1.5, b"\xff\xfe", "text", 3):
            if type(wrong) is not type(value):
                if not adapter.store(HURT, field, wrong):
                    continue
                for read in READS.values():
                    with pytest.raises(Corrupted, match=rf"\b{HURT}\b"):
                        read(log)
                adapter.store(HURT, field, value)


def test_the_events_before_the_damage_can_still_be_read(adapter: LogAdapter) -> None:
    """Given a damaged event, then pages that end before it, or begin behind it, are as before."""
    log = adapter.open()
    before, behind = log.read(0, limit=HURT - 1), log.read(HURT)
    adapter.store(HURT, "data", b"{}")
    assert [event.raw for event in log.read(0, limit=HURT - 1)] == [event.raw for event in before]
    assert [event.raw for event in log.read(HURT)] == [event.raw for event in behind]


def test_a_missing_event_is_named(adapter: LogAdapter) -> None:
    """Given an event that is gone, then reading past it is Corrupted and tells its position."""
    log = adapter.open()
    adapter.delete(HURT)
    for after in range(HURT):
        with pytest.raises(Corrupted, match=rf"\b{HURT}\b"):
            log.read(after)
    assert [event.position for event in log.read(HURT)] == list(range(HURT + 1, COUNT + 1))


def test_damage_is_an_error_for_whoever_selects_the_event(adapter: LogAdapter) -> None:
    """Given a damaged payload, then reading by subject, project or type is Corrupted as well."""
    log = adapter.open()
    (event,) = log.at([HURT]).values()
    adapter.store(HURT, "data", event.raw.replace(b"1", b"2"))
    selections = (Selection(subject=event.subject), Selection(project=event.project), Selection(types=(event.type,)))
    for selection in selections:
        with pytest.raises(Corrupted):
            log.read(0, selection=selection)
    with pytest.raises(DiscoError):
        log.about(event.subject)
