"""Kafka's brokers: where they are, how they are spoken to, and what is told when they do not answer."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from pydantic import SecretStr

from domain.errors import Malformed, Unavailable
from infra.settings import KafkaSecurity, SaslMechanism, Settings

GREETED_S = 5.0


@dataclass(frozen=True, slots=True)
class Security:
    """How brokers are spoken to: by TLS or openly, with a password or without."""

    protocol: KafkaSecurity = "plaintext"
    mechanism: SaslMechanism = "SCRAM-SHA-512"
    user: str = ""
    password: SecretStr = field(default_factory=partial(SecretStr, ""))
    ca_file: Path | None = None

    @property
    def signs_in(self) -> bool:
        """Whether a user and password are told."""
        return self.protocol.startswith("sasl")

    def context(self) -> ssl.SSLContext | None:
        """For TLS. Raises: Malformed, where the file of certificates cannot be read."""
        return _context(self.ca_file) if self.protocol.endswith("ssl") else None


OPEN = Security()


@cache
def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # what TLS finds wrong with a file is one too
        why = f"DISCO_KAFKA_CA_FILE names {ca_file}, which holds no certificates that can be read: {error}"
        raise Malformed(why, field="kafka_ca_file") from error


class Brokers(str):
    """Addresses, HOST:PORT,…, that also tell how they are spoken to; addresses in a plain text are spoken to openly."""

    security: Security

    def __new__(cls, addresses: str, security: Security = OPEN) -> Brokers:
        """See the class."""
        made = super().__new__(cls, addresses)
        made.security = security
        return made


def brokers_of(settings: Settings) -> Brokers:
    """The brokers that the settings name. Raises: Malformed, naming the setting that is missing or cannot be read."""
    user, password = settings.kafka_user or "", settings.kafka_password or SecretStr("")
    security = Security(settings.kafka_security, settings.kafka_sasl_mechanism, user, password, settings.kafka_ca_file)
    if security.signs_in and not (user and password.get_secret_value()):
        needed = f"DISCO_KAFKA_SECURITY={security.protocol} needs DISCO_KAFKA_USER and DISCO_KAFKA_PASSWORD"
        raise Malformed(needed, field="kafka_user")
    security.context()
    return Brokers(settings.address("kafka"), security)


class _Unsaid(str):
    """A password that is not told where a library logs its arguments."""

    __slots__ = ()

    def __repr__(self) -> str:
        """No part of it."""
        return "'…'"


def security_of(brokers: str) -> Security:
    """How these are spoken to."""
    return brokers.security if isinstance(brokers, Brokers) else OPEN


def reached(brokers: str) -> dict[str, Any]:  # Any: arguments of several types
    """The arguments by which clients of kafka-python and of aiokafka, which have the same names, reach brokers."""
    return {"bootstrap_servers": [broker.strip() for broker in brokers.split(",")], **_told(security_of(brokers))}


def _told(security: Security) -> dict[str, Any]:  # Any: as in `reached`
    told: dict[str, Any] = {"security_protocol": security.protocol.upper(), "ssl_context": security.context()}
    if security.signs_in:
        told["sasl_mechanism"] = security.mechanism
        told["sasl_plain_username"] = security.user
        told["sasl_plain_password"] = _Unsaid(security.password.get_secret_value())
    return told


def unanswered(brokers: str, error: Exception) -> Unavailable:
    """What to tell when a client could not reach them; the libraries keep to themselves that they were turned away."""
    try:
        if security_of(brokers) != OPEN:
            asyncio.run(greet(brokers))
    except Unavailable as refused:
        return refused
    return Unavailable(f"Kafka at {brokers} does not answer: {error}; see whether it runs")


async def greet(brokers: str, timeout_s: float = GREETED_S) -> None:
    """Have one of them let us in. Raises: Unavailable, saying what keeps us out, naming the setting where it is one."""
    why: Exception = OSError("no address")
    for broker in brokers.split(","):
        host, _, port = broker.strip().rpartition(":")
        try:
            async with asyncio.timeout(timeout_s):
                connection = await create_conn(host.strip("[]"), int(port), **_told(security_of(brokers)))
            connection.close()
            return
        except (KafkaError, OSError) as error:  # a TimeoutError is one of the latter
            why = error
    raise Unavailable(f"Kafka at {brokers} does not let us in: {_hint(security_of(brokers), why)}") from why


def _hint(security: Security, why: Exception) -> str:
    """What to look at. No part of what it says comes from a password."""
    if isinstance(why, SaslAuthenticationFailed):
        return f"it refuses DISCO_KAFKA_USER {security.user!r} with this DISCO_KAFKA_PASSWORD by {security.mechanism}"
    if isinstance(why, UnsupportedSaslMechanismError):
        return f"it does not take the DISCO_KAFKA_SASL_MECHANISM {security.mechanism}"
    if isinstance(why, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted by DISCO_KAFKA_CA_FILE ({why.verify_message})"
    return f"{type(why).__name__}: {why}; see whether it runs, and speaks DISCO_KAFKA_SECURITY={security.protocol}"
