"""From a command to the log: raced decisions are made anew, repeated commands are answered as at first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain import ids
from domain.commands import (
    ArchiveResource,
    Command,
    CreateProject,
    CreateTrack,
    DescribeResource,
    ExportLineage,
    ImportAudio,
    RenameResource,
    TagResource,
)
from domain.errors import Conflict, Malformed, NotFound, Unavailable
from domain.handling import execute, past_of
from domain.ids import ResourceId
from domain.ports import Appended
from events.envelope import Proposed
from tests import payloads
from tests.builders import numbered
from tests.spine import SetClock, Spine


class Raced:
    """A log on which somebody else is faster, so many times."""

    def __init__(self, spine: Spine, times: int, subject: str) -> None:
        self._spine = spine
        self.times = times
        self._subject = subject

    def __getattr__(self, name: str) -> object:
        return getattr(self._spine.log, name)

    def append(self, events: Sequence[Proposed], *, expected: Mapping[ResourceId, int] | None = None) -> Appended:
        """Let another write first."""
        if self.times:
            self.times -= 1
            self._spine.log.append(numbered(1, start=self.times, project=self._subject))
        return self._spine.log.append(events, expected=expected)


@pytest.fixture
def project(spine: Spine) -> str:
    """A project that exists."""
    return spine.execute(CreateProject(name="Tests")).resource_id


def test_a_command_answers_with_what_it_was_about_and_a_token(spine: Spine) -> None:
    """Given nothing, when a project is created, then the token is the place of its event, in all and in its project."""
    done = spine.execute(CreateProject(name="Tests"), job="import 7")
    (event,) = spine.events()
    assert (done.resource_id, done.written, done.job) == (event.subject, 1, "import 7")
    assert done.token is not None
    assert (done.token.position, done.token.sequence, done.token.project) == (1, 1, event.project)
    assert (event.actor, event.correlation, event.source) == ("ada", "import 7", "/commands")


def test_a_decision_that_was_raced_is_made_anew(spine: Spine, project: str) -> None:
    """Given another writer who is faster four times, then the command is carried out on what that one left."""
    log = Raced(spine, 4, project)
    done = execute(log, SetClock(), TagResource(resource_id=project, add=("a",)), actor="ada")  # type: ignore[arg-type]
    assert done.written == 1
    assert log.times == 0
    state = past_of(spine.log, ResourceId(project))
    assert state is not None
    assert (state.tags, state.head) == ({"a"}, 6)


def test_a_decision_that_is_raced_without_end_is_a_conflict(spine: Spine, project: str) -> None:
    """Given a writer who is always faster, then Conflict with the current version comes after a bounded number."""
    log = Raced(spine, 1000, project)
    with pytest.raises(Conflict) as raised:
        execute(log, SetClock(), TagResource(resource_id=project, add=("a",)), actor="ada")  # type: ignore[arg-type]
    assert raised.value.details["current"] == spine.log.head()
    assert 1000 - log.times < 20


def test_a_version_that_was_expected_is_not_decided_anew(spine: Spine, project: str) -> None:
    """Given a command for version 1, when another was faster, then Conflict, and the other stays."""
    log = Raced(spine, 1, project)
    command = RenameResource(resource_id=project, name="mine", expected_version=1)
    with pytest.raises(Conflict) as raised:
        execute(log, SetClock(), command, actor="ada")  # type: ignore[arg-type]
    assert raised.value.details["current"] == 2
    assert [event.data.name for event in spine.events()][-1] == "name 0"  # type: ignore[attr-defined]


def test_a_command_id_is_carried_out_once_and_answered_the_same_for_ever(spine: Spine, project: str) -> None:
    """Given a command with an id, when sent again at once and after other changes, then the first answer comes back."""
    first = spine.execute(RenameResource(resource_id=project, name="A"), command_id="k", job="j")
    spine.execute(RenameResource(resource_id=project, name="B"))
    for job in ("j", None):
        again = spine.execute(RenameResource(resource_id=project, name="A"), command_id="k", job=job)
        assert (again.token, again.resource_id, again.job, again.written) == (first.token, project, "j", 0)
    assert [event.data.name for event in spine.events()] == ["Tests", "A", "B"]  # type: ignore[attr-defined]


def test_creating_again_with_the_same_command_id_is_no_conflict(spine: Spine) -> None:
    """Given a project created with a command id, when the answer was lost and it is sent again, then it is answered."""
    first = spine.execute(CreateProject(name="P"), command_id="k")
    assert spine.execute(CreateProject(name="P"), command_id="k").token == first.token
    with pytest.raises(Conflict):
        spine.execute(CreateProject(name="P"), command_id="another")


@pytest.mark.parametrize(
    "other",
    [
        {"name": "B"},
        {"resource_id": ids.derived("another")},
        {"expected_version": 1},
        ArchiveResource(resource_id=ids.project_id("Tests")),
        CreateProject(name="A"),
    ],
    ids=str,
)
def test_the_command_id_of_another_command_is_a_conflict(
    spine: Spine, project: str, other: dict[str, object] | Command
) -> None:
    """Given a command carried out under an id, when the id comes with another wish, then Conflict, naming the first."""
    first = RenameResource(resource_id=project, name="A")
    token = spine.execute(first, command_id="k").token
    sent = other if isinstance(other, Command) else first.model_copy(update=other)
    with pytest.raises(Conflict) as raised:
        spine.execute(sent, command_id="k")
    assert "'k'" in raised.value.message
    assert raised.value.details == {"id": project, "type": "disco.resource.renamed", "position": token.position}
    assert spine.log.head() == token.position
    assert spine.execute(first, command_id="k").token == token


def test_what_was_found_out_on_the_way_is_no_part_of_a_command(spine: Spine, project: str) -> None:
    """Given an export and an import under ids, when sent again after the log grew, then they are answered as at first.

    The export is of a later position then, and another release may read other tags in a file; another file is another
    command.
    """
    content = payloads.blob("first")
    lineage = ExportLineage(resource_id=project, format="prov", position=1, content=content)
    song = payloads.audio("song", project=ids.project_id("Tests"))
    fields = song.model_dump(exclude={"asset_id"})
    commands = (
        (lineage, lineage.model_copy(update={"position": 2, "content": payloads.blob("second")})),
        (ImportAudio(**fields), ImportAudio(**{**fields, "tags": {}, "facts": payloads.audio_facts(7)})),
    )
    for number, (command, later) in enumerate(commands):
        first = spine.execute(command, command_id=str(number))
        again = spine.execute(later, command_id=str(number))
        assert (again.token, again.resource_id, again.written) == (first.token, first.resource_id, 0)
    with pytest.raises(Conflict):
        spine.execute(ImportAudio(**{**fields, "content": payloads.blob("other")}), command_id="1")


def test_a_command_id_is_neither_empty_nor_endless(spine: Spine) -> None:
    """Given an id of no or of 201 characters, then Malformed, and nothing is written."""
    for wrong in ("", "k" * 201):
        with pytest.raises(Malformed):
            spine.execute(CreateProject(name="P"), command_id=wrong)
    assert spine.log.head() == 0
    assert spine.execute(CreateProject(name="P"), command_id="k" * 200).written == 1


@pytest.mark.parametrize("attempt", range(5))
def test_the_same_command_id_from_many_threads_at_once_is_carried_out_once(spine: Spine, attempt: int) -> None:
    """Given 16 threads with one command id, then one writes and all get its token, whatever the command."""
    existing = spine.execute(CreateProject(name="Tests")).resource_id
    commands = (CreateProject(name="New"), DescribeResource(resource_id=existing, changes={"k": 1}))
    for number, command in enumerate(commands):

        def send(_: int, command: Command = command, id: str = f"once {number}") -> tuple[int, object]:
            done = spine.execute(command, command_id=id)
            return done.written, done.token

        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(send, range(16)))
        assert sum(written for written, _ in answers) == 1
        assert {token for _, token in answers} == {answers[0][1]}
        assert answers[0][1] is not None
    assert spine.log.head() == 3


class Late(Raced):
    """A log in which the very same command, sent once more, was carried out between two looks at it."""

    def __init__(self, spine: Spine, command: Command) -> None:
        super().__init__(spine, 0, "")
        self._command: Command | None = command

    def about(self, subject: ResourceId, **how: int) -> object:
        """Let the other one in first."""
        command, self._command = self._command, None
        if command is not None:
            self._spine.execute(command, command_id="k")
        return self._spine.log.about(subject, **how)


@pytest.mark.parametrize("what", ["create", "tag"])
def test_a_command_that_was_carried_out_between_two_looks_is_answered_as_the_first(spine: Spine, what: str) -> None:
    """Given a command sent twice, the second while the first is decided, then it is neither a conflict nor nothing."""
    project = spine.execute(CreateProject(name="Tests")).resource_id
    command = CreateProject(name="New") if what == "create" else TagResource(resource_id=project, add=("a",))
    done = execute(Late(spine, command), SetClock(), command, actor="ada", command_id="k")  # type: ignore[arg-type]
    assert done.token is not None
    assert (done.token.position, done.written, spine.log.head()) == (2, 0, 2)


def test_many_who_change_one_resource_at_once_all_come_through_or_hear_of_a_conflict(
    spine: Spine, project: str
) -> None:
    """Given 8 threads that tag one project, then what was acknowledged is there, all of it, and nothing else."""

    def tag(number: int) -> str | None:
        try:
            spine.execute(TagResource(resource_id=project, add=(f"tag-{number}",)))
        except Conflict:
            return None
        return f"tag-{number}"

    with ThreadPoolExecutor(8) as threads:
        acknowledged = {tag for tag in threads.map(tag, range(40)) if tag is not None}
    state = past_of(spine.log, ResourceId(project))
    assert state is not None
    assert state.tags == acknowledged
    assert acknowledged


def test_a_command_that_changes_nothing_writes_nothing_and_tells_what_it_rested_on(spine: Spine, project: str) -> None:
    """Given a project of that name, when renamed to it, then there is no event, and the token is of the project's last.

    Also where what it rested on is another resource's past.
    """
    last = spine.execute(RenameResource(resource_id=project, name="Same")).token
    track = spine.execute(CreateTrack(project_id=project, name="later")).resource_id
    done = spine.execute(RenameResource(resource_id=project, name="Same"))
    assert (done.token, done.written, done.resource_id) == (last, 0, project)
    made = [spine.log.about(ResourceId(id))[-1] for id in (project, track)]
    assert spine.execute(ArchiveResource(resource_id=track)).token.position == 4
    assert spine.execute(ArchiveResource(resource_id=track)).token.position == 4
    assert [event.position for event in made] == [2, 3]
    assert spine.log.head() == 4


def test_a_command_about_nothing_leaves_the_log_as_it_was(spine: Spine) -> None:
    """Given an empty log, then NotFound, and it is still empty."""
    for command in (ArchiveResource(resource_id=ids.derived("x")), CreateTrack(project_id=ids.derived("x"), name="t")):
        with pytest.raises(NotFound):
            spine.execute(command)
    assert spine.log.head() == 0


def test_a_log_that_cannot_write_is_told_and_not_tried_for_ever(spine: Spine, project: str) -> None:
    """Given a log that is Unavailable, then so is the command, at once."""

    class Full(Raced):
        def append(self, events: Sequence[Proposed], *, expected: Mapping[ResourceId, int] | None = None) -> Appended:
            self.times += 1
            raise Unavailable("full")

    log = Full(spine, 0, project)
    with pytest.raises(Unavailable):
        execute(log, SetClock(), TagResource(resource_id=project, add=("a",)), actor="ada")  # type: ignore[arg-type]
    assert log.times == 1
