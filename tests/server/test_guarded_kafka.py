"""A Kafka that is spoken to by TLS and with a password: every client gets in, or says which setting keeps it out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from benchmarks.server_room import remove
from domain.commands import CreateProject
from domain.errors import Malformed, Unavailable
from infra.server import topics
from infra.server.brokers import brokers_of
from infra.server.disco import ServerDisco
from infra.server.installation import Installation
from infra.settings import Settings
from tests.given import ADA
from tests.installations import Installations
from tests.server.guarded import PASSWORD, USER, Guarded, guarded_kafka

SETTLE_S = 60.0


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A Kafka that takes SASL_SSL alone."""
    with guarded_kafka(tmp_path_factory.mktemp("guarded")) as made:
        yield made


@pytest.fixture
def settings(guarded: Guarded, installations: Installations) -> Settings:
    """Settings of an installation on it, which is not there yet."""
    how: dict[str, Any] = {  # Any: fields of Settings
        "kafka": guarded.brokers,
        "kafka_security": "sasl_ssl",
        "kafka_user": USER,
        "kafka_password": SecretStr(PASSWORD),
        "kafka_ca_file": guarded.ca_file,
    }
    return installations.unmade().model_copy(update=how)


@pytest.mark.parametrize(("mechanism", "runner"), [("PLAIN", "plain"), ("SCRAM-SHA-512", "faust")])
def test_an_installation_works_over_tls_with_a_password_that_nothing_tells(
    settings: Settings,
    mechanism: str,
    runner: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Given a guarded broker, when something is written, then it is relayed, folded and read; no log has a secret."""
    caplog.set_level(logging.INFO)  # more than is kept of what libraries say
    chosen = settings.model_copy(update={"kafka_sasl_mechanism": mechanism, "runner": runner})
    try:
        with ServerDisco(chosen) as disco:
            disco.work(processors=())
            project = disco.execute(CreateProject(name="Guarded"), actor=ADA).resource_id
            disco.views.wait(disco.log.head(), SETTLE_S)
            assert disco.views.documents.get(project)["name"] == "Guarded"
            assert {server.name: server.fault for server in disco.servers()}["kafka"] is None
            assert not list(disco.differences())
    finally:
        remove(chosen)
    said = capfd.readouterr()
    assert PASSWORD not in caplog.text + said.out + said.err
    assert PASSWORD not in repr(chosen) + repr(brokers_of(chosen).security)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"kafka_password": SecretStr("guessed")}, "DISCO_KAFKA_PASSWORD"),
        ({"kafka_user": "somebody"}, "DISCO_KAFKA_USER"),
        ({"kafka_sasl_mechanism": "SCRAM-SHA-256"}, "DISCO_KAFKA_SASL_MECHANISM"),
        ({"kafka_ca_file": None}, "DISCO_KAFKA_CA_FILE"),
        ({"kafka_security": "sasl_plaintext"}, "DISCO_KAFKA_SECURITY"),
    ],
)
def test_who_is_kept_out_is_told_which_setting_does_it(
    settings: Settings,
    wrong: dict[str, Any],  # Any: fields of Settings
    named: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given a setting that is wrong, then Unavailable names it, and tells no password."""
    monkeypatch.setattr(topics, "BOOTSTRAP_MS", 500)
    with pytest.raises(Unavailable, match=named) as refused:
        Installation(settings.model_copy(update=wrong))
    assert PASSWORD not in refused.value.message
    assert "guessed" not in refused.value.message


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ({"kafka_user": None}, "DISCO_KAFKA_USER"),
        ({"kafka_password": None}, "DISCO_KAFKA_PASSWORD"),
        ({"kafka_ca_file": Path("/nowhere.pem")}, "DISCO_KAFKA_CA_FILE"),
    ],
)
def test_settings_that_cannot_do_are_refused_before_anything_is_asked(
    lacking: dict[str, Any],  # Any: fields of Settings
    named: str,
) -> None:
    """Given a protocol without what it needs, then Malformed names what lacks."""
    whole: dict[str, Any] = {"kafka": "nobody:1", "kafka_security": "sasl_ssl", "kafka_user": "a"}
    with pytest.raises(Malformed, match=named):
        brokers_of(Settings(**{**whole, "kafka_password": SecretStr("b"), **lacking}))
