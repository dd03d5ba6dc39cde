"""All that can be set from outside; the one place that reads the environment (DISCO_…)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.errors import Malformed

KafkaSecurity = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Settings(BaseSettings):
    """Where things are kept and how much they may take."""

    model_config = SettingsConfigDict(env_prefix="DISCO_", extra="ignore")

    home: Path = Field(default=Path.home() / ".local" / "share" / "disco-musica", description="folder of all data")
    workers: int = Field(default=max(1, os.cpu_count() or 1), ge=1, description="processes that analyse and render")
    warm_workers: int = Field(default=2, ge=0, description="workers that the service starts before they are needed")
    worker_memory_mib: int = Field(default=4096, ge=256, description="memory a worker may take")
    task_timeout_s: float = Field(default=900.0, gt=0, description="time of an event, besides half a sound's length")
    host: str = Field(default="127.0.0.1", description="address the service listens on")
    port: int = Field(default=8765, ge=0, le=65535, description="port the service listens on")
    upload_limit_mib: int = Field(default=4096, ge=1, description="largest upload")
    development: bool = Field(default=False, description="GraphiQL, introspection and suggestions")

    otlp_endpoint: str | None = Field(
        default=None, pattern=r"^https?://[^\s@?#]+$", description="where traces go: an OpenTelemetry collector"
    )

    profile: Literal["embedded", "server"] = Field(default="embedded", description="one file, or the servers below")
    kafka: str | None = Field(default=None, description="Kafka's brokers: HOST:PORT,…")
    kafka_security: KafkaSecurity = Field(
        default="plaintext", description="what Kafka's listener speaks: plaintext, ssl, sasl_plaintext or sasl_ssl"
    )
    kafka_sasl_mechanism: SaslMechanism = Field(default="SCRAM-SHA-512", description="how the password is shown")
    kafka_user: str | None = Field(default=None, description="the user of sasl_plaintext and sasl_ssl")
    kafka_password: SecretStr | None = Field(default=None, description="that user's password")
    kafka_ca_file: Path | None = Field(
        default=None, description="certificates that Kafka's is trusted by; by default the system's"
    )
    postgres: SecretStr | None = Field(
        default=None, description="TimescaleDB: postgresql://USER:PASSWORD@HOST/DATABASE"
    )
    postgres_connections: int = Field(default=20, ge=4, description="connections a process may have to PostgreSQL")
    neo4j: SecretStr | None = Field(default=None, description="Neo4j: bolt://USER:PASSWORD@HOST:PORT")
    milvus: SecretStr | None = Field(default=None, description="Milvus: http://[USER:PASSWORD@]HOST:PORT")
    s3: SecretStr | None = Field(default=None, description="blobs: http[s]://KEY:SECRET@HOST:PORT/BUCKET")
    blob_cache_mib: int = Field(default=20_480, ge=1, description="copies of blobs that a machine keeps")
    topic_prefix: str = Field(default="disco", description="what the names of all topics begin with")
    partitions: int = Field(default=24, ge=1, description="partitions of the topic of events")
    replication_factor: int = Field(default=1, ge=1, description="brokers that keep each partition")
    min_insync_replicas: int = Field(default=1, ge=1, description="brokers that must have a record before it counts")
    outbox_limit: int = Field(default=100_000, ge=1, description="events that may wait for Kafka before writes stop")
    runner: Literal["faust", "plain"] = Field(
        default="faust", description="what hosts the workers: Faust, or aiokafka alone"
    )
    series_keep_days: int | None = Field(
        default=None, ge=1, description="days that the server profile keeps measurements; by default for ever"
    )

    @property
    def database(self) -> Path:
        """The one file that holds the log and every view."""
        return self.home / "disco.sqlite"

    @property
    def blobs(self) -> Path:
        """The folder of blobs."""
        return self.home / "blobs"

    def address(self, server: Literal["kafka", "postgres", "neo4j", "milvus", "s3"]) -> str:
        """Where a server of the server profile is. Raises: Malformed, where nobody has said so."""
        found: str | SecretStr | None = getattr(self, server)
        if not found:
            raise Malformed(
                f"the server profile needs DISCO_{server.upper()}; see docs/how-to/servers.md", field=server
            )
        return found if isinstance(found, str) else found.get_secret_value()


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "disco-musica" / "servers"


class LocalServersSettings(BaseSettings):
    """Where `make servers` keeps what it installs and runs (DISCO_SERVERS_…)."""

    model_config = SettingsConfigDict(env_prefix="DISCO_SERVERS_", extra="ignore")

    cache: Path = Field(default_factory=_cache, description="programs of the servers, kept over checkouts")
    run: Path = Field(default=Path("build/servers"), description="data, logs, ports and passwords of running servers")
    debian_mirror: str | None = Field(default=None, description="Debian's packages; by default as apt is set up here")
