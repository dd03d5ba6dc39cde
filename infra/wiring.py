"""Every handler there is: a new analysis or generator is one line here."""

from __future__ import annotations

from collections.abc import Mapping

from domain import ids
from domain.parameters import ACCOMPANIMENT_MODEL
from events.catalogue import EVENT_TYPES
from events.models import ModelVersionRegistered
from processors.audio.describe import describe_audio
from processors.audio.features import extract_features
from processors.audio.loudness import measure_loudness
from processors.audio.silence import find_silence
from processors.audio.waveform import draw_waveform
from processors.generation.accompaniment import ACCOMPANIMENT_CARD, write_accompaniment
from processors.handler import Processor, consumes
from processors.harmony.analysis import analyse_harmony, estimate_chords, estimate_key
from processors.likeness.embedding import compute_embedding
from processors.lyrics.analysis import analyse_lyrics
from processors.melody.analysis import track_melody
from processors.midi.describe import describe_notes
from processors.quality.assess import assess_quality
from processors.rhythm.beats import track_beats
from processors.rhythm.groove import describe_groove
from processors.rhythm.onsets import find_onsets
from processors.structure.analysis import analyse_structure
from processors.synthesis.render import INSTRUMENT_CARD, INSTRUMENT_MODEL, render_notes
from processors.timbre.family import hear_instrument
from processors.timbre.measures import describe_timbre
from processors.timbre.words import hear_tags
from processors.transcription.written import transcribe_notes

HANDLERS: tuple[Processor, ...] = (
    describe_audio,
    draw_waveform,
    measure_loudness,
    extract_features,
    find_silence,
    assess_quality,
    track_beats,
    find_onsets,
    describe_groove,
    estimate_key,
    estimate_chords,
    analyse_harmony,
    analyse_structure,
    track_melody,
    transcribe_notes,
    describe_timbre,
    hear_instrument,
    analyse_lyrics,
    hear_tags,
    compute_embedding,
    describe_notes,
    render_notes,
    write_accompaniment,
)

MODELS: tuple[ModelVersionRegistered, ...] = tuple(
    ModelVersionRegistered(model_version_id=ids.model_version_id(name, version), name=name, version=version, card=card)
    for (name, version), card in ((ACCOMPANIMENT_MODEL, ACCOMPANIMENT_CARD), (INSTRUMENT_MODEL, INSTRUMENT_CARD))
)
"""What generations and renders are made by; registered when the data folder is first opened."""

PROCESSORS: Mapping[str, Processor] = {handler.name: handler for handler in HANDLERS}

WARM = (
    "infra.tasks",
    "scipy.fft",
    "scipy.signal",
    "scipy.ndimage",
    "scipy.cluster.hierarchy",
    "soxr",
    "numba.core.typing.cffi_utils",
    "onnxruntime",
    "processors.audio.descent",
    "processors.melody.lines",
    "processors.rhythm.beat_path",
    "processors.transcription.candidates",
    "processors.quality.scanning",
)
"""What a worker imports before it analyses its first sound; seconds, so the service has it done beforehand."""

CONSUMERS: Mapping[str, tuple[str, ...]] = {
    name: tuple(handler.name for handler in HANDLERS if issubclass(kind, consumes(handler)))
    for name, kind in EVENT_TYPES.items()
}
"""Event type -> the processors that answer it."""
