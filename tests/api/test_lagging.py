"""What is answered while the views are behind the log: what they have come to, pinned, or what they will have."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import create_app
from api.export import exported
from domain.errors import Unavailable
from domain.ids import ResourceId
from infra.disco import Disco, open_disco
from infra.settings import Settings
from tests.api.client import Client
from tests.api.making import Catalogue, catalogue


@pytest.fixture
def lagging(tmp_path: Path) -> Iterator[Disco]:
    """A service whose views move only when told to."""
    with open_disco(Settings(home=tmp_path / "home", workers=1), run=False) as disco:
        yield disco


@pytest.fixture
def made(lagging: Disco) -> Catalogue:
    """An asset and two files made from it, in the views; one more that is only in the log."""
    made = catalogue(lagging)
    song = made.audio("song")
    made.generated("first", [song])
    made.generated("second", [song])
    lagging.views.catch_up()
    made.generated("third", [song])
    return made


@pytest.mark.parametrize("field", ["lineage(direction: DOWN, id: $id", "impact(id: $id"])
def test_pages_of_a_walk_do_not_shift_when_the_views_catch_up(lagging: Disco, made: Catalogue, field: str) -> None:
    """Given views that lag, when they catch up between two pages, then both pages are of what the first one saw."""
    node = "node { id }" if "impact" in field else "id"
    query = f"""query($id: ID!, $first: Int!, $after: Cursor) {{ found: {field}, first: $first, after: $after) {{
        nodes {{ {node} }} partial pageInfo {{ hasNextPage endCursor }} }} }}"""
    with Client(create_app(lagging, development=False)) as client:

        def page(first: int, after: str | None = None) -> dict:  # type: ignore[type-arg]  # JSON
            variables = {"id": made.assets["song"], "first": first, "after": after}
            found: dict = client.post("/graphql", json={"query": query, "variables": variables}).json()["data"]["found"]  # type: ignore[type-arg]
            return found

        whole = page(50)
        first = page(2)
        lagging.views.catch_up()
        rest = page(50, first["pageInfo"]["endCursor"])
        assert first["nodes"] + rest["nodes"] == whole["nodes"]
        assert rest["partial"] is False
        assert len(page(50)["nodes"]) > len(whole["nodes"])


def test_the_beginning_is_not_now(lagging: Disco, made: Catalogue) -> None:
    """Given position 0, when a lineage is asked for as of it, then there is nothing yet."""
    query = 'query($id: ID!) { lineage(id: $id, asOf: "0") { nodes { id } } }'
    with Client(create_app(lagging, development=False)) as client:
        asked = {"query": query, "variables": {"id": made.assets["song"]}}
        told = client.post("/graphql", json=asked).json()
    assert told["errors"][0]["extensions"]["code"] == "not_found"


def test_an_export_waits_for_the_views(lagging: Disco, made: Catalogue) -> None:
    """Given views that lag, when a lineage is exported, then it holds all of the log that it names the position of."""
    third = ResourceId(made.assets["third"])
    catching_up = threading.Timer(0.2, lagging.views.catch_up)
    catching_up.start()
    found = exported(lagging, third, "prov")
    catching_up.join()
    assert found.position == lagging.log.head()
    assert f"resource:{third}" in json.loads(found.body)["entity"]


def test_an_export_is_not_written_of_views_that_do_not_come(
    lagging: Disco, made: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given views that stand still, when a lineage is exported, then that is said; as of before, it is written."""
    true_wait = lagging.views.wait
    monkeypatch.setattr(lagging.views, "wait", lambda position, timeout_s=5.0: true_wait(position, 0.05))
    with pytest.raises(Unavailable):
        exported(lagging, ResourceId(made.assets["third"]), "prov")
