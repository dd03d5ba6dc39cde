"""The past: as of any moment, every adapter answers what views would have answered that had seen no more by then."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack, closing
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import ids
from domain.errors import LimitExceeded, NotFound
from domain.impact import impacts
from domain.values import unpack_bytes
from domain.views import NOW, AsOf, Direction, Filter, Hit, Kind, Views
from events.analyses import Analysis, EmbeddingComputed
from events.base import Event
from events.envelope import Proposed, processor_source
from events.harmony import KeyEstimated
from events.resources import ResourceArchived, ResourceDescribed, ResourceRenamed, ResourceTagged
from events.rhythm import BeatsTracked
from projections.catalogue import MOST_FORMER
from tests import payloads
from tests.builders import BEGINNING_US, History, interleaved, library, proposed
from tests.contracts.view_adapters import VIEWS, ViewsAdapter

SEEDS = st.integers(0, 10_000)
WORDS = ("red", "blue", "moon", "Élan", "moon_light", "blue moon")
TEXTS = (
    "red",
    "BLUE",
    "mo",
    "elan",
    "moon_light",
    "blue_moon",
    "moon red",
    "red mood",
    "a minor",
    "wav",
    "live",
    "f_li",
)
TAGS = ("live", "rough", "moon", "f")
A, B = ids.project_id("a"), ids.project_id("b")
EVENTS = {"embedded": 22}
EXAMPLES = {"embedded": 5}
FEWER = 8  # where every question goes over a wire


class Restless(History):
    """A history in which few things change often: found again otherwise, renamed, tagged, described, put away."""

    def _import(self) -> None:
        if len(self.assets) < 3:
            super()._import()
        else:
            self._amend()

    def _analyse(self) -> None:
        if not self.assets:
            return
        asset, random = self.random.choice(self.assets), self.random
        found: tuple[Analysis, ...] = (
            KeyEstimated(asset_id=asset, tonic=random.choice(("A", "B", None)), mode="minor", confidence=0.5),
            BeatsTracked(asset_id=asset, tempo_bpm=random.choice((90.0, 120.0)), confidence=0.5, beats_s=()),
            *[
                EmbeddingComputed(
                    asset_id=asset, space="s", dimensions=128, vector=payloads.vector(random.randrange(9))
                )
                for _ in range(2)
            ],
            payloads.findings(asset, len(self.events))["loudness"],
        )
        self._add(random.choice(found), processor_source("find", "1"))

    def _amend(self) -> None:
        random, id = self.random, self.random.choice([self.project, *self.containers, *self.assets])
        if random.random() < 0.5:
            super()._amend()
            return
        word = random.choice(WORDS)
        choices: tuple[Event, ...] = (
            ResourceRenamed(resource_id=id, name=word),
            ResourceTagged(resource_id=id, added=(random.choice(TAGS),), removed=tuple(random.sample(TAGS, 2))),
            ResourceDescribed(resource_id=id, changes={"mood": random.choice((word, None)), "tag:artist": word}),
        )
        self._add(random.choice(choices))


def _log(seed: int, count: int, names: tuple[str, ...] = ("a", "b")) -> list[Proposed]:
    random = Random(seed)
    return interleaved([[library()], *(Restless(random, name).grow(count) for name in names)], random)


def _filter(random: Random) -> Filter:
    """A filter, most often of little."""
    some: dict[str, Callable[[], Any]] = {
        "kinds": lambda: (random.choice(list(Kind)),),
        "variants": lambda: ("audio",),
        "project": lambda: random.choice((A, B)),
        "container": lambda: random.choice((A, B)),
        "tag": lambda: random.choice(TAGS),
        "name_contains": lambda: random.choice(("name", "MOON", "track", "é")),
        "key": lambda: "A minor",
        "tempo_from_bpm": lambda: 100.0,
        "tempo_to_bpm": lambda: 100.0,
        "archived": lambda: True,
    }
    return Filter(**{name: some[name]() for name in random.sample(sorted(some), random.choice((0, 0, 1, 1, 2)))})


def _pages(views: Views, filter: Filter, as_of: AsOf, first: int) -> list[Any]:
    found: list[Any] = []
    after, more = 0, True
    while more:
        page, more = views.documents.page(filter, first=first, after=after, as_of=as_of)
        found += [document for _, document in page]
        after = page[-1][0] if page else after
        assert len(page) == first or not more
    return found


def _rounded(hits: list[Hit]) -> list[tuple[str, float]]:
    return sorted((hit.id, round(hit.score, 4)) for hit in hits)


def _similar(views: Views, id: str, project: str | None, as_of: AsOf) -> Any:
    everything = [{"first": 50, "project": project, "archived": archived} for archived in (False, True)]
    try:
        return [_rounded(views.vectors.similar(id, **how, as_of=as_of)) for how in everything]
    except NotFound:
        return None


def _answers(views: Views, log: list[Proposed], as_of: AsOf, random: Random) -> dict[str, Any]:
    """What the views say of a moment to questions that the random generator makes up."""
    subjects = sorted({event.data.subject for event in log} | {event.id for event in log})
    filters = [_filter(random) for _ in range(6)]
    project, vector = random.choice((None, A, B)), unpack_bytes(payloads.vector(random.randrange(9)))
    documents = views.documents.many(subjects, as_of)
    root = random.choice(sorted(documents) or [A])
    window: dict[str, Any] = {"from_us": BEGINNING_US, "bucket_us": random.choice((0, 10_000_000)), "project": project}
    walk = views.graph.lineage(root, Direction.DOWN, first=1000, as_of=as_of) if documents else None
    return {
        "documents": documents,
        "pages": [_pages(views, filter, as_of, random.randint(1, 9)) for filter in filters],
        "counts": [views.documents.count(filter, as_of) for filter in filters],
        "found": {text: {hit.id for hit in views.documents.search(text, as_of=as_of)} for text in TEXTS},
        "found within": {hit.id for hit in views.documents.search("na", project=project, as_of=as_of)},
        "similar": {id: _similar(views, id, project, as_of) for id in documents},
        "nearest": _rounded(views.vectors.nearest(vector, space="s", first=50, project=project, as_of=as_of)),
        "names": views.series.names(project, as_of),
        "points": {name: views.series.points(name, **window, as_of=as_of) for name in ("tempo_bpm", "loudness_lufs")},
        "impact": impacts(walk, root) if walk else [],
    }


@pytest.mark.parametrize("adapter", sorted(VIEWS))
def test_as_of_any_position_all_answers_are_those_of_views_that_saw_no_more(
    tmp_path_factory: pytest.TempPathFactory, adapter: str
) -> None:
    """Given a history, then as of every position, documents, filters, search, likeness, series and impact are so."""

    @settings(max_examples=EXAMPLES.get(adapter, 2))
    @given(seed=SEEDS)
    def holds(seed: int) -> None:
        log = _log(seed, EVENTS.get(adapter, FEWER))
        with ExitStack() as stack:
            whole, growing = (
                stack.enter_context(closing(VIEWS[adapter](tmp_path_factory.mktemp(name))))
                for name in ("whole", "growing")
            )
            whole.given(log)
            for position, event in enumerate(log, 1):
                growing.given([event])
                then = _answers(whole.views, log, AsOf(position), Random(seed + position))
                now = _answers(growing.views, log, NOW, Random(seed + position))
                for question, answer in now.items():
                    assert then[question] == answer, f"{question} at {position}"

    holds()


@pytest.mark.parametrize("adapter", sorted(VIEWS))
@settings(max_examples=2)
@given(seed=SEEDS)
def test_as_of_a_time_all_answers_are_those_as_of_the_last_event_until_then(
    tmp_path_factory: pytest.TempPathFactory, adapter: str, seed: int
) -> None:
    """Given one project, whose times rise, then asking for a time is asking for the position of the event before."""
    log = list(Restless(Random(seed), "a").grow(EVENTS.get(adapter, FEWER)))
    with closing(VIEWS[adapter](tmp_path_factory.mktemp("times"))) as whole:
        whole.given(log)
        for position, event in enumerate(log, 1):
            by_time = _answers(whole.views, log, AsOf(time_us=event.time_us + 1000), Random(position))
            assert _bare(by_time) == _bare(_answers(whole.views, log, AsOf(position), Random(position)))


def _bare(answers: dict[str, Any]) -> dict[str, Any]:
    """Without the place of the last event about a document, which may be one that changed nothing."""
    documents = {id: {**document, "position": 0} for id, document in answers["documents"].items()}
    pages = [[{**document, "position": 0} for document in page] for page in answers["pages"]]
    return {**answers, "documents": documents, "pages": pages}


def test_of_a_past_before_everything_nothing_is_told(kept: ViewsAdapter) -> None:
    """Given a moment before the first event, then there are no documents, hits, likenesses or measurements."""
    song = payloads.audio("song")
    kept.given([proposed(event) for event in (song, *payloads.findings(song.asset_id).values())])
    for before in (AsOf(0), AsOf(time_us=BEGINNING_US - 1)):
        assert kept.views.documents.page(Filter(archived=True), as_of=before) == ([], False)
        assert kept.views.documents.count(Filter(), before) == 0
        assert kept.views.documents.search("song", as_of=before) == []
        assert kept.views.series.names(as_of=before) == []
        with pytest.raises(NotFound):
            kept.views.documents.get(song.asset_id, before)
        with pytest.raises(NotFound):
            kept.views.vectors.similar(song.asset_id, as_of=before)


def test_a_word_of_long_ago_is_found_then_however_much_was_said_since(kept: ViewsAdapter) -> None:
    """Given an asset described anew so often that its former words are not kept, then each is found as of its time."""
    song = payloads.audio("song")
    notes = [f"note{number}" for number in range(MOST_FORMER // 5)]
    events = [proposed(ResourceDescribed(resource_id=song.asset_id, changes={"n": note})) for note in notes]
    kept.given([proposed(song), proposed(payloads.audio("another")), *events])
    for number in (0, 1, len(notes) // 2, len(notes) - 1):
        then, wanted = AsOf(3 + number), [song.asset_id]
        assert [hit.id for hit in kept.views.documents.search(notes[number], as_of=then)] == wanted
        assert [hit.id for hit in kept.views.documents.search(f"song {notes[number]}", as_of=then)] == wanted
        assert kept.views.documents.search("another notes", as_of=then) == []
    assert kept.views.documents.search(notes[0]) == []
    assert len(str(kept.views.documents.get(song.asset_id))) < 2 * MOST_FORMER


def test_what_was_archived_since_is_found_as_of_before(kept: ViewsAdapter) -> None:
    """Given an asset that is archived, then as of before it is found, listed and counted; now it is not."""
    song = payloads.audio("song")
    kept.given([proposed(song), proposed(ResourceArchived(resource_id=song.asset_id))])
    for as_of, found in ((AsOf(1), [song.asset_id]), (NOW, [])):
        page, _ = kept.views.documents.page(Filter(), as_of=as_of)
        assert [document["id"] for _, document in page] == found
        assert [hit.id for hit in kept.views.documents.search("song", as_of=as_of)] == found
        assert kept.views.documents.count(Filter(), as_of) == len(found)


def test_past_hits_come_best_first_and_pages_agree(kept: ViewsAdapter) -> None:
    """Given assets that held a word in their names or notes, then names come first, and fewer hits are the first."""
    named, noted = [payloads.audio(f"{text}") for text in "ab"], [payloads.audio(f"{text}") for text in "cd"]
    said: list[Event] = [
        *itertools.chain(named, noted),
        *(ResourceDescribed(resource_id=one.asset_id, changes={"mood": "moonlit night"}) for one in noted),
        *(ResourceRenamed(resource_id=one.asset_id, name="moonlit night") for one in named),
    ]
    gone = [ResourceRenamed(resource_id=one.asset_id, name="noon") for one in named]
    kept.given([proposed(event) for event in (*said, *gone)])
    hits = kept.views.documents.search("moonlit night", as_of=AsOf(len(said)))
    assert {hit.id for hit in hits[:2]} == {one.asset_id for one in named}
    assert {hit.id for hit in hits[2:]} == {one.asset_id for one in noted}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for first in range(1, 5):
        assert kept.views.documents.search("moonlit night", first=first, as_of=AsOf(len(said))) == hits[:first]


def test_a_clock_set_back_hides_no_change_from_the_past(kept: ViewsAdapter) -> None:
    """Given a renaming that the clock puts an hour before a tag that came first, then each hour tells its own."""
    song, hour_us = payloads.audio("song"), 3_600_000_000
    tagged, renamed = (
        ResourceTagged(resource_id=song.asset_id, added=("live",)),
        ResourceRenamed(resource_id=song.asset_id, name="tune"),
    )
    late, early = BEGINNING_US + 2 * hour_us, BEGINNING_US + hour_us
    kept.given([proposed(song), proposed(tagged, time_us=late), proposed(renamed, time_us=early)])
    for time_us, name, tags in ((BEGINNING_US, song.name, []), (early, "tune", []), (late, "tune", ["live"])):
        document = kept.views.documents.get(song.asset_id, AsOf(time_us=time_us))
        assert (document["name"], document["tags"]) == (name, tags)
        assert kept.views.documents.page(Filter(), as_of=AsOf(time_us=time_us))[0][0][1] == document
        assert kept.views.documents.count(Filter(tag="live"), AsOf(time_us=time_us)) == len(tags)


def test_words_that_stood_side_by_side_are_found_so_after_one_is_gone(kept: ViewsAdapter) -> None:
    """Given two tags, asked for as one word as FTS5 reads it, then as of before one was taken off both are found."""
    song = payloads.audio("song")
    tagged = ResourceTagged(resource_id=song.asset_id, added=("brass", "choir"))
    kept.given(
        [proposed(song), proposed(tagged), proposed(ResourceTagged(resource_id=song.asset_id, removed=("choir",)))]
    )
    for as_of, found in ((AsOf(1), []), (AsOf(2), [song.asset_id]), (NOW, [])):
        assert [hit.id for hit in kept.views.documents.search("brass_choir", as_of=as_of)] == found


def test_a_past_too_long_to_read_back_is_refused_with_what_to_do(
    kept: ViewsAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given no time, then an answer that must be read back is LimitExceeded, one that need not be is given."""
    monkeypatch.setattr("infra.past.DEADLINE_S", 0.0)
    song, other = payloads.audio("song"), payloads.audio("other")
    kept.given([proposed(song), proposed(other), proposed(ResourceRenamed(resource_id=song.asset_id, name="tune"))])
    with pytest.raises(LimitExceeded, match="later moment"):
        kept.views.documents.page(Filter(), as_of=AsOf(2))
    assert kept.views.documents.get(other.asset_id, AsOf(2))["name"] == other.name
    assert kept.views.documents.count(Filter(), AsOf(2)) == 2
