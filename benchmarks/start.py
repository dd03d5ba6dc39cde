"""Starting: the command line's help, the service on an existing database, and the demonstration."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.figures import Bench, Measured
from benchmarks.scale import BIG_UNITS
from benchmarks.timing import interleaved, seconds

TIMES = 7
STARTS = 5
PATIENCE_S = 60.0
FRAMEWORKS = "import apsw, fastapi, strawberry, uvicorn"


def help_s(bench: Bench) -> Measured:
    """`disco --help`, as a process."""
    asked, nothing = [*_disco(), "--help"], [sys.executable, "-c", "pass"]
    taken, bare = interleaved(lambda: _done(asked), lambda: _done(nothing), times=TIMES)
    return Measured(taken, bare)


def ready_s(bench: Bench) -> Measured:
    """From starting `disco serve` on the big catalogue until /readyz answers 200."""
    store = bench.store(BIG_UNITS)
    taken, bare = [], []
    for _ in range(STARTS):
        taken.append(_ready(store.home))
        bare.append(seconds(lambda: _done([sys.executable, "-c", FRAMEWORKS])))
    return Measured(median(taken), median(bare), f"{store.path.stat().st_size >> 20:,} MiB, {store.events:,} events")


def demo_s(bench: Bench) -> Measured:
    """What `make demo` runs once all is installed, the second time."""
    demo = [sys.executable, "-m", "api.cli.main", "demo", "--into", str(bench.fresh("demo") / "into")]
    _done(demo)
    bare = seconds(lambda: _done([sys.executable, "-c", FRAMEWORKS]))
    return Measured(seconds(lambda: _done(demo)), bare)


def _disco() -> list[str]:
    """The installed command, or the module where it is not installed."""
    command = Path(sys.executable).with_name("disco")
    return [str(command)] if command.exists() else [sys.executable, "-m", "api.cli.main"]


def _done(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _ready(home: Path) -> float:
    port = _free_port()
    environment = {**os.environ, "DISCO_HOME": str(home)}
    begun = time.perf_counter()
    with subprocess.Popen(
        [*_disco(), "serve", "--port", str(port)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while not _answers(port):
                assert process.poll() is None, f"disco serve ended with status {process.returncode}"
                assert time.perf_counter() - begun < PATIENCE_S, f"not ready after {PATIENCE_S:g} s"
                time.sleep(0.005)
            return time.perf_counter() - begun
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
