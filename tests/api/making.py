"""A small catalogue made of events, no processor needed: what a service looks like after some work was done in it."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field

import numpy as np

from domain import ids
from domain.ids import EventId, ProjectId
from domain.service import Service
from domain.values import AudioFacts, Blob, ChordLine, NoteFacts, pack_floats
from events.analyses import Analysis, EmbeddingComputed, LoudnessMeasured
from events.base import Event
from events.envelope import Proposed, processor_source
from events.generations import AccompanimentRequested, MidiGenerated
from events.harmony import KeyEstimated
from events.imports import AudioImported
from events.processing import ProcessingFailed
from events.resources import ProjectCreated
from events.rhythm import BeatsTracked


@dataclass
class Catalogue:
    """Appends events to a service's log; `assets` by the name they were given."""

    service: Service
    project: ProjectId
    assets: dict[str, str] = field(default_factory=dict)
    count: int = 0
    begun_us: int = 0

    def append(self, *events: Event, source: str = "/commands", job: str = "job-1") -> list[str]:
        """Append events of the project; returns their ids."""
        proposals = []
        for event in events:
            self.count += 1
            proposals.append(
                Proposed(
                    id=EventId(ids.derived("test", self.project, self.count)),
                    project=self.project,
                    data=event,
                    time_us=self.begun_us + self.count * 1_000_000,
                    source=source,
                    actor="ada",
                    correlation=job,
                    duration_ms=12 if source != "/commands" else None,
                )
            )
        self.service.log.append(proposals)
        return [proposal.id for proposal in proposals]

    def audio(self, name: str) -> str:
        """An imported audio file."""
        content = self.service.blobs.put(f"audio {name}".encode() * 100, "audio/wav")
        id = ids.asset_id(self.project, content.sha256)
        facts = AudioFacts(container="WAV", encoding="PCM_16", rate_hz=44100, channels=2, frames=441_000)
        self.append(
            AudioImported(
                asset_id=id, project_id=self.project, container_id=self.project, name=name, content=content,
                facts=facts, file_name=f"{name}.wav", tags={"title": name},
            )
        )  # fmt: skip
        self.assets[name] = id
        return id

    def analysed(self, asset: str, *, lufs: float = -14.0, seed: int = 0) -> list[str]:
        """Three findings and an embedding."""
        vector = np.random.default_rng(seed).normal(size=128)
        found: tuple[Analysis, ...] = (
            LoudnessMeasured(
                asset_id=asset, integrated_lufs=lufs, range_lu=6.0, max_momentary_lufs=-9.0,
                max_short_term_lufs=-10.0, true_peak_dbtp=-1.0, curves_rate_hz=10.0,
                curves=Blob(sha256="c" * 64, size_bytes=8, media_type="application/x-npz"),
            ),
            BeatsTracked(asset_id=asset, tempo_bpm=120.0, confidence=0.9, beats_s=(0.5, 1.0, 1.5), downbeats=(1,)),
            KeyEstimated(asset_id=asset, tonic="A", mode="minor", confidence=0.8),
            EmbeddingComputed(
                asset_id=asset, space="test-1", dimensions=128, vector=pack_floats(vector / np.linalg.norm(vector))
            ),
        )  # fmt: skip
        return [self.append(one, source=processor_source("analyse", "3"))[0] for one in found]

    def generated(self, name: str, sources: list[str], *, analyses: tuple[str, ...] = (), seed: int = 7) -> str:
        """A MIDI file that a generator wrote from sources."""
        generation = ids.derived("test generation", self.project, name)
        model = ids.model_version_id("accompaniment", "1")
        self.append(
            AccompanimentRequested(
                generation_id=generation, project_id=self.project, asset_id=sources[0], container_id=self.project,
                name=name, model_version_id=model, seed=seed, parameters={"style": "pop"}, analysis_ids=analyses,
                duration_s=10.0, beats_s=(), tonic="A", mode="minor", line=ChordLine(),
            )
        )  # fmt: skip
        return self.midi(name, generation, sources)

    def midi(self, name: str, generation: str, sources: list[str]) -> str:
        """The MIDI file of a generation."""
        content = self.service.blobs.put(f"midi {name}".encode(), "audio/midi")
        id = ids.asset_id(self.project, content.sha256)
        self.append(
            MidiGenerated(
                asset_id=id, project_id=self.project, container_id=self.project, name=name, content=content,
                facts=NoteFacts(format="midi 1", notes=3, tracks=1, duration_s=10.0), generation_id=generation,
                source_ids=tuple(sources),
            ),
            source=processor_source("write_accompaniment", "1"),
        )  # fmt: skip
        self.assets[name] = id
        return id

    def failed(self, asset: str) -> str:
        """A dead letter."""
        failure = ProcessingFailed(
            cause_id=ids.derived("cause", asset), resource_id=asset, processor="track_beats", attempts=3,
            code="malformed", message="no samples", traceback_digest="0" * 16,
        )  # fmt: skip
        return self.append(failure, source=processor_source("track_beats", "1"))[0]


def catalogue(service: Service, name: str = "Demo") -> Catalogue:
    """A catalogue in a new project."""
    project = ids.project_id(name)
    made = Catalogue(service, project, begun_us=service.clock.now_us())
    made.append(ProjectCreated(project_id=project, name=name))
    return made


def braided(made: Catalogue, levels: tuple[int, ...], *, parents: int = 2, seed: int = 1) -> str:
    """A lineage of MIDI files, level under level, each made from some of the level above; returns the last one's id."""
    chance = random.Random(seed)
    above = [made.audio(f"source {index}") for index in range(levels[0])]
    for depth, width in enumerate(levels[1:]):
        above = [
            _mix(made, f"mix {depth}.{index}", chance.sample(above, min(parents, len(above)))) for index in range(width)
        ]
    return above[-1]


def _mix(made: Catalogue, name: str, sources: list[str]) -> str:
    content = Blob(sha256=hashlib.sha256(name.encode()).hexdigest(), size_bytes=10, media_type="audio/midi")
    id = ids.asset_id(made.project, content.sha256)
    made.append(
        MidiGenerated(
            asset_id=id, project_id=made.project, container_id=made.project, name=name, content=content,
            facts=NoteFacts(format="midi 1", notes=3, tracks=1, duration_s=10.0),
            generation_id=ids.derived("none", name), source_ids=tuple(sources),
        ),
        source=processor_source("write_accompaniment", "1"),
    )  # fmt: skip
    return id
