"""Workers killed again and again: `python -m tests.crash.worker_kills --messages 300000 --kills 20 --host faust|plain`.

Events go through the real sequencer and relay into Kafka; worker processes write one row an event into PostgreSQL, in
one transaction with how far their partition has come. Each so many events a worker joins and another is killed. The
table of effects has no key: an event that is done twice is there twice. At the end the rows are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from kafka.admin import KafkaAdminClient

from domain import ids
from domain.errors import Unavailable
from infra.server.archive import Archive
from infra.server.hosts import Runner, make_host
from infra.server.log import ServerLog
from infra.server.membership import Timing
from infra.server.migrating import migrate
from infra.server.postgres import Postgres, identifier
from infra.server.records import Partition, Record
from infra.server.relay import Relay
from infra.server.topics import events_topic, make_topics
from infra.settings import Settings
from tests.builders import numbered
from tests.servers import fresh_name, servers

PARTITIONS = 12
PROJECTS = 60
WORKERS = 3
BATCH = 500
PAGE = 500
STUCK_S = 180.0
TIMING = Timing(session_s=6.0, heartbeat_s=1.0, grace_s=1.0, commit_s=0.5, stalled_s=30.0)
TABLES = """
CREATE TABLE effects (position bigint, project bytea, sequence bigint, worker integer);
CREATE TABLE done (partition integer PRIMARY KEY, last bigint NOT NULL, taken bigint NOT NULL);
CREATE TABLE pages (worker integer, handed bigint, taken bigint);
"""


class Effects:
    """An agent that does one thing for each event, exactly once: rows and checkpoint in one transaction.

    What the host leaps over it does not forgive: it fails until it is given what comes next.
    """

    page = PAGE

    def __init__(self, postgres: Postgres, group: str) -> None:
        self.group = group
        self._postgres = postgres

    async def take(self, partition: int, records: Sequence[Record]) -> None:
        """See `Agent.take`."""
        await asyncio.to_thread(self._take, partition, records)

    async def revoked(self, partitions: Sequence[int]) -> None:
        """Nothing is remembered."""

    def _take(self, number: int, records: Sequence[Record]) -> None:
        with self._postgres.transaction() as connection:
            row = connection.execute("SELECT last FROM done WHERE partition = %s FOR UPDATE", (number,)).fetchone()
            assert row is not None
            partition = Partition(row[0])
            events = partition.take(records)
            if partition.awaited:
                raise Unavailable(f"a hole in partition {number} before position {partition.awaited}")
            with connection.cursor().copy("COPY effects FROM STDIN") as copy:
                for event in events:
                    copy.write_row((event.position, event.project.encode(), event.sequence, os.getpid()))
            connection.execute(
                "UPDATE done SET last = %s, taken = taken + %s WHERE partition = %s",
                (partition.last, len(events), number),
            )
            connection.execute("INSERT INTO pages VALUES (%s, %s, %s)", (os.getpid(), len(records), len(events)))


@dataclass(frozen=True)
class Verdict:
    """What was found at the end.

    during: kills while effects were being made; handed: records that workers were given and lived to note.
    """

    host: str
    messages: int
    kills: int
    during: int
    joins: int
    effects: int
    distinct: int
    handed: int
    seconds: float

    @property
    def exact(self) -> bool:
        """Whether each message had its effect once."""
        return self.effects == self.distinct == self.messages


class Campaign:
    """One installation of its own, its workers, and whoever kills them."""

    def __init__(self, host: Runner, messages: int, kills: int, *, seed: int = 1) -> None:
        found = servers()
        self.host = host
        self.messages = messages
        self.kills = kills
        self.settings = Settings(
            kafka=found.kafka, postgres=found.postgres, topic_prefix=fresh_name(), partitions=PARTITIONS
        )
        self.postgres = Postgres(found.postgres, prefix=self.settings.topic_prefix)
        self.joins = self.during = 0
        self._window = max(2 * BATCH, messages // (kills + 1))
        self._kafka = found.kafka
        self._chance = random.Random(seed)
        self._workers: list[subprocess.Popen[bytes]] = []

    def run(self) -> Verdict:
        """Everything, from the first message to the count."""
        self._prepare()
        began = time.monotonic()
        try:
            with self._appending():
                for _ in range(WORKERS):
                    self._join()
                for number in range(1, self.kills + 1):
                    self._wait_for(number * self.messages // (self.kills + 1))
                    self._join()
                    self._kill()
                self._wait_for(self.messages)
                time.sleep(2 * TIMING.commit_s)  # whatever would come twice had better come now
            return self._judge(time.monotonic() - began)
        finally:
            self._clear()

    def _prepare(self) -> None:
        make_topics(self.settings, self._kafka)
        migrate(self.postgres)
        with self.postgres.transaction() as connection:
            for statement in TABLES.strip().splitlines():
                connection.execute(statement)
            connection.execute("INSERT INTO done SELECT p, 0, 0 FROM generate_series(0, %s) p", (PARTITIONS - 1,))

    @contextlib.contextmanager
    def _appending(self) -> Iterator[None]:
        """Append messages of many projects and relay them, never far ahead of the effects: kills are to come during."""
        topic = events_topic(self.settings)
        archive = Archive(self.postgres, self._kafka, topic)
        log = ServerLog(self.postgres, archive, outbox_limit=self.settings.outbox_limit)
        relay = Relay(self.postgres, self._kafka, topic, PARTITIONS)
        relay.start()
        appender = threading.Thread(target=self._append, args=(log,), daemon=True)
        appender.start()
        yield
        appender.join()
        relay.stop()
        log.close()

    def _append(self, log: ServerLog) -> None:
        projects = [ids.project_id(f"{self.settings.topic_prefix} {number}") for number in range(PROJECTS)]
        for start in range(0, self.messages, BATCH):
            while start - self._taken() > self._window:
                time.sleep(0.05)
            count = min(BATCH, self.messages - start)
            log.append(numbered(count, start=start, project=projects[start // BATCH % PROJECTS]))

    def _join(self) -> None:
        command = [sys.executable, "-m", "tests.crash.worker_kills", "--host", self.host, "--work"]
        self._workers.append(subprocess.Popen([*command, self.settings.topic_prefix]))
        self.joins += 1

    def _kill(self) -> None:
        """Kill any one of the workers, while effects are being made."""
        time.sleep(self._chance.uniform(0, 0.2))
        victim = self._workers.pop(self._chance.randrange(len(self._workers)))
        before = now = self._taken()
        while before == now < self.messages:
            time.sleep(0.02)
            now = self._taken()
        victim.kill()
        self.during += before < now < self.messages
        victim.wait()

    def _wait_for(self, effects: int) -> None:
        best, since = -1, time.monotonic()
        while (now := self._taken()) < effects:
            if now > best:
                best, since = now, time.monotonic()
            if time.monotonic() - since > STUCK_S:
                raise Unavailable(f"stuck at {now} effects of {self.messages}")
            time.sleep(0.1)

    def _taken(self) -> int:
        with self.postgres.read() as connection:
            (taken,) = connection.execute("SELECT sum(taken) FROM done").fetchone() or (0,)
        return int(taken)

    def _judge(self, seconds: float) -> Verdict:
        with self.postgres.read() as connection:
            effects, distinct = connection.execute("SELECT count(*), count(DISTINCT position) FROM effects").fetchone()  # type: ignore[misc]  # one row
            (handed,) = connection.execute("SELECT sum(handed) FROM pages").fetchone()  # type: ignore[misc]  # one row
        return Verdict(
            host=self.host,
            messages=self.messages,
            kills=self.kills,
            during=self.during,
            joins=self.joins,
            effects=effects,
            distinct=distinct,
            handed=int(handed),
            seconds=round(seconds, 1),
        )

    def _clear(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        with self.postgres.transaction() as connection:
            connection.execute(f"DROP SCHEMA {identifier(self.settings.topic_prefix)} CASCADE")
        self.postgres.close()
        admin = KafkaAdminClient(bootstrap_servers=self._kafka)
        with contextlib.suppress(Exception):  # a leftover topic harms nobody
            admin.delete_topics([events_topic(self.settings)])
        admin.close()


def work(host: Runner, prefix: str) -> None:
    """Be one worker, until killed."""
    found = servers()
    settings = Settings(topic_prefix=prefix)
    agent = Effects(Postgres(found.postgres, prefix=prefix, most=PARTITIONS), f"{prefix}.effects")
    make_host(host, agent, events_topic(settings), found.kafka, timing=TIMING).start()
    threading.Event().wait()


def main() -> None:
    """Run a campaign and say what it found, as JSON; the exit status is 1 where the count is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--host", choices=("faust", "plain"), default="faust")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", metavar="PREFIX", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.work:
        work(told.host, told.work)
    verdict = Campaign(told.host, told.messages, told.kills, seed=told.seed).run()
    print(json.dumps(asdict(verdict) | {"exact": verdict.exact}))
    sys.exit(0 if verdict.exact else 1)


if __name__ == "__main__":
    main()
