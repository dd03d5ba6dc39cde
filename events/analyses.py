"""Analyses: what was found in an asset, one event a finding, its numbers inside, its bulk in a blob."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from domain.values import Blob, Metadata, PackedFloats, Seconds, Uuid, unpack_floats
from events.base import Event

Confidence = Annotated[float, Field(ge=0, le=1)]


class Analysis(Event):
    """Base: something was found in an asset.

    KIND names the finding; FACTS lists the fields short enough for the graph, the document and search.
    SERIES maps a field to the name of the series it is a point of.
    confidence: how sure it is, from 0 to 1; 1 where it is measured rather than estimated.
    """

    SUBJECT: ClassVar[str] = "asset_id"
    FINDING: ClassVar[bool] = True
    KIND: ClassVar[str] = ""
    FACTS: ClassVar[tuple[str, ...]] = ()
    SERIES: ClassVar[dict[str, str]] = {}
    asset_id: Uuid
    parameters: Metadata = {}
    confidence: Confidence = 1.0


class AudioDescribed(Analysis):
    """Levels of an audio file; levels are null where it is silent throughout."""

    TYPE: ClassVar[str] = "disco.audio.described"
    KIND: ClassVar[str] = "levels"
    FACTS: ClassVar[tuple[str, ...]] = ("duration_s", "peak_dbfs", "rms_dbfs", "dc_offset", "clipped_samples")
    duration_s: Seconds
    peak_dbfs: float | None
    rms_dbfs: float | None
    dc_offset: float
    clipped_samples: int


class WaveformDrawn(Analysis):
    """Minima and maxima at halving resolutions, to draw the wave at every zoom.

    The blob is .npz: arrays `level_0`, `level_1`, … of shape (channels, bins, 2), int16;
    a bin of level 0 covers `samples_per_bin` frames and each level halves the number of bins.
    """

    TYPE: ClassVar[str] = "disco.waveform.drawn"
    KIND: ClassVar[str] = "waveform"
    FACTS: ClassVar[tuple[str, ...]] = ("levels", "samples_per_bin")
    pyramid: Blob
    levels: int
    samples_per_bin: int


class LoudnessMeasured(Analysis):
    """Loudness by ITU-R BS.1770-4 and EBU R 128; null where all is below the absolute gate.

    The blob is .npz: arrays `momentary_lufs` and `short_term_lufs`, float32, one value every 100 ms, the first where
    its 400 ms or 3 s are whole; nothing is below -120.
    """

    TYPE: ClassVar[str] = "disco.loudness.measured"
    KIND: ClassVar[str] = "loudness"
    FACTS: ClassVar[tuple[str, ...]] = ("integrated_lufs", "range_lu", "true_peak_dbtp")
    SERIES: ClassVar[dict[str, str]] = {"integrated_lufs": "loudness_lufs"}
    integrated_lufs: float | None
    range_lu: float | None
    max_momentary_lufs: float | None
    max_short_term_lufs: float | None
    true_peak_dbtp: float | None
    curves: Blob
    curves_rate_hz: float


class FeaturesExtracted(Analysis):
    """Spectral features, MFCC and pitch classes: per frame in the blob (.npz, one array a feature), means here.

    contrast_db: 0 to 200 Hz and the six octaves from there; mfcc and mfcc_std: 20; chroma: 12 from C; tonnetz: 6.
    """

    TYPE: ClassVar[str] = "disco.features.extracted"
    KIND: ClassVar[str] = "features"
    FACTS: ClassVar[tuple[str, ...]] = ("centroid_hz", "bandwidth_hz", "rolloff_hz", "flatness", "zero_crossing_rate")
    frames: Blob
    frame_rate_hz: float
    centroid_hz: float
    bandwidth_hz: float
    rolloff_hz: float
    flatness: float
    zero_crossing_rate: float
    rms: float
    flux: float
    onset_strength: float
    tuning_semitones: float
    contrast_db: tuple[float, ...]
    mfcc: tuple[float, ...]
    mfcc_std: tuple[float, ...]
    chroma: tuple[float, ...]
    tonnetz: tuple[float, ...]


class SilenceFound(Analysis):
    """Stretches below the threshold, as (start, end) in seconds; none is an answer too."""

    TYPE: ClassVar[str] = "disco.silence.found"
    KIND: ClassVar[str] = "silence"
    FACTS: ClassVar[tuple[str, ...]] = ("leading_s", "trailing_s", "silent_share")
    leading_s: Seconds
    trailing_s: Seconds
    silent_share: Confidence
    stretches_s: tuple[tuple[float, float], ...]


class EmbeddingComputed(Analysis):
    """A vector in which what sounds alike lies near: unit length, compared by cosine."""

    TYPE: ClassVar[str] = "disco.embedding.computed"
    KIND: ClassVar[str] = "embedding"
    FACTS: ClassVar[tuple[str, ...]] = ("space", "dimensions")
    space: str
    dimensions: int
    vector: PackedFloats

    @model_validator(mode="after")
    def _measured(self) -> Self:
        if len(unpack_floats(self.vector)) != self.dimensions:
            raise ValueError(f"the vector has {len(unpack_floats(self.vector))} numbers, not {self.dimensions}")
        return self


class NotesDescribed(Analysis):
    """What a MIDI file or score holds; pitches as MIDI numbers, null where there is no note."""

    TYPE: ClassVar[str] = "disco.notes.described"
    KIND: ClassVar[str] = "notes"
    FACTS: ClassVar[tuple[str, ...]] = ("notes", "duration_s", "tempo_bpm", "metre", "lowest_pitch", "highest_pitch")
    notes: int
    duration_s: Seconds
    tempo_bpm: float | None
    metre: str | None
    lowest_pitch: int | None
    highest_pitch: int | None
    notes_per_s: float
    greatest_polyphony: int
    programs: tuple[int, ...]
