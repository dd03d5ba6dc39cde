"""A server that is away: the rest goes on, nothing is lost, and it catches up by itself."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from domain.errors import Unavailable
from domain.ports import Blobs
from domain.views import ViewStatus
from events.analyses import WaveformDrawn
from events.imports import AudioAdded
from infra.opening import open_service
from infra.processing import ATTEMPTS
from infra.settings import Settings
from processors.handler import processor
from tests.crash import cheap
from tests.faults.conftest import Behind
from tests.given import ADA, RATE_HZ, Given, sine

SOON_S = 30.0
VIEW_OF = {"neo4j": "lineage_graph", "milvus": "similarity"}


def _standing(behind: Behind) -> dict[str, ViewStatus]:
    return {status.name: status for status in behind.given.service.views.status()}


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("store", ["neo4j", "milvus"])
@pytest.mark.parametrize("fault", ["cut", "freeze"])
def test_a_view_whose_store_is_away_lags_alone_and_catches_up(behind: Behind, store: str, fault: str) -> None:
    """Given a store cut off or silent while events come, then its view alone lags; healed, it has everything."""
    getattr(behind.proxies[store], fault)()
    behind.write(3)
    behind.bring(2)
    head = behind.given.service.log.head()
    others = ["catalogue", "jobs", "measurements", *(name for at, name in VIEW_OF.items() if at != store)]
    _until(lambda: all(_standing(behind)[name].position >= head for name in others))
    assert _standing(behind)[VIEW_OF[store]].lag > 0
    behind.proxies[store].heal()
    behind.proxies[store].drop()
    _until(lambda: all(status.lag == 0 for status in _standing(behind).values()))
    behind.whole()


@pytest.mark.parametrize("fault", ["cut", "half_close"])
def test_while_postgresql_is_away_writes_are_refused_and_nothing_is_half_done(behind: Behind, fault: str) -> None:
    """Given PostgreSQL cut off, then writes are Unavailable with a hint; healed, they go on, and all is whole.

    What was refused left nothing. Connections that break while it is there are at most refused likewise.
    """
    proxy = behind.proxies["postgres"]
    proxy.refuse()
    getattr(proxy, fault)()
    error = behind.refused()
    assert isinstance(error, Unavailable)
    assert error.retryable
    assert "PostgreSQL" in error.message
    proxy.heal()
    proxy.drop()
    _until(lambda: _writes(behind))
    behind.bring()
    behind.whole()
    projects = {event.subject for event in behind.given.events() if event.project == event.subject}
    assert len(projects - behind.names.keys()) == 1, "what was refused was made; only the sounds' own is not remembered"


def _writes(behind: Behind) -> bool:
    try:
        behind.write()
    except Unavailable:
        return False
    return True


def test_while_the_blobs_are_away_imports_are_refused_and_other_writes_go_on(behind: Behind) -> None:
    """Given object storage cut off, then a file is refused and leaves nothing, and what needs no blob goes on."""
    behind.proxies["s3"].cut()
    with pytest.raises(AssertionError, match="unavailable"):
        behind.bring()
    behind.assets = behind.assets[:1]
    behind.write(2)
    behind.proxies["s3"].heal()
    behind.bring(2)
    behind.whole()


def test_what_was_imported_before_the_blobs_went_away_is_answered_when_they_are_back(
    behind: Behind, placed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a worker without object storage, then it gives nothing up, however long it lasts; healed, all is there."""
    monkeypatch.setattr("infra.processing.AWAY_S", (0.05,))
    proxy, path = behind.proxies["s3"], behind.given.file("before.wav")
    soundfile.write(path, sine(300, seconds=0.2), RATE_HZ)
    proxy.cut()
    with open_service(placed.model_copy(update={"home": tmp_path / "another", "workers": 1}), run=False) as another:
        (imported,) = another.import_paths([path], actor=ADA, project="Sounds").imported
    behind.assets.append(imported.asset_id)
    _until(lambda: proxy.refused > 200)
    behind.write()
    assert behind.given.service.views.dead_letters.page()[0] == []
    proxy.heal()
    behind.whole()
    assert behind.given.service.views.dead_letters.page()[0] == []


def test_while_the_embedded_profile_cannot_write_blobs_its_processors_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a file where a folder of blobs has to be, then a finding that belongs there waits until it is gone."""
    monkeypatch.setattr("infra.processing.AWAY_S", (0.01,))
    hindered, tries = threading.Event(), list[str]()

    @processor("1")
    def sketch(event: AudioAdded, blobs: Blobs) -> WaveformDrawn:
        hindered.wait(SOON_S)
        tries.append(event.asset_id)
        pyramid = blobs.put(b"a sketch", "application/x-npz")
        return WaveformDrawn(asset_id=event.asset_id, pyramid=pyramid, levels=1, samples_per_bin=256)

    cheap.install(monkeypatch.setattr, (sketch,))
    with Given(tmp_path / "home") as given:
        asset = given.given_audio(sine(seconds=0.1))
        hindrance = given.home / "blobs" / hashlib.sha256(b"a sketch").hexdigest()[:2]
        hindrance.touch()
        hindered.set()
        _until(lambda: len(tries) > 3 * ATTEMPTS)
        hindrance.unlink()
        given.settled()
        assert given.service.views.dead_letters.page()[0] == []
        assert "waveform" in given.service.views.documents.get(asset)["analyses"]


def test_a_slow_network_only_costs_time(behind: Behind) -> None:
    """Given every server 20 ms further away, then all is as it should be."""
    for proxy in behind.proxies.values():
        proxy.delay_s = 0.02
    behind.write()
    behind.bring()
    for proxy in behind.proxies.values():
        proxy.delay_s = 0.0
    behind.whole()
