"""Bits flipped in the file of a closed database: reading gives the true data or an error, never other data."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from random import Random

import apsw
import pytest

from domain.access import Actor
from domain.commands import CreateProject
from domain.errors import Corrupted, DiscoError, Unavailable
from events.envelope import Recorded
from infra.disco import Disco
from infra.settings import Settings
from tests.builders import History, interleaved, library
from tests.spine import Spine

FLIPS = int(os.environ.get("DISCO_FLIPS", "200"))


def _told(event: Recorded) -> tuple[object, ...]:
    names = ("position", "sequence", "id", "project", "subject", "type", "version", "time_us", "source", "actor")
    return (*(getattr(event, name) for name in names), event.correlation, event.causation, event.duration_ms, event.raw)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[int, tuple[object, ...]]]:
    """The bytes of a database of 400 events, and what each event truly says."""
    path, random = tmp_path_factory.mktemp("healthy") / "disco.sqlite", Random(3)
    histories = [History(random, name).grow(130) for name in "abc"]
    with Spine(path) as spine:
        spine.append(interleaved([[library()], *histories], random))
        true = {event.position: _told(event) for event in spine.events()}
    assert not path.with_name("disco.sqlite-wal").exists(), "a closed database is one file"
    return path.read_bytes(), true


def test_a_flipped_bit_anywhere_is_never_answered_as_data(
    healthy: tuple[bytes, dict[int, tuple[object, ...]]], tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    """Given one bit flipped anywhere, then each event that is read is the true one, or the read fails as Corrupted."""
    content, true = healthy
    random, outcomes = Random(11), Counter[str]()
    for number in range(FLIPS):
        place = random.randrange(len(content) * 8)
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(flipped)
        outcomes[_read(path, true, place)] += 1
        for left in tmp_path.glob(f"{number}.sqlite*"):
            left.unlink()
    record_property("outcomes", dict(outcomes))
    assert outcomes["true"] > 0
    assert outcomes["named"] > 0


def _read(path: Path, true: dict[int, tuple[object, ...]], place: int) -> str:
    try:
        with Spine(path) as spine:
            outcome, after = "true", 0
            while after < len(true):
                try:
                    page = spine.log.read(after, limit=10)
                except (Corrupted, Unavailable):
                    outcome, after = "named", after + 10
                    continue
                assert page, f"bit {place}: the log ended after {after} without a word"
                for event in page:
                    assert _told(event) == true[event.position], f"bit {place} changed what {event} says"
                after = page[-1].position
            return outcome
    except DiscoError:
        return "not opened"


def test_damage_to_an_index_of_the_log_is_named(tmp_path: Path) -> None:
    """Given a flipped bit in an index of the log, which reads by subject rely on, then verifying names it."""
    settings = Settings(home=tmp_path)
    with Disco(settings, run=False) as disco:
        for number in range(50):
            disco.execute(CreateProject(name=f"p{number}"), actor=Actor("me"))
    connection = apsw.Connection(str(settings.database))
    connection.pragma("wal_checkpoint(truncate)")
    query = "SELECT pageno, pgsize FROM dbstat WHERE name = 'events_by_subject' AND pagetype = 'leaf' LIMIT 1"
    page, size = connection.execute(query).get
    connection.close()
    data = bytearray(settings.database.read_bytes())
    data[page * size - 8] ^= 1
    settings.database.write_bytes(data)
    with Disco(settings, run=False) as disco:
        disco.views.catch_up()
        assert [difference.view for difference in disco.differences()][:1] == ["events"]
