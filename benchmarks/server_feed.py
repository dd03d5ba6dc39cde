"""Subscriptions across processes: one writes, another one's feed tells 100 subscribers; bare notices the same way.

As a program, `python -m benchmarks.server_feed COUNT CHANNEL`: write so many events, and between them notices.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from statistics import median
from typing import cast

from benchmarks.feed import EVENTS, FEW, Room, Writer, pauses
from benchmarks.figures import Bench, Measured
from benchmarks.server_command import room
from benchmarks.server_room import told
from benchmarks.timing import percentile
from domain.service import Service
from infra.server.disco import ServerDisco
from infra.server.installation import Installation
from infra.settings import Settings

BREATH_S = 0.2


def p99(bench: Bench) -> Measured:
    """From commit in one process to the JSON text of a message for each of 100 subscribers of another."""
    count = bench.scaled(EVENTS, least=50)
    here = room(bench)
    taken, bare = asyncio.run(_p99(here.disco, here.settings, count))
    note = f"{len(taken):,} messages, median {1e3 * median(taken):.1f} ms"
    return Measured(1e3 * percentile(taken, 0.99), 1e3 * percentile(bare, 0.99), note)


async def _p99(disco: ServerDisco, settings: Settings, count: int) -> tuple[list[float], list[float]]:
    room = Room.of(cast(Service, disco))
    listening = Listening(disco.installation, asyncio.get_running_loop())
    noticed: list[float] = []

    def write() -> None:
        command = [sys.executable, "-m", "benchmarks.server_feed", str(count), listening.channel]
        done = subprocess.run(command, env={**os.environ, **told(settings)}, check=True, stdout=subprocess.PIPE)
        written = json.loads(done.stdout)
        room.writer.cursors += written["cursors"]
        room.writer.committed += written["committed"]
        noticed.extend(written["noticed"])

    found = await room.gathered(FEW, write, count)
    bare = [max(0.0, at - noticed[number]) for number, at in await listening.end(FEW * count)]
    await room.leave()
    return [one for arrived in found for one in arrived], bare


class Listening:
    """A thread that hears notices of the database and wakes as many tasks as there are subscribers, and no more."""

    def __init__(self, installation: Installation, loop: asyncio.AbstractEventLoop) -> None:
        self.channel = f"{installation.settings.topic_prefix}_bare"
        self._installation = installation
        self._loop = loop
        self._waiting: list[asyncio.Queue[int]] = [asyncio.Queue() for _ in range(FEW)]
        self._arrived: list[tuple[int, float]] = []
        self._tasks = [loop.create_task(self._follow(queue)) for queue in self._waiting]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._hear)
        self._thread.start()

    async def _follow(self, queue: asyncio.Queue[int]) -> None:
        while True:
            number = await queue.get()
            self._arrived.append((number, time.perf_counter()))

    def _hear(self) -> None:
        with self._installation.postgres.session() as connection:
            connection.execute(f"LISTEN {self.channel}")
            while not self._stop.is_set():
                for notice in connection.notifies(timeout=BREATH_S):
                    self._loop.call_soon_threadsafe(self._tell, int(notice.payload))

    def _tell(self, number: int) -> None:
        for queue in self._waiting:
            queue.put_nowait(number)

    async def end(self, count: int) -> list[tuple[int, float]]:
        """Stop; the notices' numbers, and when each came to each. Raises: TimeoutError, where some did not."""
        async with asyncio.timeout(10):
            while len(self._arrived) < count:
                await asyncio.sleep(BREATH_S)
        self._stop.set()
        await asyncio.to_thread(self._thread.join)
        for task in self._tasks:
            task.cancel()
        return self._arrived


def main() -> None:
    """Write, and print when each event, and each notice, was committed."""
    count, channel = int(sys.argv[1]), sys.argv[2]
    with ServerDisco(Settings(), run=False) as disco, disco.installation.postgres.session() as connection:
        writer, noticed = Writer(disco.log, count=1), []
        for number, pause in enumerate(pauses(count)):
            time.sleep(pause / 2)
            writer.append()
            time.sleep(pause / 2)
            connection.execute("SELECT pg_notify(%s, %s)", (channel, str(number)))
            noticed.append(time.perf_counter())
    print(json.dumps({"cursors": writer.cursors, "committed": writer.committed, "noticed": noticed}))


if __name__ == "__main__":
    main()
