"""What fills a catalogue's events: names, beats, chords, embeddings; made once and drawn from, by seed."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from domain import ids
from domain.parameters import ACCOMPANIMENT_MODEL
from domain.values import Blob, ChordLine, pack_floats
from events import analyses, harmony, rhythm
from events.generations import AccompanimentRequested
from processors.likeness.space import DIMENSIONS, SPACE

VARIANTS = 64
WORDS = 4_000
TAGS = 300
CLUSTERS = 200
SPREAD = 0.5
BLOCK = 4_096
DURATION_S = 200.0
TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
QUALITIES = ("maj", "min", "7", "min7", "maj7", "sus4")
SYLLABLES = ("ba", "del", "ko", "ri", "mon", "sa", "tu", "ven", "lo", "pri", "ne", "gar", "hal", "is", "or", "quin")
MODEL = ids.model_version_id(*ACCOMPANIMENT_MODEL)


class Material:
    """Pools to draw from. Words follow Zipf's law, as in real names; embeddings lie in clusters of unequal size."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(f"material {seed}")
        self._rng = np.random.default_rng(seed)
        self.words = _words(chance)
        self._tags = self.words[:TAGS]
        self._weights = list(np.cumsum(1.0 / np.arange(1, WORDS + 1)))
        self._beats = [_beats(chance) for _ in range(VARIANTS)]
        self._chords = [_chords(chance) for _ in range(VARIANTS)]
        self._mfcc = [tuple(round(chance.gauss(0, 30), 4) for _ in range(20)) for _ in range(VARIANTS)]
        self._silences = [_silences(chance) for _ in range(VARIANTS)]
        centres = self._rng.normal(size=(CLUSTERS, DIMENSIONS))
        self._centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        self._vectors: list[str] = []

    def name(self, chance: random.Random, words: int) -> str:
        """Some words, common ones more often."""
        return " ".join(chance.choices(self.words, cum_weights=self._weights, k=words))

    def tag(self, chance: random.Random) -> str:
        """A tag."""
        return chance.choice(self._tags)

    def findings(self, chance: random.Random, asset: str) -> list[tuple[str, analyses.Analysis]]:
        """Nine findings in one audio asset, each with the processor that found it."""
        pick = chance.randrange(VARIANTS)
        return [*self._levels(chance, asset, pick), *self._music(chance, asset, pick)]

    def _levels(self, chance: random.Random, asset: str, pick: int) -> list[tuple[str, analyses.Analysis]]:
        lufs = round(chance.uniform(-30, -6), 2)
        digits = f"{chance.getrandbits(256):064x}"
        blob = Blob.model_construct(sha256=digits, size_bytes=180_000, media_type="application/x-npz")
        levels = analyses.AudioDescribed.model_construct(
            asset_id=asset, duration_s=DURATION_S, peak_dbfs=-0.3, rms_dbfs=lufs, dc_offset=0.0001, clipped_samples=0
        )
        waveform = analyses.WaveformDrawn.model_construct(asset_id=asset, pyramid=blob, levels=12, samples_per_bin=256)
        loudness = analyses.LoudnessMeasured.model_construct(
            asset_id=asset,
            integrated_lufs=lufs,
            range_lu=7.5,
            max_momentary_lufs=lufs + 6,
            max_short_term_lufs=lufs + 4,
            true_peak_dbtp=-0.1,
            curves=blob,
            curves_rate_hz=10.0,
        )
        features = analyses.FeaturesExtracted.model_construct(
            asset_id=asset,
            frames=blob,
            frame_rate_hz=86.1328125,
            centroid_hz=round(chance.uniform(400, 4_000), 3),
            bandwidth_hz=1_800.25,
            rolloff_hz=4_200.5,
            flatness=0.0123,
            zero_crossing_rate=0.0731,
            rms=0.0831,
            flux=0.412,
            onset_strength=1.31,
            tuning_semitones=-0.03,
            contrast_db=self._mfcc[pick][:7],
            mfcc=self._mfcc[pick],
            mfcc_std=self._mfcc[-1 - pick],
            chroma=self._mfcc[pick][:12],
            tonnetz=self._mfcc[pick][:6],
        )
        silence = analyses.SilenceFound.model_construct(
            asset_id=asset, leading_s=0.12, trailing_s=1.4, silent_share=0.03, stretches_s=self._silences[pick]
        )
        return [
            ("describe_audio", levels),
            ("draw_waveform", waveform),
            ("measure_loudness", loudness),
            ("extract_features", features),
            ("find_silence", silence),
        ]

    def _music(self, chance: random.Random, asset: str, pick: int) -> list[tuple[str, analyses.Analysis]]:
        tempo, beats = self._beats[pick]
        tonic = chance.choice(TONICS)
        mode = chance.choice(("major", "minor"))
        return [
            (
                "track_beats",
                rhythm.BeatsTracked.model_construct(asset_id=asset, tempo_bpm=tempo, confidence=0.8, beats_s=beats),
            ),
            (
                "estimate_key",
                harmony.KeyEstimated.model_construct(asset_id=asset, tonic=tonic, mode=mode, confidence=0.7),
            ),
            (
                "estimate_chords",
                harmony.ChordsEstimated.model_construct(asset_id=asset, confidence=0.6, line=self._chords[pick]),
            ),
            (
                "compute_embedding",
                analyses.EmbeddingComputed.model_construct(
                    asset_id=asset, space=SPACE, dimensions=DIMENSIONS, vector=self.vector()
                ),
            ),
        ]

    def request(self, **named: Any) -> AccompanimentRequested:
        """A request for an accompaniment, with the beats and chords it is to follow. Any: fields of the event."""
        pick = named["seed"] % VARIANTS
        return AccompanimentRequested.model_construct(
            **named,
            model_version_id=MODEL,
            parameters={"style": "pop", "density": 0.5, "swing": 0.1},
            duration_s=DURATION_S,
            beats_s=self._beats[pick][1],
            tonic="A",
            mode="minor",
            line=self._chords[pick],
        )

    def notes(self, chance: random.Random, asset: str) -> analyses.NotesDescribed:
        """What a MIDI file holds."""
        return analyses.NotesDescribed.model_construct(
            asset_id=asset,
            notes=chance.randrange(200, 4_000),
            duration_s=DURATION_S,
            tempo_bpm=120.0,
            metre="4/4",
            lowest_pitch=28,
            highest_pitch=88,
            notes_per_s=3.2,
            greatest_polyphony=6,
            programs=(0, 33),
        )

    def vector(self) -> str:
        """The next embedding: a cluster's centre and some noise, of unit length."""
        if not self._vectors:
            which = np.minimum(self._rng.zipf(1.3, BLOCK) - 1, CLUSTERS - 1)
            noise = self._rng.normal(size=(BLOCK, DIMENSIONS)) * (SPREAD / np.sqrt(DIMENSIONS))
            block = self._centres[which] + noise
            block /= np.linalg.norm(block, axis=1, keepdims=True)
            self._vectors = [pack_floats(vector) for vector in block]
        return self._vectors.pop()


def _words(chance: random.Random) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < WORDS:
        found["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4)))] = None
    return list(found)


def _beats(chance: random.Random) -> tuple[float, tuple[float, ...]]:
    tempo = round(chance.uniform(70, 170), 2)
    beats = int(DURATION_S * tempo / 60)
    return tempo, tuple(round(0.2 + beat * 60 / tempo + chance.gauss(0, 0.005), 3) for beat in range(1, beats))


def _chords(chance: random.Random) -> ChordLine:
    boundaries = tuple(round(at * 2.0 + chance.uniform(0, 0.5), 3) for at in range(101))
    labels = tuple(f"{chance.choice(TONICS)}:{chance.choice(QUALITIES)}" for _ in range(100))
    return ChordLine(boundaries_s=boundaries, labels=labels)


def _silences(chance: random.Random) -> tuple[tuple[float, float], ...]:
    starts = sorted(round(chance.uniform(0, DURATION_S), 3) for _ in range(chance.randrange(12)))
    return tuple((start, round(start + 0.5, 3)) for start in starts)
