"""Neo4j, Community Edition: one user database, uniqueness constraints yes, existence constraints no."""

from __future__ import annotations

from pathlib import Path

from infra.local_servers import probes
from infra.local_servers.places import write_private
from infra.local_servers.ports import HOST
from infra.local_servers.recipe import Command, Recipe, Site
from infra.local_servers.sources import maven_jars
from infra.local_servers.steps import JAVA, Steps

VERSION = "5.26.30"
ARTEFACTS = (f"org.neo4j:neo4j:{VERSION}", f"org.neo4j.app:neo4j-server:{VERSION}")
OPENED = ("java.nio", "java.io", "sun.nio.ch", "java.lang", "java.util.concurrent")
CONFIG = """\
server.default_listen_address={host}
server.bolt.listen_address={host}:{port}
server.bolt.advertised_address={host}:{port}
server.http.enabled=false
server.https.enabled=false
server.memory.pagecache.size=128m
dbms.security.auth_enabled=true
dbms.usage_report.enabled=false
db.tx_log.preallocate=false
internal.dbms.bolt.netty_server_shutdown_quiet_period=0
internal.server.bolt.thread_pool_shutdown_wait_time=1s
"""


def _install(steps: Steps, into: Path) -> None:
    maven_jars(steps, into, ARTEFACTS)


def _java(site: Site) -> list[str]:
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
    return ["java", "-Xmx512m", *opened, "-cp", f"{site.programs / 'libs'}/*"]


def _prepare(site: Site) -> None:
    config = site.folder / "conf" / "neo4j.conf"
    config.parent.mkdir(exist_ok=True)
    config.write_text(CONFIG.format(host=HOST, port=site.port))
    if not (site.data / "dbms" / "auth.ini").exists():
        _set_password(site)


def _set_password(site: Site) -> None:
    """Set it before the first start, by a file of arguments: other users of the machine see command lines."""
    arguments = site.folder / "arguments"
    write_private(arguments, f"org.neo4j.cli.AdminTool dbms set-initial-password {site.secrets['password']}\n")
    home = {"NEO4J_HOME": str(site.folder), "NEO4J_CONF": str(site.folder / "conf")}
    try:
        site.steps.run("setting its password", [*_java(site), f"@{arguments}"], environment=home)
    finally:
        arguments.unlink()


def _command(site: Site) -> Command:
    entry = "org.neo4j.server.CommunityEntryPoint"
    return Command([*_java(site), entry, f"--home-dir={site.folder}", f"--config-dir={site.folder / 'conf'}"])


NEO4J = Recipe(
    name="neo4j",
    version=VERSION,
    install=_install,
    prepare=_prepare,
    command=_command,
    ready=lambda site: probes.bolt(site.port),
    addresses=lambda site: {"DISCO_NEO4J": f"bolt://neo4j:{site.secrets['password']}@{HOST}:{site.port}"},
    ports={"port": 7687},
    secrets=("password",),
    runs_with=(JAVA,),
)
