"""A seeded catalogue: projects of tens to hundreds of assets, ten events an audio asset, one of them an embedding.

A unit of work is an imported file, what was found in it, an accompaniment generated from it and from what was made
before, and what was found in that: 23 events that make 23 nodes and about 46 edges, and one or two changes by people.
Payloads are shared between events where that changes nothing, so that the generator is not what is measured.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.material import Material
from domain import ids
from domain.ids import EventId, ProjectId
from domain.values import AudioFacts, Blob, Metadata, NoteFacts
from events import generations, imports, resources
from events.base import Event
from events.envelope import Proposed, processor_source
from processors.synthesis.render import INSTRUMENT_MODEL

VERSION = 9
"""Changes whenever the generator's output does, so that stored catalogues are made anew."""
START_US = 1_700_000_000_000_000
DEEP_EVERY = 40
DEEP_UNITS = 320
DEEP_REACH = 48
REACH = 12
SOURCES = (11, 22)
AUDIO = AudioFacts.model_construct(container="WAV", encoding="PCM_24", rate_hz=48_000, channels=2, frames=9_600_000)
NOTES = NoteFacts.model_construct(format="midi 1", notes=640, tracks=4, duration_s=200.0)
INSTRUMENT = ids.model_version_id(*INSTRUMENT_MODEL)


@dataclass(slots=True)
class Project:
    """What a project holds so far: the ids that later units draw their sources from."""

    id: ProjectId
    units: int
    reach: int
    job: str
    events: list[Proposed] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    last: str = ""


class Catalogue:
    """Makes projects until it has made so many units; the same seed makes the same events."""

    def __init__(self, units: int, *, seed: int = 1) -> None:
        self.units = units
        self._chance = random.Random(seed)
        self._material = Material(seed)
        self._now_us = START_US

    def projects(self) -> Iterator[Project]:
        """Yield whole projects with their events in order."""
        left, number = self.units, 0
        while left > 0:
            deep = number % DEEP_EVERY == DEEP_EVERY // 2
            size = DEEP_UNITS if deep else round(math.exp(self._chance.uniform(math.log(5), math.log(120))))
            project = self.begin(min(size, left), reach=DEEP_REACH if deep else REACH)
            for _ in range(project.units):
                self.unit(project)
            yield project
            left -= project.units
            number += 1

    def begin(self, units: int, *, reach: int = REACH) -> Project:
        """A project with nothing in it yet."""
        project = Project(ProjectId(self._id()), units, reach, self._id())
        name = self._material.name(self._chance, 2)
        self._command(project, resources.ProjectCreated.model_construct(project_id=project.id, name=name))
        return project

    def unit(self, project: Project) -> None:
        """One unit of work."""
        if len(project.sources) % 16 == 0:
            project.job = self._id()
        asset, cause = self._imported(project)
        found = self._analysed(project, asset, cause)
        rendered, cause = self._generated(project, asset, found)
        self._analysed(project, rendered, cause)
        self._changed(project, asset)
        if self._chance.random() < 0.5:
            self._changed(project, rendered)
        project.sources += [asset, rendered]
        project.last = rendered

    def _imported(self, project: Project) -> tuple[str, EventId]:
        asset = self._id()
        name = self._material.name(self._chance, 3)
        event = imports.AudioImported.model_construct(
            asset_id=asset,
            project_id=project.id,
            container_id=project.id,
            name=name,
            content=self._blob("audio/wav"),
            facts=AUDIO,
            file_name=f"{name}.wav",
            tags={"title": name, "artist": self._material.name(self._chance, 2), "year": "2024"},
        )
        return asset, self._command(project, event)

    def _analysed(self, project: Project, asset: str, cause: EventId) -> dict[str, EventId]:
        """Nine findings in one audio asset."""
        found = self._material.findings(self._chance, asset)
        return {
            event.KIND: self._answer(project, event, cause, name, self._chance.randrange(5, 900))
            for name, event in found
        }

    def _generated(self, project: Project, asset: str, found: dict[str, EventId]) -> tuple[str, EventId]:
        """An accompaniment: the request, its MIDI, what that holds, and its sound."""
        generation, midi, rendered = self._id(), self._id(), self._id()
        name = self._material.name(self._chance, 3)
        request = self._material.request(
            asset_id=asset,
            generation_id=generation,
            project_id=project.id,
            container_id=project.id,
            name=name,
            seed=self._chance.randrange(1 << 31),
            analysis_ids=tuple(found[kind] for kind in ("beats", "key", "chords")),
        )
        cause = self._command(project, request)
        common: Any = {"project_id": project.id, "container_id": project.id, "name": name}
        written = generations.MidiGenerated.model_construct(
            **common,
            asset_id=midi,
            content=self._blob("audio/midi"),
            facts=NOTES,
            generation_id=generation,
            source_ids=self._sources(project, asset),
        )
        cause = self._answer(project, written, cause, "write_accompaniment", 300)
        self._answer(project, self._material.notes(self._chance, midi), cause, "describe_notes", 4)
        sounded = generations.AudioRendered.model_construct(
            **common,
            asset_id=rendered,
            content=self._blob("audio/wav"),
            facts=AUDIO,
            source_id=midi,
            model_version_id=INSTRUMENT,
            parameters={},
        )
        return rendered, self._answer(project, sounded, cause, "render_notes", 1_200)

    def _sources(self, project: Project, asset: str) -> tuple[str, ...]:
        recent = project.sources[-2 * project.reach :]
        return (asset, *self._chance.sample(recent, min(len(recent), self._chance.randint(*SOURCES))))

    def _changed(self, project: Project, asset: str) -> None:
        """Somebody renames, tags or describes an asset."""
        dice = self._chance.random()
        event: Event
        if dice < 0.3:
            name = self._material.name(self._chance, 3)
            event = resources.ResourceRenamed.model_construct(resource_id=asset, name=name)
        elif dice < 0.8:
            tag = self._material.tag(self._chance)
            event = resources.ResourceTagged.model_construct(resource_id=asset, added=(tag,), removed=())
        else:
            changes: Metadata = {"mood": self._material.tag(self._chance), "rating": self._chance.randrange(5)}
            event = resources.ResourceDescribed.model_construct(resource_id=asset, changes=changes)
        self._command(project, event)

    def _command(self, project: Project, event: Event) -> EventId:
        return self._record(project, event, "/commands", "ada", None, None)

    def _answer(self, project: Project, event: Event, cause: EventId, processor: str, took_ms: int) -> EventId:
        return self._record(project, event, processor_source(processor, "1"), "disco", cause, took_ms)

    def _record(
        self, project: Project, event: Event, source: str, actor: str, cause: EventId | None, took_ms: int | None
    ) -> EventId:
        id = EventId(self._id())
        self._now_us += 250_000
        project.events.append(Proposed(id, project.id, event, self._now_us, source, actor, project.job, cause, took_ms))
        return id

    def _blob(self, media_type: str) -> Blob:
        digits = f"{self._chance.getrandbits(256):064x}"
        return Blob.model_construct(sha256=digits, size_bytes=self._chance.randrange(1 << 26), media_type=media_type)

    def _id(self) -> str:
        text = f"{self._chance.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def batches(size: int, count: int, *, seed: int = 1) -> list[list[Proposed]]:
    """So many batches of so many events, each of one project; every tenth of the projects is at work at a time."""
    made = Catalogue(0, seed=seed)
    units = -(-size // 24) + 1
    found: list[list[Proposed]] = []
    projects = [made.begin(units) for _ in range(min(20, count))]
    while len(found) < count:
        for project in projects[: count - len(found)]:
            while len(project.events) < size:
                made.unit(project)
            found.append(project.events[:size])
            project.events = project.events[size:]
    return found
