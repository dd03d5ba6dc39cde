"""A worker: folds the log into views, has events answered, and sees to the generations of views."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from domain.errors import Malformed
from infra.clock import SystemClock
from infra.forecast import Forecast
from infra.pool import WorkerPool
from infra.processing import Processing
from infra.server.agents import Answering, view_agent
from infra.server.following import Follower
from infra.server.hosts import make_host
from infra.server.installation import Installation
from infra.server.keeping import Keeper, attempted
from infra.wiring import PROCESSORS


class Worker:
    """Does its part of an installation's work; any number of them may join and leave.

    processors, views: which ones; None for all, empty for none. pending: how many pieces a job is still to come to.
    Raises: Malformed, for an unknown name.
    """

    def __init__(
        self,
        installation: Installation,
        pool: WorkerPool | None,
        *,
        processors: Sequence[str] | None = None,
        views: Sequence[str] | None = None,
    ) -> None:
        self._installation = installation
        self._stop = threading.Event()
        self._held = ExitStack()
        known = [view.name for view in installation.stored]
        views = known if views is None else _checked(views, known, "view")
        processors = list(PROCESSORS) if processors is None else _checked(processors, list(PROCESSORS), "processor")
        self._agents: list[Follower] = [
            view_agent(name, installation.postgres, installation.history, installation.folding) for name in views
        ]
        self._answering: Answering | None = None
        if processors and pool is not None:
            self._answering = self._made(pool, processors)
            self._agents.append(self._answering.agent(installation.history, installation.dead_letters))
        settings = installation.settings
        self.hosts = {
            agent.group: make_host(settings.runner, agent, installation.topic, installation.brokers)
            for agent in self._agents
        }
        self._behind = list(self._agents)
        self._keeper = Keeper(
            installation.folding,
            self._stop,
            expire=installation.expire,
            make_up=self._make_up,
            keeps_views=bool(views),
        )

    def _made(self, pool: WorkerPool, processors: Sequence[str]) -> Answering:
        installation, settings = self._installation, self._installation.settings
        processing = Processing(
            installation.log,
            pool,
            SystemClock(),
            open_blobs=installation.open_blobs,
            in_flight=settings.workers * 2,
            timeout_s=settings.task_timeout_s,
            report=installation.progress.tell,
            forecast=Forecast(installation.pending.of, time.monotonic),
            spans=installation.spans,
        )
        return Answering(installation.postgres, processing, processors)

    def start(self) -> None:
        """Begin; returns at once. Raises: Conflict, where an archive is being read in."""
        if self._answering is not None:
            self._held.enter_context(self._installation.working())
        for host in self.hosts.values():
            host.start()
        self._keeper.start()

    def stop(self) -> None:
        """Finish what is at hand and leave; what cannot be finished is done by whoever comes next."""
        self._stop.set()
        if self._answering is not None:
            self._answering.stop()
        stopping = [threading.Thread(target=host.stop) for host in self.hosts.values()]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        for agent in self._agents:
            agent.close()
        self._keeper.join()
        self._held.close()

    def _make_up(self) -> bool:
        """Have each agent make up for what it lacks; False where one could not, which is tried again."""
        committed = self._installation.history.committed([agent.group for agent in self._behind])
        self._behind = [
            agent
            for agent in self._behind
            if not attempted(
                f"make up {agent.group}", partial(agent.make_up, committed.get(agent.group, {}), self._stop)
            )
        ]
        return not self._behind


def _checked(names: Sequence[str], known: Sequence[str], what: str) -> Sequence[str]:
    for name in names:
        if name not in known:
            raise Malformed(f"there is no {what} {name!r}; there are {', '.join(sorted(known))}", field=f"{what}s")
    return names
