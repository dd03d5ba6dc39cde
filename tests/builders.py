"""Events on their way into a log, and random histories that could have happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from domain import ids
from domain.ids import EventId, ProjectId
from events.analyses import Analysis
from events.base import Event
from events.envelope import Proposed, Recorded, encode, processor_source
from events.imports import AssetImportedAgain, NotesAdded
from events.models import ModelVersionRegistered
from events.processing import (
    ProcessingFailed,
    RepeatRequested,
    ReprocessingPlanned,
    ReprocessingRequested,
    RetryRequested,
)
from events.resources import (
    FoundIn,
    ProjectCreated,
    ResourceArchived,
    ResourceDescribed,
    ResourceMoved,
    ResourceRenamed,
    ResourceRestored,
    ResourceTagged,
    TrackCreated,
    VersionLinked,
)
from tests import payloads

BEGINNING_US = 1_750_000_000_000_000


def proposed(
    data: Event,
    *,
    id: str | None = None,
    project: str = payloads.PROJECT,
    time_us: int = BEGINNING_US,
    source: str = "/commands",
    correlation: str = "job",
    causation: str | None = None,
) -> Proposed:
    """An event on its way; its id is that of its content unless given."""
    return Proposed(
        id=EventId(id or ids.derived("test", project, data.TYPE, encode(data))),
        project=ProjectId(project),
        data=data,
        time_us=time_us,
        source=source,
        actor="ada",
        correlation=correlation,
        causation=EventId(causation) if causation else None,
        duration_ms=5 if source.startswith("/processors") else None,
    )


def numbered(
    count: int, *, start: int = 0, project: str = payloads.PROJECT, subject: str | None = None
) -> list[Proposed]:
    """Renamings of one resource, told apart by their number."""
    subject = subject or project
    return [
        proposed(
            ResourceRenamed(resource_id=subject, name=f"name {number}"),
            id=ids.derived("numbered", project, subject, number),
            project=project,
            time_us=BEGINNING_US + number,
        )
        for number in range(start, start + count)
    ]


def as_recorded(events: Iterable[Proposed]) -> list[Recorded]:
    """The events as a log that begins with them would hold them."""
    sequences: dict[str, int] = {}
    found = []
    for position, event in enumerate(events, 1):
        sequence = sequences[event.project] = sequences.get(event.project, 0) + 1
        head = (position, sequence, event.id, event.project, event.data.subject, event.data.TYPE, event.data.VERSION)
        tail = (event.time_us, event.source, event.actor, event.correlation, event.causation, event.duration_ms)
        found.append(Recorded(*head, *tail, encode(event.data)))
    return found


class History:
    """Makes up what could happen in one project, from a random generator."""

    def __init__(self, random: Random, name: str) -> None:
        self.random = random
        self.project = ids.project_id(name)
        self.events: list[Proposed] = []
        self.assets: list[str] = []
        self.notes: list[NotesAdded] = []
        self.places: dict[str, str] = {}
        self.containers: list[str] = [self.project]
        self.failures: list[tuple[str, ProcessingFailed]] = []
        self.found: dict[str, FoundIn] = {}
        self._add(ProjectCreated(project_id=self.project, name=name))

    def grow(self, count: int) -> Sequence[Proposed]:
        """Let things happen until there are so many events."""
        steps = (self._import, self._track, self._analyse, self._amend, self._generate, self._fail, self._again)
        while len(self.events) < count:
            self.random.choices((*steps, self._reprocess), weights=(4, 1, 6, 5, 1, 2, 1, 1))[0]()
        return self.events[:count]

    def _add(self, data: Event, source: str = "/commands", causation: str | None = None) -> str:
        number = len(self.events)
        id = ids.derived("history", self.project, number)
        job = f"{self.project[:8]} job {number // 4}"
        time_us = BEGINNING_US + number * 1_000_000 + self.random.randrange(1000)
        self.events.append(
            proposed(
                data,
                id=id,
                project=self.project,
                time_us=time_us,
                source=source,
                correlation=job,
                causation=causation,
            )
        )
        return id

    def _import(self) -> None:
        text = f"{self.project} {len(self.events)}"
        make = self.random.choice((payloads.audio, payloads.notes))
        data = make(text, project=self.project, container=self.random.choice(self.containers))
        self._added(data)

    def _added(self, data: Event) -> None:
        self._add(data)
        self.assets.append(data.subject)
        self.places[data.subject] = data.container_id  # type: ignore[attr-defined]  # assets only
        if isinstance(data, NotesAdded):
            self.notes.append(data)

    def _track(self) -> None:
        name = f"track {len(self.events)}"
        id = ids.track_id(self.project, name)
        self._add(TrackCreated(track_id=id, project_id=self.project, name=name))
        self.containers.append(id)

    def _analyse(self) -> None:
        if self.assets:
            found = payloads.findings(self.random.choice(self.assets), len(self.events))
            kind = self.random.choice(sorted(found))
            id = self._add(found[kind], processor_source(f"find_{kind}", "1"))
            self.found[id] = FoundIn(asset_id=found[kind].asset_id, kind=kind)

    def _amend(self) -> None:
        id = self.random.choice([self.project, *self.containers, *self.assets, *self.found])
        found = self.found.get(id)
        number = len(self.events)
        tags = ("live", "rough", "loud", "final")
        asset = self.random.choice(self.assets) if self.assets else None
        choices: list[Event] = [
            ResourceRenamed(resource_id=id, found_in=found, name=f"name {number}"),
            ResourceTagged(
                resource_id=id,
                found_in=found,
                added=tuple(self.random.sample(tags, 2)),
                removed=(self.random.choice(tags),),
            ),
            ResourceDescribed(
                resource_id=id, found_in=found, changes={"mood": self.random.choice(("calm", None)), "n": number}
            ),
            ResourceArchived(resource_id=id, found_in=found),
            ResourceRestored(resource_id=id, found_in=found),
        ]
        if asset is not None and len(self.containers) > 1:
            to = self.random.choice([place for place in self.containers if place != self.places[asset]])
            choices += [ResourceMoved(resource_id=asset, from_id=self.places[asset], to_id=to)] * 2
        chosen = self.random.choice(choices)
        if isinstance(chosen, ResourceMoved):
            self.places[chosen.resource_id] = chosen.to_id
        self._add(chosen)

    def _generate(self) -> None:
        if self.notes and self.random.random() < 0.5:
            sound = payloads.rendered(self.random.choice(self.notes))
            if sound.asset_id not in self.places:
                self._added(sound)
        elif self.assets:
            asked = payloads.accompaniment(self.random.choice(self.assets), project=self.project, seed=len(self.events))
            self._add(asked)
            self._added(payloads.generated(asked))

    def _fail(self) -> None:
        if self.failures and self.random.random() < 0.5:
            id, failure = self.failures.pop(self.random.randrange(len(self.failures)))
            self._add(
                RetryRequested(
                    cause_id=failure.cause_id,
                    resource_id=failure.resource_id,
                    failure_id=id,
                    processor=failure.processor,
                )
            )
        elif self.assets:
            cause = self.random.choice(self.events)
            failure = payloads.failed(self.random.choice(self.assets), cause.id)
            id = self._add(failure, processor_source("track_beats", "1"), cause.id)
            self.failures.append((id, failure))

    def _reprocess(self) -> None:
        request = self._add(ReprocessingRequested(project_id=self.project, processors=("track_beats",)))
        if self.assets:
            cause, asset = self.random.choice(self.events), self.random.choice(self.assets)
            repeat = RepeatRequested(cause_id=cause.id, resource_id=asset, processors=("track_beats", "find_silence"))
            self._add(repeat, "/reprocessing", request)
        plan = ReprocessingPlanned(project_id=self.project, request_id=request, causes=1, answers=2)
        self._add(plan, "/reprocessing", request)

    def _again(self) -> None:
        if len(self.assets) > 1:
            newer, older = self.random.sample(self.assets, 2)
            if self.random.random() < 0.5:
                self._add(VersionLinked(resource_id=newer, previous_id=older))
            else:
                place = self.random.choice(self.containers)
                self._add(
                    AssetImportedAgain(
                        asset_id=newer,
                        project_id=self.project,
                        container_id=place,
                        name="again",
                        file_name=f"again {len(self.events)}.wav",
                    )
                )


def library() -> Proposed:
    """The model version that the histories' generations name."""
    model = ModelVersionRegistered(model_version_id=payloads.MODEL, name="accompaniment", version="1")
    return proposed(model, project=ids.LIBRARY, source="/models")


def interleaved(histories: Sequence[Sequence[Proposed]], random: Random) -> list[Proposed]:
    """The histories shuffled into one another, each in its own order."""
    turns = [index for index, history in enumerate(histories) for _ in history]
    random.shuffle(turns)
    rest = [iter(history) for history in histories]
    return [next(rest[turn]) for turn in turns]


def is_finding(event: Recorded) -> bool:
    """Whether the event is an analysis."""
    return isinstance(event.data, Analysis)
