"""What a query may not ask for is refused before any resolver runs."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import OperationDefinitionNode, build_client_schema, get_introspection_query, parse

from api.app import create_app
from api.graphql.limits import MOST_COST, check_cost
from api.graphql.schema import SCHEMA
from tests.api.client import Client
from tests.api.conftest import Ask
from tests.api.making import Catalogue

ID = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def untouched(service: Any, monkeypatch: Any) -> None:
    """Fails the test's query where a resolver runs."""

    def touched(*_: Any) -> None:
        raise AssertionError("a resolver ran")

    monkeypatch.setattr(service.access, "check", touched, raising=False)


def nested(levels: int) -> str:
    """A query of so many levels."""
    return '{ resource(id: "' + ID + '") ' + "{ container " * (levels - 2) + "{ id }" + " }" * (levels - 2) + " }"


@pytest.mark.usefixtures("untouched")
def test_eleven_levels_are_too_deep(refuse: Ask) -> None:
    """Given a query one level deeper than allowed, when asked, then it is refused and says both numbers."""
    error = refuse(nested(11))
    assert error["code"] == "limit_exceeded"
    assert error["details"] == {"what": "depth", "limit": 10, "found": 11}
    assert error["data"] is None


@pytest.mark.usefixtures("untouched")
def test_depth_counts_through_fragments(refuse: Ask) -> None:
    """Given levels hidden in fragments, when asked, then they count; a fragment in itself is malformed."""
    parts = "".join(f"fragment F{n} on Resource {{ container {{ ...F{n + 1} }} }} " for n in range(9))
    query = f'{{ resource(id: "{ID}") {{ ...F0 }} }} {parts} fragment F9 on Resource {{ id }}'
    assert refuse(query)["details"]["what"] == "depth"
    looped = (
        f'{{ resource(id: "{ID}") {{ ...A }} }} fragment A on Resource {{ ...B }} fragment B on Resource {{ ...A }}'
    )
    assert refuse(looped)["code"] == "malformed"


@pytest.mark.usefixtures("untouched")
def test_sixteen_aliases_are_too_many(refuse: Ask) -> None:
    """Given sixteen aliases, plain or spread by fragments, when asked, then they are refused."""
    plain = "{ " + " ".join(f"a{n}: views {{ name }}" for n in range(16)) + " }"
    assert refuse(plain)["details"] == {"what": "aliases", "limit": 15, "found": 16}
    doubled = "{ " + "...F0 " + "} " + "".join(
        f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(12)
    ) + "fragment F12 on Query { a: __typename }"  # fmt: skip
    assert refuse(doubled)["details"]["found"] == 4096


@pytest.mark.usefixtures("untouched")
def test_a_thousand_and_one_tokens_are_too_many(refuse: Ask) -> None:
    """Given a query of more than a thousand tokens, when asked, then it is refused while it is being read."""
    error = refuse("{ views { " + "name " * 1001 + "} }")
    assert error["code"] == "limit_exceeded"
    assert error["details"]["what"] == "tokens"


@pytest.mark.parametrize("first", [0, -1, 101])
@pytest.mark.usefixtures("untouched")
def test_pages_have_a_hundred_items_at_most(refuse: Ask, first: int) -> None:
    """Given a page out of bounds, literal or variable, when asked, then it is refused."""
    assert refuse(f"{{ resources(first: {first}) {{ nodes {{ id }} }} }}")["details"]["what"] == "page"
    error = refuse("query($n: Int!) { resources(first: $n) { nodes { id } } }", n=first)
    assert error["details"] == {"what": "page", "limit": 100, "found": first}


@pytest.mark.parametrize("kind", ["Int", "Int = 7"])
def test_a_page_of_null_items_is_the_usual_page(ask: Ask, made: Catalogue, kind: str) -> None:
    """Given null for a page's length, when asked, then the answer is that of the length left out."""
    query = (
        f"query($n: {kind}) {{ projects(first: $n) {{ nodes {{ name history(first: $n) {{ nodes {{ type }} }} }} }} }}"
    )
    assert ask(query, n=None) == ask(query)
    document = parse("query($n: Int) { projects(first: $n) { nodes { id } } }")
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    assert check_cost(SCHEMA._schema, document, operation, {"n": None}) == 1 + 50 * 2


@pytest.mark.usefixtures("untouched")
def test_cost_multiplies_lists(refuse: Ask) -> None:
    """Given lists within lists, by literal, variable, default or fragment, when asked, then what they may cost is."""
    inner = "{ nodes { history(first: 100) { nodes { id } } } }"
    for query, variables in (
        (f"{{ resources(first: 100) {inner} }}", {}),
        (f"query($n: Int = 100) {{ resources(first: $n) {inner} }}", {}),
        (f"query($n: Int!) {{ resources(first: $n) {inner} }}", {"n": 100}),
        (
            "{ resources { nodes { history { nodes { id type } pageInfo { endCursor } } analyses { id kind } } } }",
            {},
        ),
        (f"{{ ...F }} fragment F on Query {{ resources(first: 100) {inner} }}", {}),
    ):
        error = refuse(query, **variables)
        assert error["code"] == "limit_exceeded"
        assert error["details"]["what"] == "cost"
        assert error["details"]["found"] > MOST_COST


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ resources { nodes { id } } }", 1 + 50 * (1 + 1)),
        ("{ resources(first: 3) { nodes { id tags history { nodes { id } } } } }", 1 + 3 * (1 + 1 + 1 + 1 + 20 * 2)),
        ("{ views { name } }", 1 + 10 * 1),
        ("{ ...A ...A } fragment A on Query { resources(first: 2) { nodes { ... on Resource { id } } } }", 10),
    ],
)
def test_a_cost_is_what_can_be_counted_by_hand(query: str, cost: int) -> None:
    """Given a query, when its cost is worked out by hand, then that is what it costs."""
    document = parse(query)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    assert check_cost(SCHEMA._schema, document, operation, {}) == cost


def test_what_is_usual_is_allowed(ask: Ask, made: Catalogue) -> None:
    """Given a full page with all plain fields, and a lineage of a hundred with its reasons, when asked, then fine."""
    ask(
        """{ resources(first: 100) { totalCount edges { cursor node {
            id kind variant name tags metadata archived version created updated actor fileName facts
            analyses { kind facts } content { sha256 url } container { id name } } } } }"""
    )
    ask(
        """query($id: ID!) { lineage(id: $id, first: 100) {
            nodes { id kind variant name time depth facts archived }
            links { relation upstream downstream because { type time actor source processor processorVersion } } } }""",
        id=made.assets["band"],
    )


@pytest.mark.usefixtures("untouched")
def test_introspection_and_suggestions_are_off(refuse: Ask) -> None:
    """Given a service in production, when asked for its schema or a nearly right field, then nothing is told."""
    assert refuse("{ __schema { types { name } } }")["code"] == "forbidden"
    error = refuse("{ resourcs { nodes { id } } }")
    assert error["code"] == "malformed"
    assert "Did you mean" not in error["message"]


@pytest.mark.usefixtures("untouched")
def test_large_bodies_batches_and_other_types_are_refused(client: Client) -> None:
    """Given a body past a mebibyte, a batch, a form, broken JSON, when posted, then each is refused by its status."""
    assert client.post("/graphql", json={"query": "{ views { name } }" + " " * (1 << 20)}).status_code == 413
    batch = client.post("/graphql", json=[{"query": "{ views { name } }"}])
    assert batch.status_code == 400
    assert "batching" in batch.json()["errors"][0]["message"]
    assert client.post("/graphql", data={"query": "{ views { name } }"}).status_code == 415
    assert client.post("/graphql", content=b"{", headers={"content-type": "application/json"}).status_code == 400
    chunks = (b" " * 65536 for _ in range(20))
    assert client.post("/graphql", content=chunks, headers={"content-type": "application/json"}).status_code == 413


@pytest.mark.usefixtures("untouched")
def test_mutations_are_not_sent_by_get(client: Client) -> None:
    """Given a mutation in a URL, when fetched, then it is refused; in the spec's own media type with status 400."""
    query = 'mutation { createProject(name: "x") { job } }'
    answer = client.get("/graphql", params={"query": query})
    assert answer.json()["errors"][0]["extensions"]["code"] == "forbidden"
    accept = {"accept": "application/graphql-response+json"}
    assert client.get("/graphql", params={"query": query}, headers=accept).status_code == 400


def test_queries_may_be_fetched(client: Client) -> None:
    """Given a query in a URL, when fetched, then it is answered."""
    answer = client.get(
        "/graphql",
        params={
            "query": "query Q($n: Int!) { projects(first: $n) { nodes { id } } }",
            "variables": '{"n": 3}',
            "operationName": "Q",
        },
    )
    assert answer.json() == {"data": {"projects": {"nodes": []}}}


def test_what_fails_inside_is_masked(service: Any, client: Client, monkeypatch: Any) -> None:
    """Given a fault of our own, when met, then the answer tells neither its message nor where it was."""

    def fault() -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(service.views, "status", fault, raising=False)
    body = client.post("/graphql", json={"query": "{ views { name } }"}).text
    assert "hunter2" not in body
    assert '"internal"' in body


def test_development_shows_the_schema_and_a_page(service: Any) -> None:
    """Given a service in development, when a tool asks for the schema or a browser for a page, then it comes."""
    app = create_app(service, development=True)
    with Client(app, base_url="http://localhost") as client:
        body = client.post("/graphql", json={"query": get_introspection_query()}).json()
        assert build_client_schema(body["data"]).query_type is not None
        page = client.get("/graphql", headers={"accept": "text/html"})
        assert "graphiql" in page.text.lower()
    with Client(create_app(service, development=False), base_url="http://localhost") as client:
        assert "graphiql" not in client.get("/graphql", headers={"accept": "text/html"}).text.lower()
