"""Documents and records: every adapter filters, pages and finds as a loop over all documents would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import ids
from domain.errors import NotFound
from domain.views import Document, Filter, Kind, Views
from events.processing import RetryRequested
from events.resources import ResourceArchived, ResourceDescribed, ResourceRenamed, ResourceTagged
from tests import payloads
from tests.builders import History, interleaved, proposed
from tests.contracts.view_adapters import VIEWS, ViewsAdapter


@dataclass(repr=False)
class Shelf:
    """Views over two projects' histories, and all documents in the order they came."""

    views: Views
    documents: list[Document]


@pytest.fixture(scope="module", params=sorted(VIEWS))
def shelf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Views over two projects; only to be read."""
    kept, random = VIEWS[request.param](tmp_path_factory.mktemp("shelf")), Random(11)
    events = interleaved([History(random, name).grow(120) for name in ("a", "b")], random)
    kept.given(events)
    order = dict.fromkeys(event.data.subject for event in events)
    documents = kept.views.documents.many(list(order))
    yield Shelf(kept.views, [documents[id] for id in order if id in documents])
    kept.close()


def _fits(filter: Filter, document: Document) -> bool:
    tempo = document["analyses"].get("beats", {}).get("tempo_bpm")
    key = document["analyses"].get("key", {})
    return (
        (filter.archived or not document["archived"])
        and (not filter.kinds or document["kind"] in filter.kinds)
        and (not filter.variants or document["variant"] in filter.variants)
        and filter.project in (None, document["project"])
        and filter.container in (None, document["container"])
        and (filter.tag is None or filter.tag in document["tags"])
        and filter.name in (None, document["name"])
        and (filter.name_contains is None or filter.name_contains.lower() in document["name"].lower())
        and (filter.key is None or filter.key == f"{key.get('tonic')} {key.get('mode')}")
        and (filter.tempo_from_bpm is None or (tempo is not None and tempo >= filter.tempo_from_bpm))
        and (filter.tempo_to_bpm is None or (tempo is not None and tempo <= filter.tempo_to_bpm))
    )


def _maybe(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.sampled_from(values))


FILTERS: dict[str, st.SearchStrategy[Any]] = {
    "kinds": st.lists(st.sampled_from(Kind), max_size=2).map(tuple),
    "variants": st.sampled_from([(), (), ("audio",), ("audio", "midi")]),
    "project": _maybe([ids.project_id("a"), ids.project_id("b"), ids.derived("nobody")]),
    "container": _maybe([ids.project_id("a")]),
    "tag": _maybe(["live", "rough", "final", "unused"]),
    "name": _maybe(["a", "A", "name 40", "nobody"]),
    "name_contains": _maybe(["NAME 1", "track", "%", "_", "'"]),
    "key": _maybe(["A minor", "C major"]),
    "tempo_from_bpm": _maybe([120.0, 120.5]),
    "tempo_to_bpm": _maybe([120.5, 90.0]),
    "archived": st.booleans(),
}


@given(chosen=st.fixed_dictionaries({}, optional=FILTERS), first=st.integers(1, 20))
def test_a_filter_gives_the_documents_that_fit_in_the_order_they_came(
    shelf: Shelf, chosen: dict[str, Any], first: int
) -> None:
    """Given any filter and page size, then the pages together are the fitting documents, and the count theirs."""
    filter = Filter(**chosen)
    wanted = [document["id"] for document in shelf.documents if _fits(filter, document)]
    found: list[str] = []
    after, more = 0, True
    while more:
        page, more = shelf.views.documents.page(filter, first=first, after=after)
        assert len(page) <= first
        found += [document["id"] for _, document in page]
        after = page[-1][0] if page else after
        assert page or not more
    assert found == wanted
    assert shelf.views.documents.count(filter) == len(wanted)


def test_ids_are_found_by_how_they_begin(shelf: Shelf) -> None:
    """Given the beginning of an id, dashes or not, then the ids that begin with it, ten at most; hostile text none."""
    all_ids = sorted(document["id"] for document in shelf.documents)
    for prefix in ("", "0", "a", all_ids[3][:4], all_ids[3][:11], all_ids[3], all_ids[3].upper(), "zz", "%", "0' OR 1"):
        bare = prefix.replace("-", "").lower()
        wanted = [id for id in all_ids if prefix and id.replace("-", "").startswith(bare)]
        assert shelf.views.documents.find(prefix) == wanted[:10]


def test_search_holds_to_all_words_in_names_tags_and_metadata(kept: ViewsAdapter) -> None:
    """Given words in a name, tags and metadata, then any of them, or all, find it, whatever case or accents."""
    song = payloads.audio("Nocturne")
    amended = [
        ResourceRenamed(resource_id=song.asset_id, name="Prélude à l'après-midi"),
        ResourceTagged(resource_id=song.asset_id, added=("slow-movement",)),
        ResourceDescribed(resource_id=song.asset_id, changes={"Mood": "dreamy", "gone": None}),
    ]
    for event in (song, *amended, payloads.audio("Etude")):
        kept.given([proposed(event)])
    found = [song.asset_id]
    for text in ("prelude", "PRÉLUDE", "apres midi", "slow", "dreamy", "mood", "prelude dream", "a l apres"):
        assert [hit.id for hit in kept.views.documents.search(text)] == found, text
    for text in ("nocturnes", "prelude etude", "zzz", "", "   ", '"', "* OR *", "name:", "NEAR(", "-", "'; --"):
        assert song.asset_id not in [hit.id for hit in kept.views.documents.search(text)], text


@given(text=st.text(max_size=30))
def test_no_text_is_too_odd_to_search_for(shelf: Shelf, text: str) -> None:
    """Given any text, then a search answers, with no more than was asked for."""
    assert len(shelf.views.documents.search(text, first=3)) <= 3


def test_what_is_archived_or_renamed_is_found_no_more_by_what_it_was(kept: ViewsAdapter) -> None:
    """Given an asset renamed, then its old name finds nothing; archived, then its new name neither."""
    song = payloads.audio("sonata")
    kept.given([proposed(song)])
    assert [hit.id for hit in kept.views.documents.search("name")] == [song.asset_id]
    kept.given([proposed(ResourceRenamed(resource_id=song.asset_id, name="Partita"))])
    assert kept.views.documents.search("name") == []
    assert [hit.id for hit in kept.views.documents.search("partita")] == [song.asset_id]
    kept.given([proposed(ResourceArchived(resource_id=song.asset_id))])
    assert kept.views.documents.search("partita") == []


def test_unknown_documents_and_records_are_not_found(kept: ViewsAdapter) -> None:
    """Given nothing, then NotFound."""
    for ask in (kept.views.documents.get, kept.views.jobs.get, kept.views.dead_letters.get):
        with pytest.raises(NotFound):
            ask(ids.derived("unknown"))
    assert kept.views.documents.many([ids.derived("unknown")]) == {}


def test_the_cursor_of_a_dead_letter_holds_after_a_rebuild(kept: ViewsAdapter) -> None:
    """Given dead letters of which the first was retried, when the view is made anew, then a page goes on as before."""
    asset = payloads.audio().asset_id
    failures = [proposed(payloads.failed(asset, ids.derived("cause", number))) for number in range(4)]
    for failure in failures:
        kept.given([failure])
    causes = [failure.data.cause_id for failure in failures]  # type: ignore[attr-defined]  # failures
    again = RetryRequested(cause_id=causes[0], resource_id=asset, failure_id=failures[0].id, processor="track_beats")
    kept.given([proposed(again)])
    before, _ = kept.views.dead_letters.page(first=1)
    kept.rebuild()
    rest, _ = kept.views.dead_letters.page(after=before[-1][0])
    assert [letter["cause_id"] for _, letter in (*before, *rest)] == causes[1:]


def test_a_dead_letter_is_there_until_it_is_retried(kept: ViewsAdapter) -> None:
    """Given failures in two projects, then pages and the project's own show them; one asked to retry is gone."""
    other = ids.project_id("other")
    causes = [ids.derived("cause", number) for number in range(5)]
    asset = payloads.audio().asset_id
    failures = [
        proposed(payloads.failed(asset, cause), project=other if number % 2 else payloads.PROJECT)
        for number, cause in enumerate(causes)
    ]
    kept.given(failures)
    first, more = kept.views.dead_letters.page(first=3)
    rest, end = kept.views.dead_letters.page(first=3, after=first[-1][0])
    assert [letter["cause_id"] for _, letter in (*first, *rest)] == causes
    assert (more, end) == (True, False)
    assert kept.views.dead_letters.count() == 5
    mine, _ = kept.views.dead_letters.page(project=other)
    assert [letter["cause_id"] for _, letter in mine] == causes[1::2]
    assert kept.views.dead_letters.get(failures[0].id)["message"] == "ValueError: no"
    kept.given(
        [
            proposed(
                RetryRequested(
                    cause_id=causes[0], resource_id=asset, failure_id=failures[0].id, processor="track_beats"
                )
            )
        ]
    )
    assert [letter["cause_id"] for _, letter in kept.views.dead_letters.page()[0]] == causes[1:]
    assert kept.views.dead_letters.count() == 4
