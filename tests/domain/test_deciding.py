"""Given a past, when a command is decided, then these events: deciders without any store."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain import commands as c
from domain import ids
from domain.decisions import decide
from domain.errors import Conflict, Malformed, NotFound
from domain.resource import Happened, Resource, evolve
from domain.values import Metadata
from events import imports, processing, resources
from events.base import Event
from events.envelope import decode_as, encode
from tests import payloads
from tests.payloads import PROJECT, TRACK

OTHER = ids.project_id("Other")
UNKNOWN = ids.derived("unknown")
SONG = payloads.audio("song", container=TRACK)
TAKE = payloads.audio("take")
A_PROJECT = resources.ProjectCreated(project_id=PROJECT, name="Tests")
A_TRACK = resources.TrackCreated(track_id=TRACK, project_id=PROJECT, name="Take 1")
ANOTHER_PROJECT = resources.ProjectCreated(project_id=OTHER, name="Other")


class Past(dict[str, Resource | None]):
    """What happened, folded, with None for what did not."""

    def __missing__(self, id: str) -> None:
        return None


def given_past(*events: Event) -> Past:
    """Fold these events, of one project unless they say otherwise, into the resources they are about."""
    past, sequences = Past(), defaultdict(int)
    for event in events:
        project = getattr(event, "project_id", PROJECT)
        sequences[project] += 1
        id = ids.derived(event.TYPE, sequences[project])
        happened = Happened(id, project, sequences[project], event)
        past[event.subject] = evolve(past[event.subject], happened)
    return past


def then(past: Past, command: c.Command) -> tuple[Event, ...]:
    """The events that are decided; deciding is pure, so twice is the same."""
    decision = decide(past, command)
    assert decide(past, command) == decision
    return decision.events


def test_a_project_is_created_once_by_its_name() -> None:
    """Given nothing, then a project begins; given it, the same name is a Conflict and another is not."""
    command = c.CreateProject(name="Tests")
    assert then(given_past(), command) == (A_PROJECT,)
    with pytest.raises(Conflict):
        then(given_past(A_PROJECT), command)
    assert then(given_past(A_PROJECT), c.CreateProject(name="tests"))


def test_a_track_needs_its_project_and_a_new_name() -> None:
    """Given no project, NotFound; given one, the track; given the track, Conflict; a track in a track is Malformed."""
    command = c.CreateTrack(project_id=PROJECT, name="Take 1")
    with pytest.raises(NotFound):
        then(given_past(), command)
    assert then(given_past(A_PROJECT), command) == (A_TRACK,)
    with pytest.raises(Conflict):
        then(given_past(A_PROJECT, A_TRACK), command)
    with pytest.raises(Malformed):
        then(given_past(A_PROJECT, A_TRACK), c.CreateTrack(project_id=TRACK, name="inner"))


CHANGES: tuple[tuple[c.ChangeResource, Event], ...] = (
    (
        c.RenameResource(resource_id=SONG.asset_id, name="B"),
        resources.ResourceRenamed(resource_id=SONG.asset_id, name="B"),
    ),
    (
        c.TagResource(resource_id=SONG.asset_id, add=("b", "a", "a")),
        resources.ResourceTagged(resource_id=SONG.asset_id, added=("a", "b")),
    ),
    (
        c.DescribeResource(resource_id=SONG.asset_id, changes={"k": [1]}),
        resources.ResourceDescribed(resource_id=SONG.asset_id, changes={"k": [1]}),
    ),
    (
        c.DescribeResource(resource_id=SONG.asset_id, changes={"tag:artist": None}),
        resources.ResourceDescribed(resource_id=SONG.asset_id, changes={"tag:artist": None}),
    ),
    (
        c.MoveResource(resource_id=SONG.asset_id, to_id=PROJECT),
        resources.ResourceMoved(resource_id=SONG.asset_id, from_id=TRACK, to_id=PROJECT),
    ),
    (c.ArchiveResource(resource_id=SONG.asset_id), resources.ResourceArchived(resource_id=SONG.asset_id)),
    (
        c.LinkVersion(resource_id=SONG.asset_id, previous_id=TAKE.asset_id),
        resources.VersionLinked(resource_id=SONG.asset_id, previous_id=TAKE.asset_id),
    ),
)
WORLD = (A_PROJECT, A_TRACK, SONG, TAKE)


@pytest.mark.parametrize(("command", "event"), CHANGES, ids=lambda value: type(value).__name__)
class TestAnyChange:
    """What holds for every command that changes a resource."""

    def test_it_comes_to_its_event(self, command: c.ChangeResource, event: Event) -> None:
        """Given a resource, then the change happens."""
        assert then(given_past(*WORLD), command) == (event,)

    def test_asked_for_again_nothing_is_left_to_do(self, command: c.ChangeResource, event: Event) -> None:
        """Given that it has happened, then nothing happens."""
        assert then(given_past(*WORLD, event), command) == ()

    def test_of_nothing_it_is_not_found(self, command: c.ChangeResource, event: Event) -> None:
        """Given no such resource, then NotFound."""
        with pytest.raises(NotFound):
            then(given_past(A_PROJECT), command)

    def test_from_another_version_it_is_a_conflict_that_tells_the_current_one(
        self, command: c.ChangeResource, event: Event
    ) -> None:
        """Given a resource at version 3, then expecting 3 does, expecting another is a Conflict with 3 in it."""
        expecting = command.model_copy(update={"expected_version": 3})
        assert then(given_past(*WORLD), expecting) == (event,)
        for wrong in (0, 2, 4):
            with pytest.raises(Conflict) as raised:
                then(given_past(*WORLD), command.model_copy(update={"expected_version": wrong}))
            assert raised.value.details["current"] == 3

    def test_its_version_counts_changes_and_not_findings(self, command: c.ChangeResource, event: Event) -> None:
        """Given analyses since, then the version to expect is still that of the last change."""
        finding = payloads.findings(SONG.asset_id)["key"]
        past = given_past(*WORLD, finding)
        assert then(past, command.model_copy(update={"expected_version": 3})) == (event,)
        assert past[SONG.asset_id].head == 5  # type: ignore[union-attr]  # it is there


def test_tags_given_and_taken_at_once_stay() -> None:
    """Given a tag, when the same is added and removed, then adding wins; what is not there is not removed."""
    tagged = resources.ResourceTagged(resource_id=SONG.asset_id, added=("old",))
    command = c.TagResource(resource_id=SONG.asset_id, add=("new", "old"), remove=("old", "never"))
    (event,) = then(given_past(*WORLD, tagged), command)
    assert event == resources.ResourceTagged(resource_id=SONG.asset_id, added=("new",))


def test_only_assets_move_and_only_within_their_project() -> None:
    """Given two projects, then an asset goes to no other one, a project or track goes nowhere, an asset holds none."""
    past = given_past(*WORLD, ANOTHER_PROJECT)
    for what, to in ((SONG.asset_id, OTHER), (PROJECT, TRACK), (SONG.asset_id, TAKE.asset_id)):
        with pytest.raises(Malformed):
            then(past, c.MoveResource(resource_id=what, to_id=to))
    with pytest.raises(NotFound):
        then(past, c.MoveResource(resource_id=SONG.asset_id, to_id=UNKNOWN))


def test_versions_make_no_circle() -> None:
    """Given b newer than a and c newer than b, then a is not newer than c, nor anything than itself."""
    a, b, d = (payloads.audio(name) for name in "abd")
    links = [
        resources.VersionLinked(resource_id=new.asset_id, previous_id=old.asset_id) for new, old in ((b, a), (d, b))
    ]
    past = given_past(A_PROJECT, a, b, d, *links)
    for new, old in ((a, d), (a, b)):
        with pytest.raises(Conflict):
            then(past, c.LinkVersion(resource_id=new.asset_id, previous_id=old.asset_id))
    with pytest.raises(Malformed):
        then(past, c.LinkVersion(resource_id=a.asset_id, previous_id=a.asset_id))


def _import(event: imports.AudioImported, **changes: Any) -> c.ImportAudio:  # Any: fields of the command
    return c.ImportAudio(**{**event.model_dump(exclude={"asset_id"}), **changes})


def test_content_is_imported_once_and_again_only_from_elsewhere() -> None:
    """Given content, then the same file in the same place is nothing new, another place or name is told as again."""
    assert then(given_past(A_PROJECT, A_TRACK), _import(SONG)) == (SONG,)
    past = given_past(*WORLD)
    assert then(past, _import(SONG)) == ()
    for change in ({"container_id": PROJECT}, {"file_name": "copy.wav"}):
        (event,) = then(past, _import(SONG, **change))
        assert isinstance(event, imports.AssetImportedAgain)
        assert event.asset_id == SONG.asset_id
        assert then(given_past(*WORLD, event), _import(SONG, **change)) == ()


def test_imports_need_a_project_and_a_container_in_it() -> None:
    """Given no project, an unknown container, or another project's, then NotFound or Malformed."""
    with pytest.raises(NotFound):
        then(given_past(), _import(SONG))
    with pytest.raises(NotFound):
        then(given_past(A_PROJECT), _import(SONG))
    with pytest.raises(Malformed):
        then(given_past(A_PROJECT, A_TRACK, ANOTHER_PROJECT), _import(SONG, container_id=OTHER))
    with pytest.raises(Malformed):
        then(given_past(*WORLD), _import(SONG, container_id=TAKE.asset_id))


FOUND = tuple(payloads.findings(SONG.asset_id)[kind] for kind in ("beats", "key", "chords"))


def test_an_accompaniment_holds_all_that_the_generator_needs() -> None:
    """Given an analysed song, then the request names its analyses and holds what they found; the same again is nothing.

    Another seed, or another parameter, is another generation.
    """
    past = given_past(*WORLD, *FOUND)
    command = c.GenerateAccompaniment(asset_id=SONG.asset_id, seed=1)
    (event,) = then(past, command)
    assert event.beats_s == FOUND[0].beats_s
    assert (event.tonic, event.mode, event.line) == (FOUND[1].tonic, FOUND[1].mode, FOUND[2].line)
    assert len(event.analysis_ids) == 3
    assert then(given_past(*WORLD, *FOUND, event), command) == ()
    others = (command.model_copy(update={"seed": 2}), command.model_copy(update={"parameters": {"density": 0.9}}))
    seen = {event.generation_id, *(then(past, other)[0].generation_id for other in others)}
    assert len(seen) == 3


def test_an_accompaniment_waits_for_its_analyses_and_checks_its_parameters() -> None:
    """Given a song without chords, then Conflict names what is missing; wrong parameters, or notes, are Malformed."""
    with pytest.raises(Conflict, match="chords"):
        then(given_past(*WORLD, *FOUND[:2]), c.GenerateAccompaniment(asset_id=SONG.asset_id, seed=1))
    past = given_past(*WORLD, *FOUND)
    for parameters in ({"density": 2.0}, {"density": "much"}, {"unknown": 1}, {"style": "polka"}, {"density": True}):
        with pytest.raises(Malformed, match=next(iter(parameters))):
            then(past, c.GenerateAccompaniment(asset_id=SONG.asset_id, seed=1, parameters=parameters))
    melody = payloads.notes()
    with pytest.raises(Malformed):
        then(given_past(A_PROJECT, melody), c.GenerateAccompaniment(asset_id=melody.asset_id, seed=1))


def test_a_transcription_is_kept_once_as_the_asset_that_it_is() -> None:
    """Given a transcribed song, then its notes are an asset of that song; again is nothing, and no notes are none."""
    heard = payloads.findings(SONG.asset_id)["transcription"]
    command = c.KeepTranscription(asset_id=SONG.asset_id, name="notes")
    (event,) = then(given_past(*WORLD, heard), command)
    assert (event.content, event.facts, event.name) == (heard.midi, heard.facts, "notes")
    assert (event.source_id, event.container_id) == (SONG.asset_id, TRACK)
    assert then(given_past(*WORLD, heard, event), command) == ()
    with pytest.raises(Conflict, match="transcription"):
        then(given_past(*WORLD), command)
    with pytest.raises(Malformed, match="no note was heard"):
        then(given_past(*WORLD, heard.model_copy(update={"notes": 0})), command)
    with pytest.raises(Malformed, match="audio"):
        then(given_past(A_PROJECT, payloads.notes()), c.KeepTranscription(asset_id=payloads.notes().asset_id))


def test_a_failure_is_retried_once() -> None:
    """Given a failure, then a retry asks for its processor and cause; once asked for, or unknown, it is NotFound."""
    failure = payloads.failed(SONG.asset_id, ids.derived("cause"))
    past = given_past(*WORLD, failure)
    (id,) = past[SONG.asset_id].failures  # type: ignore[union-attr]  # it is there
    command = c.RetryProcessing(resource_id=SONG.asset_id, failure_id=id)
    (event,) = then(past, command)
    assert event == processing.RetryRequested(
        cause_id=failure.cause_id, resource_id=SONG.asset_id, failure_id=id, processor=failure.processor
    )
    with pytest.raises(NotFound):
        then(given_past(*WORLD, failure, event), command)


def test_reprocessing_is_asked_of_a_project() -> None:
    """Given a project, then the request names each processor once, and changes no resource; of a song it is refused."""
    command = c.Reprocess(project_id=payloads.PROJECT, processors=("track_beats", "find_silence", "track_beats"))
    (event,) = then(given_past(*WORLD), command)
    assert event == processing.ReprocessingRequested(
        project_id=payloads.PROJECT, processors=("find_silence", "track_beats")
    )
    before, after = given_past(*WORLD), given_past(*WORLD, event)
    assert after[payloads.PROJECT].version == before[payloads.PROJECT].version  # type: ignore[union-attr]  # it is there
    with pytest.raises(Malformed, match="project"):
        then(given_past(*WORLD), c.Reprocess(project_id=SONG.asset_id))
    with pytest.raises(NotFound):
        then(given_past(*WORLD), c.Reprocess(project_id=ids.derived("nothing")))


def test_an_export_of_the_same_content_is_the_same_export() -> None:
    """Given an export, when the same document is exported again, then it is the one that is there, at its version."""
    content = payloads.blob("{}", "application/json")
    command = c.ExportLineage(resource_id=SONG.asset_id, format="prov", position=4, content=content)
    (event,) = then(given_past(*WORLD), command)
    assert then(given_past(*WORLD, event), command) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(changes=st.dictionaries(st.text(st.characters(), max_size=5), JSON, max_size=4))
def test_metadata_is_refused_or_can_be_written_and_read_for_ever(changes: Metadata) -> None:
    """Given any JSON, then the command is refused, or its event comes back from its own JSON exactly as it was."""
    try:
        command = c.DescribeResource(resource_id=PROJECT, changes=changes)
    except ValidationError:
        return
    for event in then(given_past(A_PROJECT), command):
        assert decode_as(type(event), 1, encode(event), where="here") == event
