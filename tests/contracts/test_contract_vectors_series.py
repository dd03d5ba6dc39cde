"""Vectors and series: every adapter answers as arithmetic by hand does."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import ids
from domain.errors import Malformed, NotFound
from domain.values import unpack_floats
from domain.views import AsOf
from events.analyses import EmbeddingComputed, LoudnessMeasured
from events.envelope import Proposed
from events.resources import ResourceArchived, ResourceRestored
from tests import payloads
from tests.builders import BEGINNING_US, proposed
from tests.contracts.view_adapters import VIEWS, ViewsAdapter

A, B = ids.project_id("a"), ids.project_id("b")


def _embedding(number: int, *, seed: int | None = None, project: str = A, space: str = "s") -> Proposed:
    vector = payloads.vector(number if seed is None else seed)
    asset = ids.derived("asset", number)
    return proposed(EmbeddingComputed(asset_id=asset, space=space, dimensions=128, vector=vector), project=project)


def _nearest(events: list[Proposed], to: np.ndarray, *, without: str = "") -> list[tuple[str, float]]:
    """(asset, cosine), nearest first, by numpy."""
    rows = [(event.data.asset_id, unpack_floats(event.data.vector)) for event in events]  # type: ignore[attr-defined]
    scored = [(id, float(v @ to / np.linalg.norm(v) / np.linalg.norm(to))) for id, v in rows if id != without]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))


def test_the_nearest_are_those_of_the_greatest_cosine(kept: ViewsAdapter) -> None:
    """Given 150 embeddings in two projects, then the nearest ten are numpy's, over all and within one project."""
    events = [_embedding(number, project=A if number % 3 else B) for number in range(150)]
    kept.given(events)
    for number in (0, 1, 77):
        own, id = unpack_floats(payloads.vector(number)), ids.derived("asset", number)
        for project in (None, A, B):
            among = [event for event in events if project in (None, event.project)]
            wanted = _nearest(among, own, without=id)[:10]
            hits = kept.views.vectors.similar(id, first=10, project=project)
            assert [hit.id for hit in hits] == [asset for asset, _ in wanted]
            assert [hit.score for hit in hits] == pytest.approx([cosine for _, cosine in wanted], abs=1e-5)
    query = unpack_floats(payloads.vector(999))
    hits = kept.views.vectors.nearest(query.tobytes(), space="s", first=5)
    assert [hit.id for hit in hits] == [asset for asset, _ in _nearest(events, query)[:5]]


def test_only_vectors_of_one_space_are_compared(kept: ViewsAdapter) -> None:
    """Given the same vector in two spaces, then neither finds the other."""
    kept.given([_embedding(1, seed=5), _embedding(2, seed=5, space="other"), _embedding(3, seed=6)])
    assert [hit.id for hit in kept.views.vectors.similar(ids.derived("asset", 1))] == [ids.derived("asset", 3)]


def test_the_newest_embedding_counts(kept: ViewsAdapter) -> None:
    """Given an asset embedded anew, then it is near to what the new vector is near to."""
    kept.given([_embedding(1, seed=1), _embedding(2, seed=1), _embedding(3, seed=3), _embedding(2, seed=3)])
    assert [hit.id for hit in kept.views.vectors.similar(ids.derived("asset", 3), first=1)] == [ids.derived("asset", 2)]
    assert len(kept.views.vectors.similar(ids.derived("asset", 3), first=10)) == 2


def test_what_is_archived_is_left_out_unless_asked_for_and_no_other_is(kept: ViewsAdapter) -> None:
    """Given embeddings of which half are archived, some before they had one, then the others are found, nearest first.

    With archived ones asked for, all are; restored, found again; as of a moment, what was archived then is not.
    """
    events = [_embedding(number, project=A if number % 3 else B) for number in range(60)]
    away = [event.data.subject for event in events[1::2]]
    marks = [proposed(ResourceArchived(resource_id=id), time_us=BEGINNING_US + 10) for id in away]
    kept.given([*marks[:10], *events, *marks[10:]])
    own, id = unpack_floats(payloads.vector(0)), ids.derived("asset", 0)
    vectors = kept.views.vectors

    def nearest(without: list[str], project: str | None) -> list[str]:
        among = [e for e in events if project in (None, e.project) and e.data.subject not in without]
        return [asset for asset, _ in _nearest(among, own, without=id)]

    for project in (None, A, B):
        for first in (1, 5, 29, 59):
            left = [hit.id for hit in vectors.similar(id, first=first, project=project)]
            assert left == nearest(away, project)[:first]
            every = [hit.id for hit in vectors.similar(id, first=first, project=project, archived=True)]
            assert every == nearest([], project)[:first]
    query = own.tobytes()
    assert [hit.id for hit in vectors.nearest(query, space="s", first=3)] == [id, *nearest(away, None)[:2]]
    assert [hit.id for hit in vectors.similar(away[0], first=1)] != [], "what is archived can still be asked about"
    before = AsOf(kept.given([proposed(ResourceRestored(resource_id=id)) for id in away[:20]])[0] - 1)
    assert [hit.id for hit in vectors.similar(id, first=59)] == nearest(away[20:], None)
    assert [hit.id for hit in vectors.similar(id, first=59, as_of=before)] == nearest(away, None)
    kept.rebuild()
    assert [hit.id for hit in vectors.similar(id, first=59)] == nearest(away[20:], None)
    assert [hit.id for hit in vectors.similar(id, first=59, as_of=before)] == nearest(away, None)


def test_a_great_many_archived_hide_nothing(kept: ViewsAdapter) -> None:
    """Given more archived embeddings, all nearer, than can be asked for at once, then what is behind them is found."""
    near = [_embedding(number, seed=1) for number in range(4200)]
    kept.given([*near, *(_embedding(number, seed=number) for number in (5000, 5001))])
    kept.given(proposed(ResourceArchived(resource_id=event.data.subject)) for event in near[1:])
    hits = kept.views.vectors.similar(ids.derived("asset", 0), first=5)
    assert {hit.id for hit in hits} == {ids.derived("asset", number) for number in (5000, 5001)}


def test_what_has_no_embedding_is_not_found(kept: ViewsAdapter) -> None:
    """Given an asset without an embedding, then NotFound."""
    kept.given([_embedding(1)])
    with pytest.raises(NotFound):
        kept.views.vectors.similar(ids.derived("asset", 9))


def test_an_embedding_of_another_length_stops_no_view(kept: ViewsAdapter) -> None:
    """Given a vector of a new space with another number of dimensions, then what comes behind it is folded."""
    odd = EmbeddingComputed(asset_id=ids.derived("odd"), space="new", dimensions=3, vector=payloads.vector(1, 3))
    kept.given([_embedding(1), proposed(odd, project=A), _embedding(2, seed=1)])
    assert [hit.id for hit in kept.views.vectors.similar(ids.derived("asset", 1))] == [ids.derived("asset", 2)]


def test_an_embedding_that_points_nowhere_stops_no_view_and_is_near_to_nothing(kept: ViewsAdapter) -> None:
    """Given a vector of zeros, or of what float32 cannot measure, then the others are found, and it by none of them."""
    nowhere = [np.full(128, value, dtype="<f4").tobytes() for value in (0.0, np.nan, np.inf, 1e-30, 3e38)]
    odd = [
        EmbeddingComputed(
            asset_id=ids.derived("odd", number), space="s", dimensions=128, vector=base64.b64encode(raw).decode()
        )
        for number, raw in enumerate(nowhere)
    ]
    kept.given([_embedding(1), *(proposed(each, project=A) for each in odd), _embedding(2)])
    assert [hit.id for hit in kept.views.vectors.similar(ids.derived("asset", 1))] == [ids.derived("asset", 2)]
    for each in odd:
        with pytest.raises(NotFound):
            kept.views.vectors.similar(each.asset_id)
    for query in (*nowhere, b"", bytes(4 * 3)):
        with pytest.raises(Malformed):
            kept.views.vectors.nearest(query, space="s")


def _loudness(number: int, random: Random) -> Proposed:
    found = payloads.findings(ids.derived("asset", number))["loudness"]
    data = LoudnessMeasured(**{**found.model_dump(), "integrated_lufs": random.uniform(-40, 0)})
    project = random.choice((A, B))
    return proposed(data, project=project, time_us=BEGINNING_US + random.randrange(1000))


@pytest.fixture(scope="module", params=sorted(VIEWS))
def measured(  # a pair
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ViewsAdapter, list[Proposed]]]:
    """Views over eighty measurements of two projects; only to be read."""
    kept, random = VIEWS[request.param](tmp_path_factory.mktemp("series")), Random(2)
    events = [_loudness(number, random) for number in range(80)]
    kept.given(events)
    yield kept, events
    kept.close()


@given(
    project=st.sampled_from([None, A, B, ids.derived("nobody")]),
    from_us=st.integers(0, 1100),
    length_us=st.one_of(st.none(), st.integers(0, 1100)),
    bucket_us=st.sampled_from([0, 1, 7, 100, 5000]),
    first=st.integers(1, 90),
)
def test_points_and_buckets_are_those_of_the_measurements(
    measured: tuple[ViewsAdapter, list[Proposed]],
    project: str | None,
    from_us: int,
    length_us: int | None,
    bucket_us: int,
    first: int,
) -> None:
    """Given any window and bucket, then counts, means and extremes are what arithmetic over the events gives."""
    kept, events = measured
    start = BEGINNING_US + from_us
    end = None if length_us is None else start + length_us
    within = [
        (event.time_us, event.data.integrated_lufs)  # type: ignore[attr-defined]  # loudness only
        for event in events
        if project in (None, event.project) and start <= event.time_us and (end is None or event.time_us < end)
    ]
    buckets: dict[int, list[float]] = {}
    for number, (time_us, value) in enumerate(sorted(within)):
        key = time_us // bucket_us * bucket_us if bucket_us else number
        buckets.setdefault(key, []).append(value)
    points = kept.views.series.points(
        "loudness_lufs", project=project, from_us=start, to_us=end, bucket_us=bucket_us, first=first
    )
    assert len(points) == min(first, len(buckets))
    if bucket_us:
        assert [point.time_us for point in points] == sorted(buckets)[:first]
        for point in points:
            values = buckets[point.time_us]
            assert point.count == len(values)
            assert (point.mean, point.minimum, point.maximum) == pytest.approx(
                (sum(values) / len(values), min(values), max(values))
            )
    else:
        assert [point.time_us for point in points] == sorted(time_us for time_us, _ in within)[:first]
        assert first < len(within) or sorted(point.mean for point in points) == pytest.approx(
            sorted(value for _, value in within)
        )


def test_series_are_named_by_project_and_unknown_ones_are_empty(
    measured: tuple[ViewsAdapter, list[Proposed]],
) -> None:
    """Given loudness only, then that is the series there is, and none elsewhere."""
    series = measured[0].views.series
    assert series.names() == series.names(A) == ["loudness_lufs"]
    assert series.names(ids.derived("nobody")) == []
    assert series.points("tempo_bpm") == []
