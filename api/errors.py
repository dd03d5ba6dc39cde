"""The one place where errors become answers: GraphQL errors and problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLFormattedError
from pydantic import ValidationError

from domain.errors import DiscoError, LimitExceeded, Malformed

log = structlog.get_logger("api")

MASKED = "something went wrong inside; the service's log says what"
Json = dict[str, Any]  # Any: JSON


class Rejected(GraphQLError):
    """A GraphQL error that carries one of ours, raised before any resolver runs."""

    def __init__(self, cause: DiscoError) -> None:
        super().__init__(cause.message, original_error=cause)


@contextmanager
def fitting() -> Iterator[None]:
    """While a command is made of what people gave. Raises: Malformed, naming the first field that does not fit."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise Malformed(f"{field}: {first['msg']}", field=field) from error


def _told(error: DiscoError) -> Json:
    return {"code": error.code, "retryable": error.retryable, "details": _plain(error.details)}


def _plain(value: object) -> Any:  # Any: JSON
    match value:
        case None | bool() | float() | str():
            return value
        case int():
            return value if abs(value) < 2**53 else str(value)
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case _:
            return str(value)


def _request_error(error: GraphQLError) -> DiscoError:
    """What the query language itself objects to."""
    if "tokens" in error.message and "Parsing aborted" in error.message:
        return LimitExceeded("the query has more than 1000 tokens; ask for less at once", limit=1000, what="tokens")
    return Malformed(error.message)


def to_graphql(error: GraphQLError) -> GraphQLFormattedError:
    """One entry of an answer's `errors`; what is not ours is masked and logged."""
    cause = error.original_error
    if isinstance(cause, GraphQLError):
        cause = cause.original_error or cause
    if cause is None or isinstance(cause, GraphQLError):
        cause = _request_error(error)
    formatted: GraphQLFormattedError = {"message": MASKED}
    if error.locations:
        formatted["locations"] = [location.formatted for location in error.locations]
    if error.path:
        formatted["path"] = error.path
    if isinstance(cause, DiscoError):
        formatted["message"] = cause.message
        formatted["extensions"] = _told(cause)
    else:
        log.error("graphql.failed", path=error.path, error_type=type(cause).__name__, exc_info=cause)
        formatted["extensions"] = {"code": DiscoError.code, "retryable": False, "details": {}}
    return formatted


def to_graphql_all(errors: Iterable[GraphQLError] | None) -> list[GraphQLFormattedError]:
    """Every entry of an answer's `errors`."""
    return [to_graphql(error) for error in errors or ()]


def to_problem(error: Exception) -> tuple[int, Json]:
    """HTTP status and problem document; what is not ours is masked and logged."""
    if not isinstance(error, DiscoError):
        log.error("rest.failed", error_type=type(error).__name__, exc_info=error)
        error = DiscoError(MASKED)
    title = type(error).__name__ if type(error) is not DiscoError else "InternalError"
    return error.http_status, {
        "type": f"urn:disco-musica:error:{error.code}",
        "title": title,
        "status": error.http_status,
        "detail": error.message,
        **_told(error),
    }
