"""One payload of every event type, and the small values they are made of."""

from __future__ import annotations

import hashlib

import numpy as np

from domain import ids
from domain.ids import ProjectId, ResourceId
from domain.values import AudioFacts, Blob, ChordLine, NoteFacts, pack_floats
from events import (
    analyses,
    exports,
    generations,
    harmony,
    imports,
    lyrics,
    models,
    processing,
    quality,
    resources,
    rhythm,
    structure,
    timbre,
)
from events import melody as heard_melody
from events.base import Event

PROJECT = ids.project_id("Tests")
TRACK = ids.track_id(PROJECT, "Take 1")
MODEL = ids.model_version_id("accompaniment", "1")


def blob(text: str, media_type: str = "application/octet-stream") -> Blob:
    """The name of this text as a blob; nothing is stored."""
    data = text.encode()
    return Blob(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), media_type=media_type)


def asset_of(content: Blob, project: ProjectId = PROJECT) -> ResourceId:
    """The id of the asset that this content is in a project."""
    return ids.asset_id(project, content.sha256)


def audio_facts(frames: int = 44_100) -> AudioFacts:
    """Facts of a mono file at 44.1 kHz."""
    return AudioFacts(container="wav", encoding="pcm_16", rate_hz=44_100, channels=1, frames=frames)


def note_facts() -> NoteFacts:
    """Facts of a short MIDI file."""
    return NoteFacts(format="midi 1", notes=12, tracks=2, duration_s=3.5)


def line() -> ChordLine:
    """Two chords of a second each."""
    return ChordLine(boundaries_s=(0.0, 1.0, 2.0), labels=("A:min", "F"))


def vector(seed: int, dimensions: int = 128) -> str:
    """A unit vector, packed."""
    values = np.random.default_rng(seed).standard_normal(dimensions)
    return pack_floats(values / np.linalg.norm(values))


def audio(text: str = "audio", *, project: ProjectId = PROJECT, container: str | None = None) -> imports.AudioImported:
    """An audio file was imported."""
    content = blob(text, "audio/wav")
    return imports.AudioImported(
        asset_id=asset_of(content, project),
        project_id=project,
        container_id=container or project,
        name=f"{text} name",
        content=content,
        facts=audio_facts(),
        file_name=f"{text}.wav",
        tags={"artist": "Ada"},
    )


def notes(text: str = "notes", *, project: ProjectId = PROJECT, container: str | None = None) -> imports.MidiImported:
    """A MIDI file was imported."""
    content = blob(text, "audio/midi")
    return imports.MidiImported(
        asset_id=asset_of(content, project),
        project_id=project,
        container_id=container or project,
        name=f"{text} name",
        content=content,
        facts=note_facts(),
        file_name=f"{text}.mid",
    )


def findings(asset: str, seed: int = 1) -> dict[str, analyses.Analysis]:
    """Every analysis of one asset, by kind."""
    value = (seed % 100) / 100
    made: tuple[analyses.Analysis, ...] = (
        analyses.AudioDescribed(
            asset_id=asset, duration_s=1.0, peak_dbfs=-6.0 - value, rms_dbfs=-9.0, dc_offset=0.0, clipped_samples=0
        ),
        analyses.WaveformDrawn(asset_id=asset, pyramid=blob(f"pyramid {seed}"), levels=3, samples_per_bin=256),
        analyses.LoudnessMeasured(
            asset_id=asset,
            integrated_lufs=-14.0 - value,
            range_lu=3.5,
            max_momentary_lufs=-10.0,
            max_short_term_lufs=-11.0,
            true_peak_dbtp=-1.5,
            curves=blob(f"curves {seed}"),
            curves_rate_hz=10.0,
        ),
        analyses.FeaturesExtracted(
            asset_id=asset,
            frames=blob(f"frames {seed}"),
            frame_rate_hz=86.1328125,
            centroid_hz=1500.0 + value,
            bandwidth_hz=900.0,
            rolloff_hz=3000.0,
            flatness=0.25,
            zero_crossing_rate=0.125,
            rms=0.1,
            flux=0.5,
            onset_strength=1.5,
            tuning_semitones=-0.12,
            contrast_db=tuple(float(n) for n in range(7)),
            mfcc=tuple(float(n) for n in range(20)),
            mfcc_std=tuple(1.0 for _ in range(20)),
            chroma=tuple(n / 12 for n in range(12)),
            tonnetz=tuple(n / 6 - 0.5 for n in range(6)),
        ),
        analyses.SilenceFound(
            asset_id=asset, leading_s=0.5, trailing_s=0.25, silent_share=0.1, stretches_s=((0.0, 0.5), (9.0, 9.25))
        ),
        lyrics.LyricsAnalysed(
            asset_id=asset,
            line_count=1,
            first_line="Amazing grace",
            timed=True,
            language="en",
            confidence=0.5,
            sentiment=0.75,
            sentiment_confidence=0.5,
            offset_s=0.25,
            offset_confidence=0.5,
            lines=(
                lyrics.LyricLine(
                    text="Amazing grace",
                    section=0,
                    start_s=0.5,
                    end_s=2.0,
                    syllables=4,
                    rhyme="A",
                    words=(lyrics.SungWord(text="Amazing", start_s=0.5),),
                    phrase_s=(0.75, 1.75),
                ),
            ),
            sections=(lyrics.LyricSection(label="verse", first_line=0, lines=1, like=0, scheme="A"),),
        ),
        quality.QualityAssessed(
            asset_id=asset,
            confidence=0.75,
            dc=0.0125,
            noise_floor_dbfs=-66.0 - value,
            snr_db=48.5,
            bandwidth_hz=16_000.0,
            hum_hz=50.0,
            hum_dbfs=-52.5,
            correlation=0.75,
            mono_loss_db=0.5,
            delay_ms=0.0,
            fault_kinds=2,
            clipped_peaks=0,
            clicks=1,
            dropouts=0,
            faults=(
                quality.Fault(kind="hum", start_s=0.0, end_s=1.0, severity=0.5, confidence=0.75),
                quality.Fault(kind="click", start_s=0.5, end_s=0.5005, severity=0.25, confidence=0.875),
            ),
        ),
        rhythm.BeatsTracked(
            asset_id=asset,
            tempo_bpm=120.0 + value,
            confidence=0.75,
            beats_s=(0.0, 0.5, 1.0, 1.5),
            downbeats=(0,),
            metre="4/4",
            metre_confidence=0.5,
            tempo_curve=((0.0, 120.0), (1.5, 121.0)),
            swing=0.625,
        ),
        rhythm.OnsetsFound(asset_id=asset, count=12, density_per_s=2.5, confidence=0.75, onsets=blob(f"onsets {seed}")),
        rhythm.GrooveDescribed(
            asset_id=asset,
            places=4,
            histogram=(1.0, 0.25, 0.5, 0.0),
            early_ms=(0.0, -12.5, 3.0, None),
            syncopation=0.25,
            confidence=0.5,
        ),
        harmony.KeyEstimated(
            asset_id=asset,
            tonic="A",
            mode="minor",
            confidence=0.5,
            tuning_cents=-7.5,
            spans=(harmony.KeySpan(start_s=0.0, end_s=2.0, tonic="A", mode="minor"),),
        ),
        harmony.ChordsEstimated(asset_id=asset, confidence=0.5, line=line()),
        harmony.HarmonyAnalysed(
            asset_id=asset,
            confidence=0.5,
            boundaries_s=(0.0, 1.0, 2.0),
            numerals=("V6/5", "i"),
            functions=("D", "T"),
            fits=("916191916191", "916191916191"),
            keys=(harmony.KeySpan(start_s=0.0, end_s=2.0, tonic="A", mode="minor"),),
            cadences=(harmony.Cadence(at_s=1.0, chord=1, kind="authentic", confidence=0.75),),
            cadence_count=1,
            modulations=0,
        ),
        structure.StructureAnalysed(
            asset_id=asset,
            confidence=0.5,
            form="A B",
            section_count=2,
            phrase_count=1,
            sections=(
                structure.Section(start_s=0.0, end_s=1.0, label="A", name="verse", confidence=0.75),
                structure.Section(start_s=1.0, end_s=2.0, label="B", semitones=2, confidence=0.25),
            ),
            phrases=(structure.SectionPhrase(start_s=0.25, end_s=1.0, confidence=0.5),),
        ),
        heard_melody.MelodyTracked(
            asset_id=asset,
            material="voice",
            frames=blob(f"melody of {asset}"),
            frame_rate_hz=100.0,
            voiced_share=0.75,
            lowest_pitch=57.0,
            median_pitch=60.5,
            highest_pitch=64.0,
            notes=4,
            leaps=2,
            glides=1,
            vibrato_notes=1,
            vibrato_hz=5.5,
            vibrato_cents=40.0,
            confidence=0.875,
        ),
        heard_melody.NotesTranscribed(
            asset_id=asset,
            midi=blob(f"notes of {asset}", "audio/midi"),
            facts=note_facts(),
            table=blob(f"table of {asset}"),
            notes=12,
            notes_per_s=6.0,
            lowest_pitch=45,
            highest_pitch=64,
            greatest_polyphony=3,
            confidence=0.625,
        ),
        timbre.TimbreDescribed(
            asset_id=asset, brightness_hz=1200.0 + value, roughness=0.25, warmth_db=3.5, attack_ms=12.5, confidence=1.0
        ),
        timbre.InstrumentHeard(
            asset_id=asset,
            family="strings",
            confidence=0.75,
            likely=(
                timbre.FamilyShare(family="strings", share=0.75),
                timbre.FamilyShare(family="reed", share=0.125),
            ),
        ),
        timbre.TagsHeard(
            asset_id=asset,
            words="slow dark strings",
            confidence=0.75,
            tags=tuple(timbre.HeardTag(word=word, confidence=0.75) for word in ("slow", "dark", "strings")),
        ),
        analyses.EmbeddingComputed(asset_id=asset, space="timbre-1", dimensions=128, vector=vector(seed)),
        analyses.NotesDescribed(
            asset_id=asset,
            notes=12,
            duration_s=3.5,
            tempo_bpm=96.0,
            metre="3/4",
            lowest_pitch=40,
            highest_pitch=76,
            notes_per_s=3.428,
            greatest_polyphony=3,
            programs=(0, 33),
        ),
    )
    return {analysis.KIND: analysis for analysis in made}


def accompaniment(asset: str, *, project: ProjectId = PROJECT, seed: int = 7) -> generations.AccompanimentRequested:
    """Somebody asked for an accompaniment."""
    return generations.AccompanimentRequested(
        generation_id=ids.derived("generation", asset, seed),
        project_id=project,
        asset_id=asset,
        container_id=project,
        name=f"Accompaniment {seed}",
        model_version_id=MODEL,
        seed=seed,
        parameters={"style": "pop", "density": 0.5},
        analysis_ids=tuple(ids.derived("analysis", asset, kind) for kind in ("beats", "key", "chords")),
        duration_s=2.0,
        beats_s=(0.0, 0.5, 1.0, 1.5),
        tonic="A",
        mode="minor",
        line=line(),
    )


def generated(asked: generations.AccompanimentRequested) -> generations.MidiGenerated:
    """The generator wrote its MIDI file."""
    content = blob(f"midi of {asked.generation_id}", "audio/midi")
    return generations.MidiGenerated(
        asset_id=asset_of(content, ProjectId(asked.project_id)),
        project_id=asked.project_id,
        container_id=asked.container_id,
        name=asked.name,
        content=content,
        facts=note_facts(),
        generation_id=asked.generation_id,
        source_ids=(asked.asset_id,),
    )


def transcribed(source: imports.AudioAdded) -> generations.MidiTranscribed:
    """Somebody made an asset of the notes of a recording."""
    content = blob(f"notes of {source.asset_id}", "audio/midi")
    return generations.MidiTranscribed(
        asset_id=asset_of(content, ProjectId(source.project_id)),
        project_id=source.project_id,
        container_id=source.container_id,
        name=f"{source.name} (notes)",
        content=content,
        facts=note_facts(),
        source_id=source.asset_id,
        analysis_id=ids.derived("analysis", source.asset_id, "transcription"),
    )


def rendered(source: imports.NotesAdded) -> generations.AudioRendered:
    """Notes were played to audio."""
    content = blob(f"sound of {source.asset_id}", "audio/flac")
    return generations.AudioRendered(
        asset_id=asset_of(content, ProjectId(source.project_id)),
        project_id=source.project_id,
        container_id=source.container_id,
        name=f"{source.name} (rendered)",
        content=content,
        facts=audio_facts(88_200),
        source_id=source.asset_id,
        model_version_id=MODEL,
        parameters={"gain_db": -3.0},
    )


def failed(resource: str, cause: str) -> processing.ProcessingFailed:
    """A processor gave up."""
    return processing.ProcessingFailed(
        cause_id=cause,
        resource_id=resource,
        processor="track_beats",
        attempts=3,
        code="internal",
        message="ValueError: no",
        traceback_digest="0123456789abcdef",
    )


def one_of_each() -> list[Event]:
    """At least one payload of every event type, in an order in which they could happen."""
    song, melody = audio("song", container=TRACK), notes("melody")
    score = imports.ScoreImported(
        **{**melody.model_dump(), "asset_id": asset_of(blob("score")), "content": blob("score")},
        tags={"composer": "Élisabeth Jacquet de La Guerre"},
    )
    asked = accompaniment(song.asset_id)
    cause = ids.derived("cause")
    return [
        models.ModelVersionRegistered(model_version_id=MODEL, name="accompaniment", version="1", card={"kind": "x"}),
        resources.ProjectCreated(project_id=PROJECT, name="Tests"),
        resources.TrackCreated(track_id=TRACK, project_id=PROJECT, name="Take 1"),
        song,
        melody,
        score,
        imports.AssetImportedAgain(
            asset_id=song.asset_id, project_id=PROJECT, container_id=PROJECT, name="song", file_name="copy of song.wav"
        ),
        *findings(song.asset_id).values(),
        asked,
        generated(asked),
        rendered(melody),
        transcribed(song),
        failed(song.asset_id, cause),
        processing.RetryRequested(
            cause_id=cause,
            resource_id=song.asset_id,
            failure_id=ids.derived("failure"),
            processor="track_beats",
        ),
        processing.ReprocessingRequested(project_id=PROJECT, processors=("track_beats",)),
        processing.RepeatRequested(cause_id=cause, resource_id=song.asset_id, processors=("track_beats",)),
        processing.ReprocessingPlanned(project_id=PROJECT, request_id=ids.derived("request"), causes=1, answers=1),
        resources.ResourceRenamed(resource_id=song.asset_id, name="Ärger 🎵"),
        resources.ResourceTagged(resource_id=song.asset_id, added=("live", "rough"), removed=("old",)),
        resources.ResourceTagged(
            resource_id=ids.derived("analysis", song.asset_id, "key"),
            found_in=resources.FoundIn(asset_id=song.asset_id, kind="key"),
            added=("trusted",),
        ),
        resources.ResourceDescribed(resource_id=song.asset_id, changes={"isrc": "XX", "takes": [1, 2], "gone": None}),
        resources.ResourceMoved(resource_id=song.asset_id, from_id=TRACK, to_id=PROJECT),
        resources.ResourceArchived(resource_id=song.asset_id),
        resources.ResourceRestored(resource_id=song.asset_id),
        resources.VersionLinked(resource_id=score.asset_id, previous_id=melody.asset_id),
        exports.LineageExported(
            export_id=ids.derived("export"),
            project_id=PROJECT,
            source_id=song.asset_id,
            name="song (prov)",
            format="prov",
            position=12,
            content=blob("{}", "application/json"),
        ),
    ]
