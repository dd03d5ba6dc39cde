"""The schema, put together; `python -m api.graphql.schema --write` writes it to docs/schema.graphql."""

from __future__ import annotations

import sys
from pathlib import Path

import strawberry
from strawberry.schema.config import StrawberryConfig

from api.graphql.events import EventQueries
from api.graphql.executor import Executor
from api.graphql.hearing import HearingQueries
from api.graphql.lineage import LineageQueries
from api.graphql.mutations import Mutation
from api.graphql.operations import OperationQueries
from api.graphql.resources import ResourceQueries
from api.graphql.scalars import SCALARS
from api.graphql.search import SearchQueries
from api.graphql.series import SeriesQueries
from api.graphql.subscriptions import Subscription

SDL = Path(__file__).parents[2] / "docs" / "schema.graphql"


@strawberry.type
class Query(
    ResourceQueries, LineageQueries, HearingQueries, SearchQueries, SeriesQueries, EventQueries, OperationQueries
):
    """Everything that can be asked."""


SCHEMA = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    execution_context_class=Executor,
    config=StrawberryConfig(scalar_map=SCALARS),
)


def sdl() -> str:
    """The schema as text."""
    return SCHEMA.as_str().rstrip() + "\n"


def main() -> int:
    """Write the SDL, or say whether the committed one is current."""
    if "--write" in sys.argv:
        SDL.parent.mkdir(exist_ok=True)
        SDL.write_text(sdl(), encoding="utf-8")
        return 0
    return 0 if SDL.exists() and SDL.read_text(encoding="utf-8") == sdl() else 1


if __name__ == "__main__":
    raise SystemExit(main())
