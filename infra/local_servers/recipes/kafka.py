"""Kafka: one node that is broker and controller (KRaft)."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

from infra.local_servers import probes
from infra.local_servers.ports import HOST
from infra.local_servers.recipe import Command, Recipe, Site
from infra.local_servers.sources import maven_jars
from infra.local_servers.steps import JAVA, Steps

ARTEFACTS = ("org.apache.kafka:kafka_2.13:4.4.0", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5")

# One node keeps one copy of everything; few partitions inside, for each costs files and time at start.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""
LOGGING = """\
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %-5p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


def _install(steps: Steps, into: Path) -> None:
    maven_jars(steps, into, ARTEFACTS)


def _java(site: Site, *options: str) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={site.folder / 'log4j2.properties'}"
    return ["java", "-Xmx384m", "-XX:+UseSerialGC", logging, "-cp", f"{site.programs / 'libs'}/*", *options]


def _prepare(site: Site) -> None:
    text = PROPERTIES.format(host=HOST, port=site.port, controller=site.ports["controller"], data=site.data)
    properties = site.folder / "server.properties"
    properties.write_text(text)
    (site.folder / "log4j2.properties").write_text(LOGGING)
    if not (site.data / "meta.properties").exists():
        cluster = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        # as one word: an id may begin with a dash
        storage = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)]
        storage.append("--ignore-formatted")
        site.steps.run("formatting its storage", _java(site, *storage))


KAFKA = Recipe(
    name="kafka",
    version="4.4.0",
    install=_install,
    prepare=_prepare,
    command=lambda site: Command(_java(site, "kafka.Kafka", str(site.folder / "server.properties"))),
    ready=lambda site: probes.kafka(site.port),
    addresses=lambda site: {"DISCO_KAFKA": f"{HOST}:{site.port}"},
    ports={"port": 9092, "controller": 9093},
    runs_with=(JAVA,),
)
