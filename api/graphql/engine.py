"""Runs queries, mutations and subscriptions, whatever transport they came by."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import orjson
from graphql import ExecutionResult, GraphQLError, OperationType
from graphql.execution import create_source_event_stream

from api.errors import Rejected, to_graphql_all
from api.graphql.context import Context
from api.graphql.executor import Executor
from api.graphql.limits import check_cost
from api.graphql.prepare import Documents, Prepared
from api.graphql.schema import SCHEMA
from domain.errors import DiscoError, Forbidden, Malformed, Unavailable
from domain.tracing import doing

QUERY_S = 30.0
KEPT_COSTS = 4096
KEPT_MESSAGES = 2048
KEPT_CHARACTERS = 16_000_000
NOTHING_TO_RESUME = Malformed("only a subscription can go on from a Last-Event-ID; leave it away", field="after")
READ_ONLY = frozenset({OperationType.QUERY})
EVERYTHING = frozenset(OperationType)
Variables = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the query language sees it."""

    query: str
    variables: Variables | None = None
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as JSON; `ran` is False where it was refused before any resolver ran."""

    body: dict[str, Any]  # Any: JSON
    ran: bool = True

    @property
    def json(self) -> bytes:
        """The answer as text."""
        return orjson.dumps(self.body)


@dataclass(frozen=True, slots=True)
class Message:
    """One answer of a subscription as JSON text, and the cursor to go on from."""

    json: str
    cursor: str | None = None


def asked(body: object) -> Asked:
    """Read a request. Raises: Malformed."""
    if isinstance(body, list):
        raise Malformed("send one query a request; there is no batching")
    if not isinstance(body, dict) or not isinstance(body.get("query"), str) or not body["query"].strip():
        raise Malformed("there is no GraphQL query in the request", field="query")
    variables, operation = body.get("variables"), body.get("operationName")
    if not isinstance(variables, dict | None):
        raise Malformed("variables are an object of names and values", field="variables")
    if not isinstance(operation, str | None):
        raise Malformed("operationName is text", field="operationName")
    return Asked(body["query"], variables, operation or None)


class Engine:
    """Checks, executes and answers; keeps checked documents and the newest messages of subscriptions."""

    def __init__(self, *, development: bool) -> None:
        self._schema = SCHEMA._schema
        self._development = development
        self._documents = Documents(self._schema, development=development)
        self._costs: OrderedDict[object, None] = OrderedDict()
        self._messages: OrderedDict[object, str] = OrderedDict()
        self._kept_characters = 0

    async def execute(
        self,
        asked: Asked,
        context: Context,
        *,
        allowed: frozenset[OperationType] = EVERYTHING - {OperationType.SUBSCRIPTION},
    ) -> Answer:
        """Answer a query or mutation; never raises, whatever is wrong is in the answer."""
        executor = self._executor(asked, context, allowed)
        if not isinstance(executor, Executor):
            return Answer(_body(ExecutionResult(None, executor)), ran=False)
        return Answer(_body(await self._run(executor, context)))

    async def subscribe(self, asked: Asked, context: Context) -> AsyncIterator[Message | Answer]:
        """Yield what a subscription gives; an Answer that did not run ends it at once. Runs queries too."""
        executor = self._executor(asked, context, EVERYTHING)
        if not isinstance(executor, Executor):
            yield Answer(_body(ExecutionResult(None, executor)), ran=False)
            return
        if executor.operation.operation is not OperationType.SUBSCRIPTION:
            if context.last_event_id is not None:
                yield Answer(_body(ExecutionResult(None, [Rejected(NOTHING_TO_RESUME)])), ran=False)
                return
            yield Message(orjson.dumps(_body(await self._run(executor, context))).decode())
            return
        source = create_source_event_stream(executor)
        if executor.is_awaitable(source):
            source = await source
        if isinstance(source, ExecutionResult):
            yield Answer(_body(source), ran=False)
            return
        with context.shared.metrics.subscribed():
            async with aclosing(self._followed(executor, source)) as messages:  # type: ignore[type-var]  # a generator
                async for message in messages:
                    yield message

    async def _followed(self, executor: Executor, source: object) -> AsyncIterator[Message]:
        """A message for each payload of a subscription, the last of them what ended it."""
        sharing = self._sharing(executor)
        async with aclosing(cast(Any, source)) as payloads:  # Any: an async generator of our own
            try:
                async for payload in payloads:
                    text = await self._message(executor, payload, sharing)
                    yield Message(text, getattr(payload, "cursor", None))
            except Exception as error:  # told to the subscriber, masked and logged where it is none of ours
                failed = GraphQLError("failed", original_error=error)
                yield Message(orjson.dumps(_body(ExecutionResult(None, [failed]))).decode())

    async def _message(self, executor: Executor, payload: object, sharing: tuple[object, ...] | None) -> str:
        """The answer for one payload; many subscribers with one query share it."""
        shared = getattr(payload, "shared_key", None)
        key = None if sharing is None or shared is None else (sharing, shared)
        known = self._messages.get(key)
        if known is not None:
            return known
        result = executor.build_per_event_executor(payload).execute_operation(False)
        if executor.is_awaitable(result):
            result = await result
        body = _body(cast(ExecutionResult, result))
        text = orjson.dumps(body).decode()
        if key is not None and "errors" not in body:
            self._keep(key, text)
        return text

    def _keep(self, key: object, text: str) -> None:
        self._messages[key] = text
        self._kept_characters += len(text)
        while len(self._messages) > KEPT_MESSAGES or self._kept_characters > KEPT_CHARACTERS:
            _, old = self._messages.popitem(last=False)
            self._kept_characters -= len(old)

    @staticmethod
    def _sharing(executor: Executor) -> tuple[object, ...] | None:
        """What messages depend on beside the event; None where that is more than the query."""
        if executor.prepared is None or not executor.is_plain_root():
            return None
        return (executor.prepared.text, executor.operation.loc and executor.operation.loc.start, executor.conditions)

    def _executor(
        self, asked: Asked, context: Context, allowed: frozenset[OperationType]
    ) -> Executor | list[GraphQLError]:
        prepared = self._documents.prepare(asked.query)
        if prepared.document is None:
            return _refusals(prepared.errors)
        context.fields = prepared.fields
        executor = Executor.build(
            self._schema,
            prepared.document,
            None,
            context,
            _given(asked, prepared),
            asked.operation,
            hide_suggestions=not self._development,
            prepared=prepared,
        )
        if isinstance(executor, list):
            return _refusals(executor)
        found = cast(Executor, executor)
        try:
            if found.operation.operation not in allowed:
                kind = found.operation.operation.value
                raise Forbidden(f"a {kind} cannot be asked this way; queries by GET or POST, mutations by POST")
            self._check_cost(found, prepared)
        except DiscoError as error:
            return [Rejected(error)]
        return found

    def _check_cost(self, executor: Executor, prepared: Prepared) -> None:
        variables = executor.variable_values.coerced
        numbers = tuple(sorted((name, value) for name, value in variables.items() if type(value) is int))
        key = (prepared.text, executor.operation.loc and executor.operation.loc.start, numbers)
        if key in self._costs:
            return
        assert prepared.document is not None  # noqa: S101  # only checked documents get an executor
        check_cost(self._schema, prepared.document, executor.operation, variables)
        self._costs[key] = None
        if len(self._costs) > KEPT_COSTS:
            self._costs.popitem(last=False)

    async def _run(self, executor: Executor, context: Context) -> ExecutionResult:
        kind = executor.operation.operation.value
        with context.shared.metrics.operation(kind) as told, doing(context.service.spans, f"graphql {kind}") as work:
            result = await self._result(executor)
            told.failed = bool(result.errors)
            if work is not None:
                work.attributes["graphql.operation.type"] = kind
                work.fault = "errors" if told.failed else None
            return result

    async def _result(self, executor: Executor) -> ExecutionResult:
        result = executor.execute_operation()
        if not executor.is_awaitable(result):
            return cast(ExecutionResult, result)
        if executor.operation.operation is not OperationType.QUERY:
            return cast(ExecutionResult, await result)  # what is written goes on: nobody is told that it took too long
        try:
            async with asyncio.timeout(QUERY_S):
                return cast(ExecutionResult, await result)
        except TimeoutError:
            late = Unavailable(f"the query took longer than {QUERY_S:g} s; ask for less at once")
            return ExecutionResult(None, [Rejected(late)])


def _refusals(errors: Sequence[GraphQLError]) -> list[GraphQLError]:
    """What the query language objects to before anything ran is the asker's, whatever a value broke on its way."""
    return [
        error
        if error.original_error is None or isinstance(error, Rejected)
        else GraphQLError(error.message, error.nodes, error.source, error.positions)
        for error in errors
    ]


def _given(asked: Asked, prepared: Prepared) -> dict[str, Any]:  # Any: JSON
    """The variables; a page whose length is null has the length that it has where nothing is said."""
    variables = asked.variables or {}
    return {name: value for name, value in variables.items() if value is not None or name not in prepared.pages}


def _body(result: ExecutionResult) -> dict[str, Any]:
    if not result.errors:
        return {"data": result.data}
    body: dict[str, Any] = {"errors": to_graphql_all(result.errors)}
    if result.data is not None or any(error.path for error in result.errors):
        body["data"] = result.data
    return body
