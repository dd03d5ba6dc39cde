"""A data folder that the real command line has filled, and the command line in this process."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import soundfile
import structlog

from api.cli.main import main
from infra.pool import WorkerPool
from tests.cli.calling import Called, call
from tests.given import RATE_HZ, lent, sine, song

Disco = Callable[..., Called]


@dataclass(frozen=True, slots=True)
class Filled:
    """A data folder with a song, a tone, and an accompaniment to the song; nothing may change it."""

    home: Path
    files: Path
    report: dict[str, Any]  # Any: JSON
    generated: dict[str, Any]  # Any: JSON
    assets: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """Filled by the real command, in processes of its own, with a bad file among the good."""
    root = tmp_path_factory.mktemp("cli")
    files = root / "Band"
    files.mkdir()
    soundfile.write(files / "song.wav", song(bars=4), RATE_HZ)
    soundfile.write(files / "tone.wav", sine(330.0, seconds=2.0), RATE_HZ)
    (files / "broken.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEnothing of the kind")
    imported = call(root / "home", "import", files, "--json")
    assert imported.status == 2, imported.err
    report = json.loads(imported.out)
    assets = {Path(item["path"]).stem: item["asset_id"] for item in report["imported"]}
    generated = call(root / "home", "generate", "accompaniment", assets["song"], "--seed", 7, "--json")
    return Filled(root / "home", files, report, generated.json, assets)


@pytest.fixture
def home(filled: Filled, tmp_path: Path) -> Path:
    """A copy of the filled data folder, to be changed."""
    shutil.copytree(filled.home, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def disco(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, workers: WorkerPool) -> Iterator[Disco]:
    """The command line in this process: `disco(home, "show", id)`."""
    monkeypatch.setattr("infra.disco.WorkerPool", lambda *_, **__: lent(workers))

    def called(home: Path, *arguments: object) -> Called:
        monkeypatch.setattr(sys, "argv", ["disco", "--home", str(home), *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        status = ended.value.code
        return Called(status if isinstance(status, int) else 0, said.out, said.err)

    yield called
    structlog.reset_defaults()
