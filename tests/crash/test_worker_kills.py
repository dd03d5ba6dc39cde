"""kill -9 of workers while others join: each event has its effect exactly once, whichever host hands it over."""

from __future__ import annotations

import os

import pytest

from infra.server.hosts import Runner
from tests.crash.worker_kills import Campaign
from tests.servers import Addresses

MESSAGES = int(os.environ.get("DISCO_MESSAGES", "20000"))
KILLS = int(os.environ.get("DISCO_WORKER_KILLS", "4"))


@pytest.mark.parametrize("host", ["faust", "plain"])
def test_every_event_has_its_effect_once(servers: Addresses, host: Runner) -> None:
    """Given workers killed and others joining while events flow, then there are as many effects, none twice."""
    verdict = Campaign(host, MESSAGES, KILLS).run()
    assert (verdict.effects, verdict.distinct) == (MESSAGES, MESSAGES)
    assert verdict.handed >= MESSAGES
    assert verdict.during >= KILLS // 2, "the kills came too late to tell anything"
