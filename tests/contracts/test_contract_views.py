"""The views' life: they say how far they are, are waited for, are built anew, and are compared with the log."""

from __future__ import annotations

from random import Random

import pytest

from domain import ids
from domain.errors import Unavailable
from domain.views import AsOf
from tests.builders import History, interleaved, library, numbered
from tests.contracts.view_adapters import ViewsAdapter
from tests.spine import Spine


def _some(seed: int = 1, count: int = 60) -> list:  # type: ignore[type-arg]  # of Proposed
    random = Random(seed)
    return interleaved([[library()], History(random, "a").grow(count), History(random, "b").grow(count)], random)


def test_every_view_tells_its_name_version_position_and_lag(kept: ViewsAdapter) -> None:
    """Given a folded log, then every view is live, at the head, with no lag; names are told once each."""
    positions = kept.given(_some())
    status = kept.views.status()
    assert len({view.name for view in status}) == len(status) >= 5
    for view in status:
        assert (view.position, view.lag, view.state, view.building_position) == (positions[-1], 0, "live", None)
        assert view.version >= 1


def test_the_position_of_one_view_or_of_all_is_where_they_stand(kept: ViewsAdapter) -> None:
    """Given nothing, then every view is at the beginning; given a folded log, at its end; one that is not there, at 0.

    It is what their status tells.
    """
    assert kept.views.position() == kept.views.position("lineage_graph") == 0
    end = kept.given(_some())[-1]
    stands = {view.name: view.position for view in kept.views.status()}
    assert {name: kept.views.position(name) for name in stands} == stands
    assert kept.views.position() == end
    assert kept.views.position("nothing") == 0


def test_waiting_for_a_position_that_is_reached_returns_and_for_another_is_unavailable(kept: ViewsAdapter) -> None:
    """Given views at a position, then waiting for it returns at once; for a later one it is Unavailable, can retry."""
    positions = kept.given(numbered(3))
    kept.views.wait(positions[-1], 0.0)
    with pytest.raises(Unavailable) as raised:
        kept.views.wait(positions[-1] + 1, 0.05)
    assert raised.value.retryable


def test_a_rebuild_changes_nothing(kept: ViewsAdapter) -> None:
    """Given any history, then the digest of every view is the same before and after it is built anew."""
    kept.given(_some())
    before = kept.views.digests()
    kept.rebuild()
    assert kept.views.digests() == before
    assert set(before) == {view.name for view in kept.views.status()}


def test_digests_tell_different_histories_apart(kept: ViewsAdapter) -> None:
    """Given one event more, then some digest is another; given none, none is."""
    kept.given(_some())
    before = kept.views.digests()
    assert kept.views.digests() == before
    kept.given(numbered(1, project=ids.project_id("a"), start=77))
    after = kept.views.digests()
    assert after["lineage_graph"] != before["lineage_graph"]
    assert after["catalogue"] != before["catalogue"]


def test_views_as_they_should_be_have_no_differences(kept: ViewsAdapter) -> None:
    """Given folded views, then a comparison with a fresh fold finds nothing, also when the log is ahead of them."""
    kept.given(_some())
    assert list(kept.views.differences()) == []


# What follows needs to reach behind the port; a second adapter brings its own way of doing damage.

DAMAGE: dict[str, tuple[str, str, str]] = {
    "a node's label": ("lineage_graph", "changed", "UPDATE {t}_nodes SET label = 'x' WHERE {one}"),
    "a document": (
        "catalogue",
        "changed",
        "UPDATE {t}_rows SET document = json_set(document, '$.name', 'x') WHERE {one}",
    ),
    "a document gone": ("catalogue", "missing", "DELETE FROM {t}_rows WHERE {one}"),
    "a measurement": ("measurements", "changed", "UPDATE {t}_points SET value = value + 1 WHERE {one}"),
    "a measurement gone": ("measurements", "missing", "DELETE FROM {t}_points WHERE {one}"),
    "a job": ("jobs", "changed", "UPDATE {t}_rows SET document = json_set(document, '$.failed', 99) WHERE {one}"),
    "a ghost letter": (
        "dead_letters",
        "ghost",
        "INSERT INTO {t}_rows (id, project, document) VALUES ('ghost', 'p', '{{}}')",
    ),
    "an edge gone": ("lineage_graph", "missing", "DELETE FROM {t}_edges WHERE {one}"),
    "an edge's end": ("lineage_graph", "changed", "UPDATE {t}_edges SET until = 3, until_us = 3 WHERE {one}"),
    "an edge's end in time": ("lineage_graph", "changed", "UPDATE {t}_edges SET until_us = 3 WHERE {one}"),
    "a node's end in time": ("lineage_graph", "changed", "UPDATE {t}_nodes SET until_us = 3 WHERE {one}"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_row_that_is_changed_missing_or_a_ghost_is_named(spine: Spine, what: str) -> None:
    """Given one row of a view tampered with, then the comparison names its view, kind and key, and no other row."""
    spine.append(_some())
    spine.views.catch_up()
    view, kind, query = DAMAGE[what]
    with spine.database.write() as connection:
        (generation,) = connection.execute(
            "SELECT generation FROM views WHERE name = ? AND state = 'live'", (view,)
        ).fetchall()[0]
        table = f"{view}_{generation}"
        connection.execute(_one(query, table))
        assert connection.changes() == 1
    found = list(spine.views.differences())
    assert [(difference.view, difference.kind) for difference in found] == [(view, kind)]
    assert found[0].key


def _one(query: str, table: str) -> str:
    """The statement, made to touch one row."""
    if "{one}" not in query:
        return query.format(t=table)
    target = query.split("{t}")[1].split()[0].split("_", 1)[1]
    keys = {
        "nodes": "(key, since) = (SELECT key, since FROM {t}_nodes LIMIT 1)",
        "edges": "(down, up, relation, since) = (SELECT down, up, relation, since FROM {t}_edges LIMIT 1)",
        "points": "(project, name, position) = (SELECT project, name, position FROM {t}_points LIMIT 1)",
        "rows": "key = (SELECT min(key) FROM {t}_rows)",
    }
    return query.replace("{one}", keys[target]).format(t=table)


def test_words_that_search_would_miss_are_named(spine: Spine) -> None:
    """Given the full text of a resource gone, so that search would not find it, then the comparison names it."""
    spine.append(_some())
    spine.views.catch_up()
    with spine.database.write() as connection:
        connection.execute("DELETE FROM catalogue_1_words WHERE rowid = (SELECT min(rowid) FROM catalogue_1_words)")
    assert [difference.view for difference in spine.views.differences()] == ["catalogue"]


def test_the_past_can_be_asked_for_while_views_are_behind_or_ahead(kept: ViewsAdapter) -> None:
    """Given a position before the first event, then nothing was there; at the head, what is there now."""
    positions = kept.given(_some())
    project = ids.project_id("a")
    assert kept.views.graph.nodes([project], AsOf(0)) == {}
    now = kept.views.graph.nodes([project])
    assert kept.views.graph.nodes([project], AsOf(positions[-1])) == now
