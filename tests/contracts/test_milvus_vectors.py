"""Vectors in Milvus and PostgreSQL: what two stores, late writers and coarse indexes could get wrong."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from domain import ids
from domain.errors import Malformed, Unavailable
from domain.ids import ProjectId
from domain.values import pack_floats
from domain.views import At, Hit
from events.analyses import EmbeddingComputed
from infra.embedded.comparing import digest
from infra.server.generations import schema_of
from infra.server.milvus import Milvus
from infra.server.vectors import FIELDS, MilvusVectorRows, VectorStore
from projections import similarity
from tests import payloads
from tests.builders import proposed
from tests.contracts.server_views import FoldedViews
from tests.servers import servers

A = ids.project_id("a")
SPACE = "timbre"
COUNT, PROJECTS = 40_000, 400


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[FoldedViews]:
    """The views on their servers, over an empty log."""
    with closing(FoldedViews(tmp_path)) as made:
        yield made


class Corner:
    """The rows of one generation, written by hand."""

    def __init__(self, kept: FoldedViews) -> None:
        self.kept = kept
        self.store = VectorStore(kept.milvus, kept.prefix)
        self.generation = kept.known.live(similarity.NAME)
        self.collection = schema_of(kept.prefix, similarity.NAME, self.generation)

    def write(self, rows: list[tuple[str, str, np.ndarray, int]], *, fresh: bool = False, fails: bool = False) -> None:
        """Write (asset, project, vector, position) as one page, whose transaction fails or not."""
        try:
            with self.kept.postgres.transaction() as connection:
                page: MilvusVectorRows = self.store.rows(connection, self.generation, fresh=fresh)
                for id, project, vector, position in rows:
                    at = At(position, position * 1_000)
                    page.vector(id, project=project, space=SPACE, packed=pack_floats(vector), at=at)
                page.flush()
                if fails:
                    raise ConnectionResetError("the worker is gone")
        except ConnectionResetError:
            assert fails

    def digest(self) -> str:
        """Of all rows."""
        with self.kept.postgres.transaction() as connection:
            return digest(self.store.content(connection, self.generation))

    def held(self) -> int:
        """How many rows Milvus has."""
        with self.kept.milvus._asked() as client:
            told = client.query(self.collection, "", output_fields=["count(*)"], consistency_level="Strong")
            return int(told[0]["count(*)"])

    def similar(self, id: str, **how: object) -> list[Hit]:
        """See `Vectors.similar`."""
        return self.kept.views.vectors.similar(id, **how)  # type: ignore[arg-type]  # passed on


@pytest.fixture
def corner(kept: FoldedViews) -> Corner:
    """The live generation."""
    return Corner(kept)


def _page(positions: range, *, seed: int = 0) -> list[tuple[str, str, np.ndarray, int]]:
    """Embeddings of as many assets, the asset of a number always the same."""
    vectors = np.random.default_rng(seed).standard_normal((len(positions), 128)).astype("<f4")
    return [
        (ids.derived("asset", at % 40), A, vector, position)
        for at, (vector, position) in enumerate(zip(vectors, positions, strict=True))
    ]


def test_a_writer_who_is_late_changes_nothing(corner: Corner) -> None:
    """Given embeddings that others took the place of, when an old page is written anew, then all is as it was."""
    old, new = _page(range(1, 61)), _page(range(61, 101), seed=1)
    corner.write(old)
    corner.write(new)
    before, hits = corner.digest(), corner.similar(new[0][0], first=39)
    corner.write(old, fails=True)
    corner.write(old)
    assert (corner.digest(), corner.held(), corner.similar(new[0][0], first=39)) == (before, 100, hits)


def test_what_was_not_committed_is_not_found_and_is_there_once_when_done_again(corner: Corner) -> None:
    """Given a page whose worker died before its checkpoint, then it is not found; done again it is, once."""
    corner.write(_page(range(1, 11)))
    lost = _page(range(11, 31))
    corner.write(lost, fails=True)
    assert {hit.id for hit in corner.similar(lost[0][0], first=50)} == {ids.derived("asset", n) for n in range(1, 10)}
    corner.write(lost)
    assert corner.held() == 30
    assert len(corner.similar(lost[0][0], first=50)) == 19


def test_a_build_that_was_stopped_in_its_first_page_ends_as_one_that_was_not(corner: Corner) -> None:
    """Given a build that died in its first page, when begun anew, then its rows are those of pages folded live."""
    pages = [_page(range(1, 31)), _page(range(31, 71), seed=2), _page(range(71, 81), seed=3)]
    for page in pages:
        corner.write(page)
    live = corner.digest()
    corner.generation = 7
    corner.collection = schema_of(corner.kept.prefix, similarity.NAME, 7)
    with corner.kept.postgres.transaction() as connection:
        corner.store.create(connection, 7)
    corner.write(pages[0], fresh=True, fails=True)
    for page in pages[:2]:
        corner.write(page, fresh=True)
    corner.write(pages[2])
    with corner.kept.postgres.transaction() as connection:
        corner.store.finish(connection, 7)
    assert (corner.digest(), corner.held()) == (live, 80)


def test_no_filter_loses_a_hit_whether_vectors_are_packed_or_still_growing(corner: Corner) -> None:
    """Given clustered vectors of many projects, then the ten nearest of each project are those of brute force."""
    chance = np.random.default_rng(4)
    centres = chance.standard_normal((60, 128))
    vectors = (centres[chance.integers(0, 60, COUNT)] + 0.7 * chance.standard_normal((COUNT, 128))).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    projects = [ids.project_id(f"p{number}") for number in range(PROJECTS)]
    rows = [
        (ids.derived("asset", number), projects[number % PROJECTS], vectors[number], number + 1)
        for number in range(COUNT)
    ]
    for start in range(0, COUNT, 4_000):
        corner.write(rows[start : start + 4_000], fresh=True)
    asked = [int(number) for number in chance.integers(0, COUNT, 25)]
    for packed in (False, True):
        if packed:
            corner.kept.milvus.seal(corner.collection)
        for number in asked:
            assert _found(corner, rows[number][0], projects[number % PROJECTS]) == _nearest(vectors, number, PROJECTS)
            assert _found(corner, rows[number][0], None) == _nearest(vectors, number, 1)


def _found(corner: Corner, id: str, project: ProjectId | None) -> list[float]:
    return [round(hit.score, 4) for hit in corner.similar(id, first=10, project=project)]


def _nearest(vectors: np.ndarray, number: int, every: int) -> list[float]:
    """The ten greatest cosines among each so many-th vector, by brute force; unit vectors."""
    scores = np.asarray(vectors[number % every :: every] @ vectors[number])
    scores[number // every] = -9.0
    return [round(float(score), 4) for score in sorted(scores, reverse=True)[:10]]


def test_a_read_after_a_fold_sees_what_was_folded(corner: Corner) -> None:
    """Given page after page, then each can be asked about at once."""
    for position in range(1, 31):
        corner.write(_page(range(position, position + 1), seed=position))
        newest = ids.derived("asset", position)
        corner.write([(newest, A, np.eye(128, dtype="<f4")[position], 1000 + position)])
        assert len(corner.similar(newest)) == min(10, position)


def test_what_milvus_lost_is_told_named_and_brought_back_by_a_rebuild(kept: FoldedViews) -> None:
    """Given a collection without its rows, or none, then reads say so, a comparison names them, a rebuild mends it."""
    events = [
        proposed(EmbeddingComputed(asset_id=ids.derived("a", n), space="s", dimensions=128, vector=payloads.vector(n)))
        for n in range(30)
    ]
    kept.given(events)
    before = kept.views.digests()
    collection = schema_of(kept.prefix, similarity.NAME, kept.known.live(similarity.NAME))
    kept.milvus.drop(collection)
    with pytest.raises(Unavailable, match="replay"):
        kept.views.vectors.similar(ids.derived("a", 0))
    kept.milvus.create(collection, FIELDS, 128)
    with pytest.raises(Unavailable, match="replay"):
        kept.views.vectors.similar(ids.derived("a", 0))
    told = [each for each in kept.views.differences() if each.view == similarity.NAME]
    assert len(told) == 30
    kept.rebuild()
    assert kept.views.digests() == before
    assert len(kept.views.vectors.similar(ids.derived("a", 0), first=50)) == 29


def test_the_name_of_the_view_leads_to_its_newest_generation_and_the_old_one_goes(kept: FoldedViews) -> None:
    """Given a rebuild, then Milvus knows the new collection by the view's name, and a sweep drops the old."""
    events = [
        proposed(EmbeddingComputed(asset_id=ids.derived("a", n), space="s", dimensions=128, vector=payloads.vector(n)))
        for n in range(3)
    ]
    kept.given(events)
    kept.rebuild()
    alias, second = f"{kept.prefix}_{similarity.NAME}", schema_of(kept.prefix, similarity.NAME, 2)
    now = time.time_ns() // 1_000_000 << 18  # as Milvus tells the time: what was written until now must be seen
    assert len(kept.milvus.vectors(alias, [1, 2, 3], since=now)) == 3
    store = VectorStore(kept.milvus, kept.prefix)
    for _ in range(2):
        with kept.postgres.transaction() as connection:
            store.drop(connection, 1)
    assert kept.milvus.collections(kept.prefix) == [second]
    assert len(kept.views.vectors.similar(ids.derived("a", 0))) == 2


def test_a_collection_that_was_half_made_is_finished(kept: FoldedViews) -> None:
    """Given a process that died between making a collection and its index, when made again, then it can be asked."""
    name = f"{kept.prefix}_half"
    with kept.milvus._asked() as client:
        from pymilvus import DataType

        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=128)
        client.create_collection(name, schema=schema)
    for _ in range(2):
        kept.milvus.create(name, (), 128)
    query = np.ones(128, dtype="<f4")
    written = kept.milvus.write(name, {"id": [7]}, [query.tobytes()], fresh=True)
    assert kept.milvus.near(name, query, limit=5, where="", since=written) == [(7, pytest.approx(1.0))]


def test_a_new_generation_has_no_rows_of_another_life(corner: Corner) -> None:
    """Given a collection that a former installation left, when it is made, then it is empty; made again, it stays."""
    milvus = corner.kept.milvus
    corner.generation = 9
    corner.collection = schema_of(corner.kept.prefix, similarity.NAME, 9)
    milvus.create(corner.collection, FIELDS, 128)
    foreign = {"id": [1], "project": [A], "space": [5], "time_us": [5]}
    milvus.write(corner.collection, foreign, [np.ones(128, dtype="<f4").tobytes()], fresh=True)
    for rows in (0, 10):
        with corner.kept.postgres.transaction() as connection:
            corner.store.create(connection, 9)
        assert corner.held() == rows
        corner.write(_page(range(1, 11)))


def test_spaces_of_any_name_are_kept_apart(kept: FoldedViews) -> None:
    """Given names with quotes, NUL, no letters and ten thousand, then each space finds its own alone."""
    spaces = ['a"b', "a' or 1 == 1", "", "x" * 10_000, "NUL \0", "🎵"]
    kept.given(
        proposed(
            EmbeddingComputed(
                asset_id=ids.derived(space, n), space=space, dimensions=128, vector=payloads.vector(n, 128)
            )
        )
        for space in spaces
        for n in range(2)
    )
    for space in spaces:
        assert [hit.id for hit in kept.views.vectors.similar(ids.derived(space, 0))] == [ids.derived(space, 1)]
    assert [each for each in kept.views.differences() if each.view == similarity.NAME] == []


def test_a_milvus_that_is_away_is_unavailable_and_its_password_is_never_told() -> None:
    """Given nothing behind an address, or an address that is none, then a clear error without the password."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    milvus = Milvus(f"http://root:hush@127.0.0.1:{port}")
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}.*see that it runs") as raised:
        milvus.collections("")
    assert raised.value.retryable
    assert "hush" not in str(raised.value)
    for bad in ("", "milvus", "http://", "tcp://root:hush@h:1", "http://root:hush@h:port"):
        with pytest.raises(Malformed) as refused:
            Milvus(bad)
        assert "hush" not in str(refused.value)


def test_the_driver_is_not_imported_until_it_is_needed() -> None:
    """Given a process that only knows of the store, then it has not paid for importing Milvus's driver."""
    code = f"""
import sys
from infra.server.vectors import MilvusVectors, VectorStore
from infra.server.milvus import Milvus
VectorStore(Milvus({servers().milvus!r}), "p")
assert not [name for name in sys.modules if name.split(".")[0] in ("pymilvus", "grpc", "pandas")], "imported"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
