"""A Kafka of a test's own that is spoken to by TLS, and only by who has a password."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local_servers.ports import HOST
from infra.local_servers.recipe import Site
from infra.local_servers.recipes import RECIPES
from infra.local_servers.recipes import kafka as recipe
from tests.servers import own_servers

USER, PASSWORD = "disco", "only-tests-know-this"
SECURED = f"""
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
ssl.keystore.type=PKCS12
ssl.keystore.location={{store}}
ssl.keystore.password={PASSWORD}
ssl.truststore.type=PEM
ssl.truststore.location={{certificate}}
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  username="broker" password="{PASSWORD}" user_broker="{PASSWORD}" user_{USER}="{PASSWORD}";
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


@dataclasses.dataclass(frozen=True)
class Guarded:
    """Its address, and the certificate that it is trusted by."""

    brokers: str
    ca_file: Path


@contextmanager
def guarded_kafka(folder: Path) -> Iterator[Guarded]:
    """One that takes SASL_SSL alone; USER has PASSWORD by PLAIN and by SCRAM-SHA-512."""
    certificate, store = folder / "ca.pem", folder / "store.p12"
    _certified(certificate, store)

    def prepare(site: Site) -> None:
        _prepare(site, store, certificate)

    found = dataclasses.replace(RECIPES["kafka"], prepare=prepare, ready=lambda site: _listens(site, certificate))
    with own_servers(folder / "run", "kafka", otherwise={"kafka": found}) as local:
        yield Guarded(local.addresses()["DISCO_KAFKA"], certificate)


def _certified(certificate: Path, store: Path) -> None:
    """A certificate that signs itself for loopback, and its key in a store as Java reads it."""
    key = store.with_suffix(".key")
    name = ["-subj", "/CN=kafka", "-addext", f"subjectAltName=IP:{HOST}"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key)]
    kept = ["openssl", "pkcs12", "-export", "-in", str(certificate), "-inkey", str(key), "-out", str(store)]
    subprocess.run([*made, "-out", str(certificate), *name], check=True, capture_output=True)
    subprocess.run([*kept, "-passout", f"pass:{PASSWORD}"], check=True, capture_output=True)


def _prepare(site: Site, store: Path, certificate: Path) -> None:
    ports = {"host": HOST, "port": site.port, "controller": site.ports["controller"]}
    text = recipe.PROPERTIES.format(**ports, data=site.data).replace("PLAINTEXT", "SASL_SSL")
    text += SECURED.format(store=store, certificate=certificate)
    properties = site.folder / "server.properties"
    properties.write_text(text)
    (site.folder / "log4j2.properties").write_text(recipe.LOGGING)
    if not (site.data / "meta.properties").exists():
        storage = ["kafka.tools.StorageTool", "format", "--cluster-id=guarded", "-c", str(properties)]
        storage += ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]
        site.steps.run("formatting its storage", recipe._java(site, *storage))


def _listens(site: Site, certificate: Path) -> bool:
    asked = [
        "openssl",
        "s_client",
        "-connect",
        f"{HOST}:{site.port}",
        "-CAfile",
        str(certificate),
        "-verify_return_error",
    ]
    return subprocess.run(asked, input=b"", capture_output=True, check=False).returncode == 0
