"""Where the real servers are, for the figures of the server profile; without them these are told as not measured."""

from __future__ import annotations

import secrets

from pydantic import SecretStr

from domain.errors import Unavailable
from infra.local_servers import LocalServers, Places
from infra.settings import LocalServersSettings, Settings


def address(name: str) -> str:
    """The address of a server as its setting has it: from the environment, else of those that `make servers` started.

    Raises: Unavailable, where there is neither.
    """
    told = getattr(Settings(), name)
    if told is None:
        told = LocalServers(Places.of(LocalServersSettings())).addresses().get(f"DISCO_{name.upper()}")
    if told is None:
        raise Unavailable(f"there is no {name} to measure with; run: make servers")
    return told.get_secret_value() if isinstance(told, SecretStr) else str(told)


def fresh_prefix() -> str:
    """A prefix that nothing else in the servers has."""
    return f"bench_{secrets.token_hex(4)}"
