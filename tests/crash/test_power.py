"""The power goes at any moment: what was acknowledged is there, the file opens, the views are what the log says."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import apsw
import pytest

from domain.errors import DiscoError
from infra.embedded import database
from tests.builders import History, interleaved, library
from tests.crash.power import Power, PoweredVFS
from tests.spine import Spine

CUTS = int(os.environ.get("DISCO_CUTS", "100"))
RUNS = 10
APART = 24
"""Syncs between one cut and the next, at most."""


@contextmanager
def _powered(folder: Path) -> Iterator[tuple[Power, Spine]]:
    folder.mkdir()
    power = Power(folder)
    name = f"power-{folder.parent.name}-{folder.name}"
    vfs = PoweredVFS(name, power)
    try:
        with Spine(folder / "disco.sqlite", vfs=name) as spine:
            yield power, spine
    finally:
        vfs.unregister()


def _live(spine: Spine, power: Power, random: Random, acknowledged: list[str], done: threading.Event) -> None:
    """Append, fold and rebuild by turns until told that it is done, noting what was acknowledged."""
    chapter = 0
    while not done.is_set():
        _chapter(spine, power, random, acknowledged, done, chapter)
        chapter += 1


def _chapter(
    spine: Spine, power: Power, random: Random, acknowledged: list[str], done: threading.Event, number: int = 0
) -> None:
    """So much of a life as three projects are good for."""
    histories = [History(random, f"{name} {number}").grow(120) for name in ("a", "b", "c")]
    events = interleaved([[library()], *histories], random)
    while events and not done.is_set():
        batch, events = events[: random.randint(1, 12)], events[12:]
        for event in batch:
            spine.log.append([event])
            with power.lock:
                acknowledged.append(event.id)
        if random.random() < 0.4:
            spine.views.catch_up()
        if random.random() < 0.1:
            spine.views.rebuild(random.sample([view.name for view in spine.views.status()], 2))
        if random.random() < 0.2:
            with spine.database.write() as connection:
                pass
            spine.database.reader().execute("SELECT 1").fetchall()
            if random.random() < 0.5:
                connection.wal_checkpoint(mode=random.choice((0, 1, 3)))


def _cuts(folder: Path, seed: int, cuts: int) -> list[tuple[Path, list[str], bool]]:
    """Cut the power at random moments of one life; what is left, what was acknowledged, and if it went on until then.

    All cuts come before any is judged: judging takes longer than working, so a life that waited for it would be over.
    """
    random, acknowledged, done = Random(seed), list[str](), threading.Event()
    found = []
    with _powered(folder / f"life-{seed}") as (power, spine):
        worker = threading.Thread(target=_live, args=(spine, power, Random(seed), acknowledged, done))
        worker.start()
        for number in range(cuts):
            after = power.syncs + random.randint(0, APART)
            while power.syncs < after and worker.is_alive():
                done.wait(0.0005)
            left = folder / f"left-{seed}-{number}"
            with power.lock:
                known = list(acknowledged)
            power.cut(left, random)
            found.append((left, known, worker.is_alive()))
        done.set()
        worker.join()
    return found


def _lost(left: Path, known: list[str]) -> list[str]:
    """What of the acknowledged is not in the file that was left, which must be sound in every other way."""
    with Spine(left / "disco.sqlite") as spine:
        assert spine.database.reader().execute("PRAGMA integrity_check").get == "ok"
        events = spine.events()
        assert [event.position for event in events] == list(range(1, len(events) + 1))
        spine.views.catch_up()
        live = spine.views.digests()
        assert list(spine.views.differences()) == []
        spine.views.rebuild()
        assert spine.views.digests() == live
        there = {event.id for event in events}
        return [id for id in known if id not in there]


def test_a_power_cut_loses_nothing_acknowledged_and_leaves_a_sound_file(tmp_path: Path) -> None:
    """Given a hundred cuts in the middle of appends, folds, rebuilds and checkpoints, with any unsynced writes lost.

    Then each file that is left opens, holds every acknowledged event, and its views, caught up, are the log's.
    """
    total = moments = 0
    for seed in range(RUNS):
        cuts = _cuts(tmp_path, seed, CUTS // RUNS)
        assert all(working for _, _, working in cuts), "the work was over before the cuts were"
        moments += len({len(known) for _, known, _ in cuts})
        for left, known, _ in cuts:
            assert _lost(left, known) == []
            total += len(known)
    assert total > CUTS, "some events were acknowledged before the cuts"
    assert moments > CUTS // 2, "the cuts came as the work went on"


@pytest.mark.parametrize("careless", ["synchronous is off", "synchronous is normal", "the disk lies"])
def test_a_log_that_does_not_sync_is_caught_losing_what_it_acknowledged(
    tmp_path: Path, careless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given commits that are not synced, or a disk that says it synced and did not, then the same cuts find losses."""
    write = database.Database.write
    lost = 0

    def unsynced(self: database.Database, *, durable: bool = True) -> object:
        return write(self, durable=False)

    if careless != "the disk lies":
        monkeypatch.setattr(database.Database, "write", unsynced)
    for seed in range(4):
        with _powered(tmp_path / f"life-{seed}") as (power, spine):
            if careless == "synchronous is off":
                spine.database._writer.pragma("synchronous", "off")
            power.honest = careless != "the disk lies"
            acknowledged: list[str] = []
            _chapter(spine, power, Random(seed), acknowledged, threading.Event())
            power.cut(tmp_path / f"left-{seed}", Random(seed))
        try:
            lost += len(_lost(tmp_path / f"left-{seed}", acknowledged))
        except (DiscoError, AssertionError, apsw.Error):
            lost += 1  # not even a sound file
    assert lost > 0
