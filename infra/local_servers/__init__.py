"""The real servers as plain processes on loopback, for machines without a container engine: installed, started, ended.

`make servers` and `make servers-stop` call it; tests use `LocalServers` to stop and kill what they look at.
"""

from infra.local_servers.control import LocalServers, Status
from infra.local_servers.places import Places

__all__ = ["LocalServers", "Places", "Status"]
