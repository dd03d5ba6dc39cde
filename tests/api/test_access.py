"""Nothing is served that declares no permission."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Route, WebSocketRoute

from api.access import requirement_of
from api.graphql.fields import query
from api.graphql.schema import SCHEMA
from domain.access import Actor, Permission
from domain.errors import Forbidden
from tests.api.client import Client


def test_every_root_field_declares_a_permission() -> None:
    """Given the schema, when walked, then every root field declares what it needs, of an argument that it has."""
    schema = SCHEMA._schema
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None
        for name, field in root.fields.items():
            resolver = field.extensions["strawberry-definition"].base_resolver.wrapped_func
            requirement = requirement_of(resolver)
            assert requirement is not None, f"{root.name}.{name}"
            names = {argument.python_name for argument in field.extensions["strawberry-definition"].arguments}
            assert requirement.of is None or requirement.of in names, f"{root.name}.{name}"


def test_mutations_need_more_than_reading() -> None:
    """Given the mutations, when walked, then none is content with reading."""
    assert SCHEMA._schema.mutation_type is not None
    for name, field in SCHEMA._schema.mutation_type.fields.items():
        requirement = requirement_of(field.extensions["strawberry-definition"].base_resolver.wrapped_func)
        assert requirement is not None
        assert requirement.permission in (Permission.WRITE, Permission.GENERATE), name


def test_every_route_declares_a_permission(client: Client) -> None:
    """Given the app's routes, when walked, then every one declares what it needs."""
    app = client.app
    assert isinstance(app, FastAPI)
    for route in app.router.routes:
        assert isinstance(route, Route | WebSocketRoute), route
        assert requirement_of(route.endpoint) is not None, route.path
    assert len(app.router.routes) == 15


def test_a_field_without_a_permission_cannot_be_declared() -> None:
    """Given a resolver that declares nothing, when made a field, then that fails at once."""

    async def bare(info: Any) -> str:
        return ""

    with pytest.raises(TypeError, match="declares no permission"):
        query(bare)


def test_what_is_forbidden_is_not_answered(service: Any, client: Client, monkeypatch: Any) -> None:
    """Given someone who may not write, when they do, by GraphQL or REST, then it is forbidden and not written."""
    asked: list[tuple[Permission, str | None]] = []

    def check(actor: Actor, permission: Permission, resource_id: str | None) -> None:
        asked.append((permission, resource_id))
        if permission is not Permission.READ:
            raise Forbidden(f"{actor.name} may not {permission}")

    monkeypatch.setattr(service.access, "check", check, raising=False)
    head = service.log.head()
    body = client.post("/graphql", json={"query": 'mutation { createProject(name: "x") { job } }'}).json()
    assert body["errors"][0]["extensions"]["code"] == "forbidden"
    assert client.post("/api/projects/p-1/files?name=a.wav", content=b"x").status_code == 403
    assert (Permission.WRITE, "p-1") in asked
    assert service.log.head() == head
