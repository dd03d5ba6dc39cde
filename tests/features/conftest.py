"""What features are told of: a service over each profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.pool import WorkerPool
from infra.settings import Settings
from processors.handler import Processor
from tests.crash import cheap
from tests.given import Given, lent

Start = Callable[..., Given]


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile, and empty places of it for services to run over."""

    name: str
    place: Callable[[], Settings | None]

    @property
    def disco(self) -> str:
        """The module of its service."""
        return {"embedded": "infra.disco", "server": "infra.server.disco"}[self.name]

    def given(self, home: Path, **settings: Any) -> Given:  # Any: fields of Settings
        """A service over a fresh place."""
        return Given(home, over=self.place(), **settings)


@pytest.fixture(params=["embedded", "server"])
def profile(request: pytest.FixtureRequest) -> Iterator[Profile]:
    """Each profile in turn. The servers' workers are hosted by the plain runner, which begins and ends sooner."""
    if request.param == "embedded":
        yield Profile("embedded", lambda: None)
        return
    installations = request.getfixturevalue("installations")
    with ExitStack() as taken:
        yield Profile("server", lambda: taken.enter_context(installations.one()).model_copy(update={"runner": "plain"}))


@pytest.fixture
def disco(profile: Profile, tmp_path: Path, workers: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    """A service over a fresh place, at work with the shared workers."""
    monkeypatch.setattr(f"{profile.disco}.WorkerPool", lambda *_, **__: lent(workers))
    with profile.given(tmp_path / "home") as made:
        yield made


@pytest.fixture
def quick(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    """A service whose processors do next to nothing."""
    cheap.install(monkeypatch.setattr, profile=profile.name)
    with profile.given(tmp_path / "home") as made:
        yield made


@pytest.fixture
def start(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a release with these processors and no others; again over the same place, if it is called again."""
    monkeypatch.setattr("infra.processing.BACKOFF_S", (0.01, 0.02))
    over, opened = profile.place(), list[Given]()

    def begin(*handlers: Processor, **settings: Any) -> Given:  # Any: fields of Settings
        for running in opened:
            running.service.close()
        cheap.install(monkeypatch.setattr, handlers, profile.name)
        opened.append(Given(tmp_path / "home", over=over, **settings))
        return opened[-1]

    yield begin
    for running in opened:
        running.service.close()
