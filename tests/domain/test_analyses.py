"""Analyses are resources like any other, though that they exist is in the past of their asset."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from domain import commands as c
from domain import ids
from domain.analyses import carry_out
from domain.errors import Conflict, Malformed, NotFound
from domain.handling import past_of
from domain.ids import ResourceId
from domain.views import Kind
from events import resources
from tests import payloads
from tests.builders import proposed
from tests.payloads import PROJECT
from tests.spine import Spine

SONG, OTHER = payloads.audio("song"), payloads.audio("other")
KEY = proposed(payloads.findings(SONG.asset_id)["key"])
FAILED = proposed(payloads.failed(SONG.asset_id, ids.derived("cause")))
FOUND_IN = resources.FoundIn(asset_id=SONG.asset_id, kind="key")
HERE = {"resource_id": KEY.id, "within": SONG.asset_id}
CHANGES: tuple[tuple[c.ChangeResource, resources.ResourceChanged], ...] = (
    (c.RenameResource(**HERE, name="B"), resources.ResourceRenamed(resource_id=KEY.id, found_in=FOUND_IN, name="B")),
    (
        c.TagResource(**HERE, add=("b", "a")),
        resources.ResourceTagged(resource_id=KEY.id, found_in=FOUND_IN, added=("a", "b")),
    ),
    (
        c.DescribeResource(**HERE, changes={"k": [1]}),
        resources.ResourceDescribed(resource_id=KEY.id, found_in=FOUND_IN, changes={"k": [1]}),
    ),
    (c.ArchiveResource(**HERE), resources.ResourceArchived(resource_id=KEY.id, found_in=FOUND_IN)),
)


@pytest.fixture
def found(spine: Spine) -> Spine:
    """A song in which a key was found, and in which a processor failed."""
    spine.append(
        [proposed(resources.ProjectCreated(project_id=PROJECT, name="Tests")), proposed(SONG), proposed(OTHER)]
    )
    spine.append([KEY, FAILED])
    return spine


@pytest.mark.parametrize(("command", "event"), CHANGES, ids=lambda value: type(value).__name__)
def test_an_analysis_changes_as_any_resource_does(
    found: Spine, command: c.ChangeResource, event: resources.ResourceChanged
) -> None:
    """Given a finding, when changed, then an event says whose it is; again, nothing; its asset stays as it was.

    From its own events alone it is an analysis of that kind.
    """
    done = found.execute(command)
    assert (done.resource_id, done.written) == (KEY.id, 1)
    (recorded,) = found.log.about(ResourceId(KEY.id))
    assert (recorded.data, recorded.project, recorded.subject) == (event, PROJECT, KEY.id)
    assert found.execute(command).written == 0
    assert found.execute(command.model_copy(update={"within": None})).written == 0, "by now the log knows it by itself"
    state = past_of(found.log, ResourceId(KEY.id))
    assert state is not None
    assert (state.kind, state.variant, state.asset, state.version) == (
        Kind.ANALYSIS,
        "key",
        SONG.asset_id,
        done.token.sequence,
    )
    song = past_of(found.log, SONG.asset_id)
    assert song is not None
    assert (song.version, song.name) == (2, SONG.name)


@pytest.mark.parametrize("command", [command for command, _ in CHANGES], ids=lambda value: type(value).__name__)
def test_only_a_finding_of_that_asset_is_an_analysis(found: Spine, command: c.ChangeResource) -> None:
    """Given no asset, another asset, a failure in its place or an asset, then NotFound, and nothing is written."""
    head = found.log.head()
    for wrong in (
        {"within": None},
        {"within": OTHER.asset_id},
        {"within": ids.derived("nobody")},
        {"within": PROJECT},
        {"resource_id": FAILED.id},
        {"resource_id": OTHER.asset_id},
    ):
        with pytest.raises(NotFound):
            found.execute(command.model_copy(update=wrong))
    assert found.log.head() == head
    found.execute(command)
    with pytest.raises(NotFound):
        found.execute(command.model_copy(update={"within": OTHER.asset_id}))


@pytest.mark.parametrize("command", [command for command, _ in CHANGES], ids=lambda value: type(value).__name__)
def test_the_version_that_was_seen_is_held_to(found: Spine, command: c.ChangeResource) -> None:
    """Given a finding nobody changed, then its version is 0; of one that was, that of the change; else Conflict."""
    with pytest.raises(Conflict) as raised:
        found.execute(command.model_copy(update={"expected_version": 4}))
    assert raised.value.details["current"] == 0
    first = found.execute(command.model_copy(update={"expected_version": 0})).token
    with pytest.raises(Conflict) as raised:
        found.execute(c.TagResource(**HERE, add=("late",), expected_version=0))
    assert raised.value.details["current"] == first.sequence
    assert found.execute(c.TagResource(**HERE, add=("late",), expected_version=first.sequence)).written == 1


@pytest.mark.parametrize("command", [command for command, _ in CHANGES], ids=lambda value: type(value).__name__)
def test_a_command_id_is_carried_out_once_whether_or_not_the_asset_was_named(
    found: Spine, command: c.ChangeResource
) -> None:
    """Given a change under an id, when sent again, the asset named or not, then it is answered as at first."""
    first = found.execute(command, command_id="k")
    for again in (command, command.model_copy(update={"within": None})):
        done = found.execute(again, command_id="k")
        assert (done.written, done.token, done.types) == (0, first.token, first.types)


def test_an_analysis_can_be_changed_without_its_asset_as_soon_as_it_is_found(found: Spine) -> None:
    """Given a finding no view knows yet, when changed by its id alone, then the views are waited for; else NotFound."""
    command = c.TagResource(resource_id=KEY.id, add=("quick",))
    how: dict[str, Any] = {"actor": "ada", "command_id": "k"}
    catching_up = threading.Timer(0.2, found.views.catch_up)
    catching_up.start()
    done = carry_out(found.log, found.views, found.clock, command, **how)
    catching_up.join()
    assert (done.resource_id, done.written) == (KEY.id, 1)
    assert carry_out(found.log, found.views, found.clock, command, **how).token == done.token
    found.views.catch_up()
    for unknown in (FAILED.id, ids.derived("nobody")):
        with pytest.raises(NotFound):
            carry_out(found.log, found.views, found.clock, c.ArchiveResource(resource_id=unknown), actor="ada")


def test_a_finding_in_the_place_of_an_older_one_leaves_that_one_a_resource(found: Spine) -> None:
    """Given a key found anew, then the older finding can still be tagged."""
    found.append([proposed(payloads.findings(SONG.asset_id)["key"], id=ids.derived("anew"))])
    assert found.execute(c.TagResource(**HERE, add=("first",))).written == 1


def test_what_is_for_assets_alone_is_refused(found: Spine) -> None:
    """Given an analysis, when moved or linked as a version, then it is Malformed."""
    for command in (c.MoveResource(**HERE, to_id=PROJECT), c.LinkVersion(**HERE, previous_id=SONG.asset_id)):
        with pytest.raises(Malformed):
            found.execute(command)


def test_many_who_change_an_analysis_at_once_all_come_through_or_hear_of_a_conflict(found: Spine) -> None:
    """Given 8 threads that tag one finding nobody changed before, then what was acknowledged is there, and no more."""

    def tag(number: int) -> str | None:
        try:
            found.execute(c.TagResource(**HERE, add=(f"tag-{number}",)))
        except Conflict:
            return None
        return f"tag-{number}"

    with ThreadPoolExecutor(8) as threads:
        acknowledged = {tag for tag in threads.map(tag, range(40)) if tag is not None}
    state = past_of(found.log, ResourceId(KEY.id))
    assert state is not None
    assert state.tags == acknowledged
    assert acknowledged
