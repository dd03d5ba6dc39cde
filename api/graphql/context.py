"""What resolvers are given: the service, who asks, the feed, and loaders that gather what single nodes ask for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

import strawberry
from strawberry.dataloader import DataLoader

from api.access import LOCAL
from api.feed import Feed
from api.metrics import Metrics
from api.threads import Threads
from api.tokens import parse
from domain.access import Actor
from domain.analyses import findings
from domain.errors import DiscoError, NotFound
from domain.ports import Token
from domain.service import Service
from domain.views import NOW, AsOf, Direction, Node, Relation
from events.envelope import Recorded

if TYPE_CHECKING:
    from api.graphql.resources import Resource

P = ParamSpec("P")
T = TypeVar("T")

WAIT_S = 5.0
Step = tuple[str, Relation, Direction, AsOf]


@dataclass(frozen=True, slots=True)
class Shared:
    """What all requests share."""

    service: Service
    feed: Feed
    threads: Threads
    metrics: Metrics = field(default_factory=Metrics)


@dataclass(slots=True)
class Context:
    """One request; `fields` holds the names of all fields that its query selects.

    last_event_id: the cursor of the last message that a client had of this subscription before it was cut off.
    """

    shared: Shared
    actor: Actor = LOCAL
    fields: frozenset[str] = frozenset()
    last_event_id: str | None = None
    _loaders: dict[str, DataLoader] = field(default_factory=dict)  # type: ignore[type-arg]  # one a kind of key

    @property
    def service(self) -> Service:
        """The service."""
        return self.shared.service

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await a blocking call."""
        return await self.shared.threads.run(call, *args, **kwargs)

    async def seen(self, after: str | None) -> None:
        """Where `after` is a write's token, wait until every view has got there; cursors are left to the list.

        Raises: Malformed, Unavailable.
        """
        found = parse(after) if after else None
        if isinstance(found, Token):
            await self.shared.threads.wait(self.service.views.wait, found.position, WAIT_S, project=found.project)

    def _loader(self, name: str, load: Callable[[list[object]], Sequence[object]]) -> DataLoader:  # type: ignore[type-arg]
        known = self._loaders.get(name)
        if known is None:

            async def batch(keys: list[object]) -> Sequence[object]:
                return await self.run(load, keys)

            known = self._loaders[name] = DataLoader(load_fn=batch, max_batch_size=500)
        return known

    async def resource(self, id: str) -> Resource:
        """A resource as it is now. Raises: NotFound."""
        return await self.resource_at(id, NOW)

    async def resource_at(self, id: str, moment: AsOf) -> Resource:
        """A resource as it was at a moment. Raises: NotFound."""
        from api.graphql.resources import load_resources  # resources need the context's type

        def load(ids: list[object]) -> Sequence[object]:
            return load_resources(self.service, cast(list[str], ids), moment)

        return cast("Resource", await self._loader(f"resource at {moment}", load).load(id))

    async def event_at(self, position: int) -> Recorded:
        """The event at a position. Raises: NotFound."""

        def load(positions: list[object]) -> Sequence[object]:
            found = self.service.log.at(positions)  # type: ignore[arg-type]  # positions are numbers
            return [found.get(at) or NotFound(f"there is no event at {at}") for at in positions]  # type: ignore[call-overload]

        return await self._loader("event", load).load(position)  # type: ignore[no-any-return]

    async def finding(self, asset: str, id: str) -> Recorded:
        """The event of a finding in an asset. Raises: NotFound."""

        def load(found: list[object]) -> Sequence[object]:
            wanted = cast(list[tuple[str, str]], found)
            known = findings(self.service.log, wanted)
            return [known.get(id) or NotFound(f"there is no finding {id}", id=id) for _, id in wanted]

        return await self._loader("finding", load).load((asset, id))  # type: ignore[no-any-return]

    async def events_about(self, id: str) -> list[Recorded]:
        """Every event about a resource, in order."""

        def load(ids: list[object]) -> Sequence[object]:
            return [self.service.log.about(id) for id in ids]  # type: ignore[arg-type]

        return await self._loader("about", load).load(id)  # type: ignore[no-any-return]

    async def neighbours(self, id: str, relation: Relation, direction: Direction, moment: AsOf) -> list[Node]:
        """The nodes one step away."""

        def load(steps: list[object]) -> Sequence[object]:
            return _neighbours(self.service, steps)  # type: ignore[arg-type]

        step: Step = (id, relation, direction, moment)
        return await self._loader("neighbours", load).load(step)  # type: ignore[no-any-return]


def _neighbours(service: Service, steps: list[Step]) -> list[list[Node] | DiscoError]:
    groups: dict[tuple[Relation, Direction, AsOf], list[str]] = defaultdict(list)
    for id, relation, direction, moment in steps:
        groups[relation, direction, moment].append(id)
    found = {
        (relation, direction, moment): service.views.graph.neighbours(ids, relation, direction, moment)
        for (relation, direction, moment), ids in groups.items()
    }
    return [found[relation, direction, moment].get(id, []) for id, relation, direction, moment in steps]


Info = strawberry.Info[Context, None]
