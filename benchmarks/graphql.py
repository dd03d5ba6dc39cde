"""GraphQL as a front end gets it, without the network: parsed, limited, executed and written as JSON."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from api.feed import Feed
from api.graphql.context import Context, Shared
from api.graphql.engine import Asked, Engine
from api.threads import Threads
from domain.service import Service


class Client:
    """Asks one query after another in an event loop of its own."""

    def __init__(self, service: Service) -> None:
        self._runner = asyncio.Runner()
        self._engine = Engine(development=False)
        self._shared = Shared(service, Feed(service.log), Threads())

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The data of an answer. Raises: AssertionError, where there are errors."""
        found: dict[str, Any] = orjson.loads(self.answer(query, **variables))["data"]
        return found

    def answer(self, query: str, **variables: object) -> bytes:
        """The text of an answer, whose reading is the asker's. Raises: AssertionError, where there are errors."""
        loop = self._runner.get_loop()  # the runner itself would set and unset a signal's handler each time
        text = loop.run_until_complete(self._answer(query, variables))
        assert text.startswith(b'{"data":'), text
        return text

    async def _answer(self, query: str, variables: dict[str, object]) -> bytes:
        answer = await self._engine.execute(Asked(query, variables), Context(self._shared))
        return answer.json

    def close(self) -> None:
        """Close the loop and its threads."""
        self._runner.run(self._shared.feed.close())
        self._shared.threads.close()
        self._runner.close()
