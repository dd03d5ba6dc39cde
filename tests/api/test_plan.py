"""Plain selections are answered by plans; the ordinary way must give the same, whatever is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    get_named_type,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.graphql.context import Context, Shared
from api.graphql.engine import Asked, Engine
from api.graphql.executor import Executor
from api.graphql.schema import SCHEMA
from infra.disco import open_disco
from infra.settings import Settings
from tests.api.making import Catalogue, catalogue

DEPTH = 4
CONDITIONS = {"yes": True, "no": False}
THEN = 9  # between the song's findings and what was generated from it


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalogue, Shared]]:
    """One catalogue for all examples."""
    home: Path = tmp_path_factory.mktemp("plan")
    with open_disco(Settings(home=home, workers=1), run=False) as disco:
        made = catalogue(disco)
        song = made.audio("song")
        made.generated("band", [song], analyses=tuple(made.analysed(song)[:2]), seed=2**40)
        made.failed(song)
        disco.views.catch_up()
        yield made, create_app(disco, development=True).state.mounted.shared


def roots(made: Catalogue) -> dict[str, str]:
    """Root fields with arguments that find something; `THEN` may take a moment."""
    song, band = made.assets["song"], made.assets["band"]
    return {
        "resource": f'(id: "{song}"THEN)',
        "node": f'(id: "{band}")',
        "projects": "",
        "resources": "(first: 5THEN)",
        "lineage": f'(id: "{band}", first: 5THEN)',
        "impact": f'(id: "{song}", first: 5THEN)',
        "search": '(text: "song", first: 3THEN)',
        "series": '(name: "loudness_lufs", first: 3THEN)',
        "events": "(first: 5)",
        "job": '(id: "job-1")',
        "views": "",
        "deadLetters": "(first: 3)",
    }


@st.composite
def selections(draw: st.DrawFn, type_: Any, depth: int) -> str:
    """A valid selection set on a type: aliases, __typename, conditions, inline fragments, repeated fields."""
    fields = {
        name: field
        for name, field in type_.fields.items()
        if depth > 1 or isinstance(get_named_type(field.type), GraphQLScalarType | GraphQLEnumType)
    }
    chosen = draw(st.lists(st.sampled_from([*fields, "__typename"]), min_size=1, max_size=5))
    parts = []
    for index, name in enumerate(chosen):
        alias = f"a{depth}{index}_{name}: " if draw(st.integers(0, 9)) == 0 else ""
        condition = draw(
            st.sampled_from(
                ["", "", "", "@skip(if: $yes)", "@skip(if: $no)", "@include(if: $no)", "@include(if: true)"]
            )
        )
        under = "" if name == "__typename" else draw(under_of(fields[name], depth))
        part = f"{alias}{name} {condition} {under}"
        parts.append(f"... on {type_.name} {condition} {{ {part} }}" if draw(st.integers(0, 5)) == 0 else part)
    return "{ " + " ".join(parts) + " }"


@st.composite
def under_of(draw: st.DrawFn, field: Any, depth: int) -> str:
    """What lies under a field."""
    type_ = get_named_type(field.type)
    arguments = "(first: 2)" if "first" in field.args else ""
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        return f"{arguments} {draw(selections(type_, depth - 1))}"
    return arguments


async def _both(shared: Shared, query: str) -> tuple[Any, Any]:
    fast = Engine(development=True)
    answer = await fast.execute(Asked(query, CONDITIONS), Context(shared))
    again = await fast.execute(Asked(query, CONDITIONS), Context(shared))
    assert answer.body == again.body
    kept = Executor.plan_for
    Executor.plan_for = lambda *_: None  # type: ignore[method-assign]
    try:
        plain = await Engine(development=True).execute(Asked(query, CONDITIONS), Context(shared))
    finally:
        Executor.plan_for = kept  # type: ignore[method-assign]
    return answer, plain


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_plans_answer_as_the_ordinary_way_does(setting: tuple[Catalogue, Shared], data: st.DataObject) -> None:
    """Given any query of the schema, when answered by plans and without, then both answers are the same text."""
    made, shared = setting
    names = roots(made)
    name = data.draw(st.sampled_from(sorted(names)))
    arguments = names[name].replace("THEN", data.draw(st.sampled_from(["", f', asOf: "{THEN}"'])))
    field = SCHEMA._schema.query_type.fields[name]  # type: ignore[union-attr]
    query = "query($yes: Boolean!, $no: Boolean!) { t: __typename @skip(if: $yes) u: __typename @skip(if: $no) " + (
        f"{name}{arguments} {data.draw(selections(get_named_type(field.type), DEPTH))} }}"
    )
    fast, plain = asyncio.run(_both(shared, query))
    assert fast.json == plain.json, query
    assert fast.ran == plain.ran


def test_a_plan_gives_up_where_a_value_does_not_fit(setting: tuple[Catalogue, Shared], monkeypatch: Any) -> None:
    """Given a null where none may be, when answered, then the ordinary error is reported with its path."""
    made, shared = setting
    graph = shared.service.views.graph
    whole = graph.lineage

    def broken(*args: Any, **kwargs: Any) -> Any:
        walk = whole(*args, **kwargs)
        walk.nodes[1].label = None  # type: ignore[assignment]
        return walk

    monkeypatch.setattr(graph, "lineage", broken, raising=False)
    query = f'{{ lineage(id: "{made.assets["band"]}") {{ nodes {{ name }} }} }}'
    answer = asyncio.run(Engine(development=True).execute(Asked(query), Context(shared)))
    assert answer.body["errors"][0]["path"] == ["lineage", "nodes", 1, "name"]
    assert answer.body["errors"][0]["extensions"]["code"] == "internal"


def test_lineage_is_answered_by_a_plan(setting: tuple[Catalogue, Shared]) -> None:
    """Given the usual selection on lineage, when prepared, then the whole of it is one plan."""
    made, shared = setting
    engine = Engine(development=False)
    query = f"""{{ lineage(id: "{made.assets["band"]}") {{
        nodes {{ id kind name facts time }} edges {{ cursor node {{ id }} }}
        links {{ relation upstream downstream because {{ type time actor source processorVersion }} }}
        pageInfo {{ hasNextPage }} }} }}"""
    answer = asyncio.run(engine.execute(Asked(query), Context(shared)))
    assert "errors" not in answer.body
    plans = engine._documents.prepare(query).plans
    assert len(plans) == 1
    assert all(plan is not None for plan in plans.values())
