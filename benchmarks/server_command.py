"""Single commands on the server profile: to acknowledgement, and until the graph shows them, a worker beside."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from statistics import median
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.catalogue import START_US
from benchmarks.figures import Bench, Measured
from benchmarks.server_append import LEDGER, sequencer
from benchmarks.server_room import PARTITIONS, WorkerProcess, installed, until
from benchmarks.servers import address
from benchmarks.timing import percentile, seconds
from domain.access import Actor
from domain.commands import Command, CreateProject, RenameResource
from domain.handling import Done
from infra.server.disco import ServerDisco
from infra.server.graph_rows import GraphStore, labelled, suffix_of
from infra.server.neo4j import Neo4j
from infra.server.postgres import Pg
from infra.server.records import headers_of
from infra.server.relay import make_producer
from infra.server.topics import events_topic

COMMANDS = 200
SHOWN = 150
PAUSE_S = 0.15
WAIT_S = 10.0
GROUPS = 7
"""Consumer groups of a worker: one a view, and the processors'."""
PROJECTS = 50
NODE = "MERGE (n:Resource {id: $id}) SET n.label = $label, n.born = $born"
PROJECT = bytes(range(16))
PAYLOAD = b'{"resource_id":"00010203-0405-0607-0809-0a0b0c0d0e0f","name":"take 1234"}'
NO_CONNECTION = cast(Pg, None)  # the graph's store makes no use of one
Row = tuple[Any, ...]  # Any: typed by the schema


class Room:
    """An installation that this process is an API node of, with a worker in a process of its own."""

    def __init__(self, bench: Bench) -> None:
        with ExitStack() as opened:
            self.settings = opened.enter_context(installed(bench))
            self.worker = opened.enter_context(closing(WorkerProcess(self.settings)))
            self.disco = opened.enter_context(ServerDisco(self.settings))
            until(lambda: self.worker.partitions() == GROUPS * PARTITIONS, "the worker had all partitions")
            self._numbers = itertools.count()
            begun = [self.execute(CreateProject(name=f"bench {number}")) for number in range(PROJECTS)]
            self._projects = itertools.cycle([done.resource_id for done in begun])
            self.show(self.command())
            self._opened = opened.pop_all()

    def command(self) -> RenameResource:
        """The next of some changes of projects, one after the other."""
        return RenameResource(resource_id=next(self._projects), name=f"take {next(self._numbers)}")

    def execute(self, command: Command) -> Done:
        """To acknowledgement."""
        return self.disco.execute(command, actor=Actor("ada"))

    def show(self, command: RenameResource) -> None:
        """Until the graph shows it, as a client sees that hands in the token of its write."""
        token = self.execute(command).token
        self.disco.views.wait(token.position, WAIT_S, project=token.project)
        node = self.disco.views.graph.node(command.resource_id)
        assert node.label == command.name, "the graph does not show what was waited for"

    def close(self) -> None:
        """Let go, and leave nothing."""
        self._opened.close()


def room(bench: Bench) -> Room:
    """The one that the figures about single commands share."""
    return bench.once("server room", lambda: Room(bench))


def ack_ms(bench: Bench) -> Measured:
    """From a command to its acknowledgement, and a transaction that inserts the same rows and commits."""
    here, count = room(bench), bench.scaled(COMMANDS, least=60)
    since = here.disco.log.head()
    for _ in range(count):
        here.execute(here.command())
    with here.disco.installation.postgres.read() as connection:
        rows = connection.execute(LEDGER.replace("ORDER", "WHERE position > %s ORDER"), (since,)).fetchall()
    with sequencer(bench) as raw, raw.postgres.session() as connection:
        pairs = [(here.command(), row) for row in rows]
        return _apart(lambda pair: here.execute(pair[0]), lambda pair: insert(connection, pair[1]), pairs)


def graph_ms(bench: Bench) -> Measured:
    """From a command until the graph shows it; the same way by bare drivers in one process: insert, Kafka, MERGE."""
    here, count = room(bench), bench.scaled(SHOWN, least=30)
    with closing(Bare(bench)) as bare:
        pairs = [(here.command(), bare.row()) for _ in range(count)]
        bare.show(bare.row())
        return _apart(lambda pair: here.show(pair[0]), lambda pair: bare.show(pair[1]), pairs)


def _apart(
    ours: Callable[[tuple[RenameResource, Row]], object],
    bare: Callable[[tuple[RenameResource, Row]], object],
    pairs: Sequence[tuple[RenameResource, Row]],
) -> Measured:
    """p95 of both, one after the other, each once what the one before has set going has come to rest."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn, pair in enumerate(pairs):
        both = (taken[0], ours), (taken[1], bare)
        for kept, call in both if turn % 2 else reversed(both):
            time.sleep(PAUSE_S)
            kept.append(seconds(partial(call, pair)))
    note = f"median {1e3 * median(taken[0]):.1f} against {1e3 * median(taken[1]):.1f} ms"
    return Measured(1e3 * percentile(taken[0], 0.95), 1e3 * percentile(taken[1], 0.95), note)


def insert(connection: Pg, row: Row) -> None:
    """A ready row into ledger and outbox, durably."""
    with connection.transaction():
        connection.execute(f"INSERT INTO ledger VALUES ({', '.join(['%s'] * len(row))})", row)
        connection.execute("INSERT INTO outbox VALUES (%s, %s)", (row[0], None))


class Bare:
    """The way of an event by the drivers alone: a commit, a record there and back, a node."""

    def __init__(self, bench: Bench) -> None:
        with ExitStack() as opened:
            self._sequencer = opened.enter_context(sequencer(bench))
            self._connection = opened.enter_context(self._sequencer.postgres.session())
            self._neo4j = opened.enter_context(closing(Neo4j(address("neo4j"))))
            self._graph = GraphStore(self._neo4j, self._sequencer.settings.topic_prefix)
            self._graph.create(NO_CONNECTION, 1)
            opened.callback(self._graph.drop, NO_CONNECTION, 1)
            self._runner = opened.enter_context(asyncio.Runner())
            self._topic = events_topic(self._sequencer.settings)
            self._producer, self._consumer = self._runner.run(self._connected())
            opened.callback(lambda: self._runner.run(self._gone()))
            self._positions = itertools.count(1)
            self._opened = opened.pop_all()

    async def _connected(self) -> tuple[AIOKafkaProducer, AIOKafkaConsumer]:
        producer = make_producer(self._sequencer.brokers)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._sequencer.brokers, auto_offset_reset="earliest")
        consumer.assign([TopicPartition(self._topic, 0)])
        await producer.start()
        await consumer.start()
        return producer, consumer

    async def _gone(self) -> None:
        await self._producer.stop()
        await self._consumer.stop()

    def row(self) -> Row:
        """The next ready row."""
        position, key = next(self._positions), secrets.token_bytes(16)
        texts = ("disco.resource.renamed", "/commands", "ada", "bench")
        return (position, position, 0, key, PROJECT, PROJECT, None, *texts, 1, START_US, None, PAYLOAD, 0)

    def show(self, row: Row) -> None:
        """One event."""
        insert(self._connection, row)
        self._runner.run(self._there_and_back(row))
        text = labelled(NODE, suffix_of(self._graph.prefix, 1))
        self._neo4j.write(lambda tx: tx.run(text, id=PROJECT.hex(), label=str(row[0]), born=row[0]).consume())

    async def _there_and_back(self, row: Row) -> None:
        await self._producer.send_and_wait(
            self._topic, PAYLOAD, key=PROJECT, partition=0, headers=headers_of(row, row[0] - 1)
        )
        await self._consumer.getone()

    def close(self) -> None:
        """Let go, and leave nothing."""
        self._opened.close()
