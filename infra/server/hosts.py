"""The hosts there are, by the name that the setting `runner` gives them."""

from __future__ import annotations

from typing import Literal

from infra.server.consuming import Agent
from infra.server.hosting import SupervisedHost
from infra.server.membership import Timing

Runner = Literal["faust", "plain"]


def make_host(
    runner: Runner, agent: Agent, topic: str, brokers: str, *, timing: Timing | None = None
) -> SupervisedHost:
    """A host for this agent; it is still to be started."""
    if runner == "plain":
        from infra.server.plain_host import PlainHost

        return PlainHost(agent, topic, brokers, timing=timing)
    from infra.server.faust_host import FaustHost  # imported by those alone who chose it

    return FaustHost(agent, topic, brokers, timing=timing)
