"""The command line while the service runs in another process."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import soundfile

from tests.cli.calling import PATIENCE_S, begin
from tests.cli.conftest import Disco, Filled
from tests.given import RATE_HZ, sine


@pytest.fixture
def serving(home: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """`disco serve` over the filled folder, and its addresses."""
    with begin(home, "serve", "--port", 0, "--development", "--json") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line, process.stderr.read() if process.stderr else ""
            yield process, json.loads(line)["serving"]
        finally:
            process.kill()


@contextmanager
def killed(process: subprocess.Popen[str]) -> Iterator[None]:
    """What fails does not wait for a process that would go on for ever."""
    try:
        yield
    except BaseException:
        process.kill()
        raise


def test_import_and_follow_beside_the_service(
    serving: tuple[subprocess.Popen[str], dict[str, str]], disco: Disco, home: Path, filled: Filled, tmp_path: Path
) -> None:
    """Given a service that holds the lease, when a file is imported beside it, then it is analysed, and followed."""
    process, addresses = serving
    with urlopen(addresses["ready"], timeout=PATIENCE_S) as answer:  # noqa: S310  # our own, on this machine
        assert answer.status == 200
    page = Request(addresses["graphiql"], headers={"Accept": "text/html"})  # noqa: S310  # the same
    with urlopen(page, timeout=PATIENCE_S) as answer:  # noqa: S310  # the same
        assert b"<html" in answer.read()
    soundfile.write(tmp_path / "new.wav", sine(550.0), RATE_HZ)
    with begin(home, "events", "--follow", "--json", "--type", "disco.audio.imported") as follower, killed(follower):
        assert follower.stdout is not None
        history = [json.loads(follower.stdout.readline()) for _ in filled.assets]
        assert {item["subject"] for item in history} == set(filled.assets.values())
        done = disco(home, "import", tmp_path / "new.wav", "--json").json
        seen = json.loads(follower.stdout.readline())
        assert seen["subject"] == done["imported"][0]["asset_id"]
        follower.send_signal(signal.SIGINT)
        assert follower.wait(PATIENCE_S) == 130
    shown = disco(home, "show", done["imported"][0]["asset_id"], "--json").json
    assert "embedding" in shown["analyses"]
    assert disco(home, "rename", shown["id"], "By hand", "--json").json["changed"]
    assert disco(home, "replay", "--json").json["same"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def test_a_port_that_is_taken_is_told(
    serving: tuple[subprocess.Popen[str], dict[str, str]], disco: Disco, home: Path
) -> None:
    """Given a port in use, when served on, then the status says unavailable, and how to name another."""
    port = serving[1]["health"].rpartition(":")[2].partition("/")[0]
    told = disco(home, "serve", "--port", port, "--json")
    assert (told.status, told.error["code"]) == (6, "unavailable")
    assert "--port" in told.error["message"]
