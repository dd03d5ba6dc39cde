"""Lines to a Kafka of a test's own, each a listener of the broker's behind a proxy.

A client goes to the address that a broker tells it, whichever it asked first. So a proxy in front is not enough: the
broker must tell who came by a line the address of that line.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from infra.local_servers.ports import HOST
from infra.local_servers.recipe import Recipe, Site
from infra.local_servers.recipes import RECIPES
from tests.faults.proxy import Proxy

KAFKA = RECIPES["kafka"]
USUAL_PORT = 9094
# of a key that is there twice, the last one holds
MORE = """
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,{protocols}
"""


class Lines:
    """Proxies by the names of their listeners, beside the way that goes straight to the broker; used as a fixture.

    They listen from when the broker is first prepared, and stay while it is stopped, killed and started.
    """

    def __init__(self, opened: ExitStack, *names: str) -> None:
        self._opened = opened
        self._names = names
        self._proxies: dict[str, Proxy] = {}

    def __getitem__(self, name: str) -> Proxy:
        return self._proxies[name]

    def address(self, name: str) -> str:
        """What clients are to ask who come by this line."""
        return f"{self[name].host}:{self[name].port}"

    @property
    def recipe(self) -> Recipe:
        """A Kafka that listens at their other ends too."""
        ports = {name: USUAL_PORT + at for at, name in enumerate(self._names)}
        return replace(KAFKA, prepare=self._prepare, ports={**KAFKA.ports, **ports})

    def _prepare(self, site: Site) -> None:
        KAFKA.prepare(site)
        for name in self._names:
            if name not in self._proxies:
                self._proxies[name] = self._opened.enter_context(Proxy(HOST, site.ports[name]))
            self._proxies[name].target = (HOST, site.ports[name])
        listen = {"PLAINTEXT": site.port, "CONTROLLER": site.ports["controller"]}
        told = {"PLAINTEXT": site.port}
        for name, proxy in self._proxies.items():
            listen[name.upper()], told[name.upper()] = site.ports[name], proxy.port
        more = MORE.format(
            listeners=_written(listen),
            advertised=_written(told),
            protocols=",".join(f"{name.upper()}:PLAINTEXT" for name in self._names),
        )
        with (site.folder / "server.properties").open("a") as properties:
            properties.write(more)


def _written(ports: dict[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
