"""What faults are put between: an installation whose every server but Kafka stands behind a proxy.

Kafka's clients go where the broker tells them to, so it has a broker of these tests' own, which tells of its lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from benchmarks.server_room import remove
from domain.commands import CreateProject, CreateTrack, RenameResource
from domain.errors import DiscoError
from domain.ids import ResourceId
from infra.local_servers import LocalServers
from infra.settings import Settings
from tests.crash import cheap
from tests.faults.lines import Lines
from tests.faults.proxy import Proxy
from tests.given import ADA, Given, sine
from tests.installations import Installations
from tests.servers import own_servers
from tests.spine import digests_of

PROXIED = ("postgres", "neo4j", "milvus", "s3")


@dataclass
class Behind:
    """A service behind proxies, and what was written to it and acknowledged."""

    given: Given
    proxies: dict[str, Proxy]
    names: dict[ResourceId, str] = field(default_factory=dict)
    assets: list[str] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=count)

    def write(self, times: int = 1) -> None:
        """Make a project with a track, rename both; what is acknowledged is remembered. Raises: what was refused."""
        for _ in range(times):
            number = next(self._numbers)
            project = self.given.service.execute(CreateProject(name=f"P {number}"), actor=ADA).resource_id
            self.names[project] = f"P {number}"
            track = self.given.service.execute(CreateTrack(project_id=project, name="T"), actor=ADA).resource_id
            self.names[track] = "T"
            self.given.service.execute(RenameResource(resource_id=track, name=f"T {number}"), actor=ADA)
            self.names[track] = f"T {number}"

    def bring(self, times: int = 1) -> None:
        """Import audio, each file another."""
        for _ in range(times):
            number = next(self._numbers)
            seconds = np.round(sine(200 + number, seconds=0.2), 3)
            self.assets.append(self.given.given_audio(seconds, name=f"sound {number}", project="Sounds"))

    def refused(self) -> DiscoError:
        """What a write is refused with."""
        with pytest.raises(DiscoError) as raised:
            self.write()
        return raised.value

    def whole(self) -> None:
        """Assert that all that was acknowledged is there, once, and every view is the fold of the log.

        It is what a rebuild makes of it, and what the embedded profile makes of it.
        """
        self.sound()
        before = self.given.service.views.digests()
        assert before == digests_of(self.given.events())
        self.given.service.rebuild()
        assert self.given.service.views.digests() == before

    def sound(self) -> None:
        """The same, without a rebuild."""
        service = self.given.settled().service
        for id, name in self.names.items():
            assert service.views.documents.get(id)["name"] == name
        for asset in self.assets:
            assert {"levels", "waveform", "embedding"} <= service.views.documents.get(asset)["analyses"].keys()
        assert list(service.differences()) == []


@pytest.fixture
def placed(installations: Installations) -> Iterator[Settings]:
    """The settings of an empty installation."""
    with installations.one() as settings:
        yield settings


@pytest.fixture
def behind(placed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """A service with cheap processors, its own worker, behind proxies."""
    cheap.install(monkeypatch.setattr, profile="server")
    with ExitStack() as opened:
        proxies, addresses = {}, {}
        for name in PROXIED:
            url = getattr(placed, name).get_secret_value()
            proxies[name] = opened.enter_context(Proxy.before(url))
            addresses[name] = SecretStr(proxies[name].instead_of(url))
        over = placed.model_copy(update=addresses)
        given = opened.enter_context(Given(tmp_path / "home", over=over))
        made = Behind(given, proxies)
        made.write()
        made.bring()
        given.settled()
        yield made
        for proxy in proxies.values():
            proxy.heal()


@pytest.fixture(scope="package")
def lines() -> Iterator[Lines]:
    """The ways to that Kafka by a proxy; each test leaves them whole."""
    with ExitStack() as opened:
        yield Lines(opened, "near", "far")


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory, lines: Lines) -> Iterator[LocalServers]:
    """A Kafka of these tests' own, to stop and kill; each leaves it running."""
    with own_servers(tmp_path_factory.mktemp("kafka"), "kafka", otherwise={"kafka": lines.recipe}) as local:
        yield local


@pytest.fixture
def over(broker: LocalServers, installations: Installations) -> Iterator[Settings]:
    """An installation on that Kafka."""
    settings = installations.unmade().model_copy(update={"kafka": broker.addresses()["DISCO_KAFKA"]})
    yield settings
    remove(settings)


@pytest.fixture
def running(over: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """A service with cheap processors, its own worker."""
    cheap.install(monkeypatch.setattr, profile="server")
    with Given(tmp_path / "home", over=over) as given:
        made = Behind(given, {})
        made.write()
        made.bring()
        given.settled()
        yield made
