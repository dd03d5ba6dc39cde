"""No sound, however odd, breaks an analysis or makes it invent something."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from audio_material import analyse, chord, clicks, noise, sine

from domain.errors import Unanalysable
from domain.values import unpack_floats
from events.envelope import decode_as
from events.imports import AudioAdded
from infra.wiring import HANDLERS
from processors.audio.loudness import measure_loudness
from processors.audio.signal import Signal
from processors.handler import consumes
from processors.harmony.analysis import estimate_chords, estimate_key
from processors.likeness.embedding import compute_embedding
from processors.rhythm.beats import track_beats


def one_in(period: int, frames: int) -> np.ndarray:
    """Single samples at full scale in silence, shape (1, frames)."""
    return (np.arange(frames) % period == period // 2).astype(np.float64)[None]


def speech(duration_s: float, *, rate_hz: int = 16_000) -> np.ndarray:
    """Syllables: a gliding buzz through wandering formants, hisses between, pauses; shape (1, frames)."""
    rng, parts = np.random.default_rng(11), []
    while sum(map(len, parts)) < duration_s * rate_hz:
        times = np.arange(int(rng.uniform(0.08, 0.25) * rate_hz)) / rate_hz
        f0_hz = rng.uniform(90, 160) * np.exp(rng.uniform(-2, 2) * times)
        buzz = np.sign(np.sin(2 * np.pi * np.cumsum(f0_hz) / rate_hz))
        formants = [np.sin(2 * np.pi * rng.uniform(low, 3 * low) * times) for low in (300, 900)]
        parts.append(np.hanning(len(times)) * (buzz * sum(formants) / 4))
        parts.append(0.1 * rng.standard_normal(int(rng.uniform(0.03, 0.1) * rate_hz)))
        parts.append(np.zeros(int(rng.exponential(0.1) * rate_hz)))
    return np.concatenate(parts)[None, : round(duration_s * rate_hz)]


MAKERS = {
    "silence": lambda: (np.zeros((2, 44_100 * 3)), 44_100),
    "one sample": lambda: (np.full((1, 1), 0.5), 44_100),
    "one silent sample": lambda: (np.zeros((1, 1)), 192_000),
    "DC": lambda: (np.full((1, 44_100 * 4), 0.5), 44_100),
    "DC at 8 kHz": lambda: (np.full((1, 8000), -0.25), 8000),
    "8 kHz mono": lambda: (sine(440, 2, rate_hz=8000), 8000),
    "4 kHz mono": lambda: (sine(440, 2, rate_hz=4000), 4000),
    "192 kHz": lambda: (noise(2, channels=2, rate_hz=192_000), 192_000),
    "6 channels": lambda: (noise(3, channels=6), 48_000),
    "0.05 s": lambda: (sine(440, 0.05, rate_hz=44_100), 44_100),
    "0.05 s of noise": lambda: (noise(0.05), 44_100),
    "noise": lambda: (noise(20, channels=2), 44_100),
    "past full scale": lambda: (sine(440, 2, peak_dbfs=60), 48_000),
    "below 16 bits": lambda: (sine(440, 2, peak_dbfs=-120), 48_000),
    "smallest numbers": lambda: (np.full((1, 44_100), 1e-42), 44_100),
    "channels that cancel": lambda: (np.concatenate([noise(3), -noise(3)]), 44_100),
    "clicks only": lambda: (one_in(4410, 44_100 * 4), 44_100),
    "speech": lambda: (speech(6), 16_000),
    "brown noise": lambda: (np.cumsum(noise(4), axis=1) / 300, 44_100),
    "square at full scale": lambda: (np.sign(sine(55, 2, rate_hz=44_100)), 44_100),
    "64 channels": lambda: (noise(0.5, channels=64), 44_100),
    "10 minutes": lambda: (np.tile(clicks(120, 10)[0], (1, 60)), 44_100),
}
NO_CHORDS = tuple(name for name in MAKERS if name.split()[-1] in {"silence", "sample", "DC", "noise", "numbers"})
NO_BEATS = (*NO_CHORDS, "DC at 8 kHz", "0.05 s", "8 kHz mono", "below 16 bits")

PROCESSORS = [handler for handler in HANDLERS if consumes(handler) is AudioAdded]


@cache
def heard(name: str) -> Signal:
    """A nasty signal, made once."""
    samples, rate_hz = MAKERS[name]()
    return Signal(samples.astype(np.float32), rate_hz)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: processor.name)
@pytest.mark.filterwarnings("error")
def test_an_analysis_answers_for_any_sound(processor, name, blobs):
    """Given any sound, when analysed, then there is an event that reads back as it was, or it is refused."""
    try:
        found = analyse(processor, heard(name), blobs)
    except Unanalysable:
        return
    assert decode_as(type(found), found.VERSION, found.model_dump_json().encode(), where="test") == found


@pytest.mark.parametrize("name", ["silence", "one silent sample", "smallest numbers"])
@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: processor.name)
def test_nothing_is_found_in_nothing_with_confidence(processor, name, blobs):
    """Given silence, when analysed, then whatever says how sure it is says that it is not."""
    try:
        found = analyse(processor, heard(name), blobs)
    except Unanalysable:
        return
    estimated = "confidence" in type(found).__annotations__
    assert not estimated or found.confidence <= 0.2


@pytest.mark.parametrize("name", NO_CHORDS)
def test_no_chord_or_key_is_invented(name):
    """Given what has no pitch, when chords and key are estimated, then there are none."""
    found = analyse(estimate_chords, heard(name))
    assert [chord.label for chord in found.chords] == ["N"]
    assert found.confidence == 0
    assert analyse(estimate_key, heard(name)).tonic is None


@pytest.mark.parametrize("name", NO_BEATS)
def test_no_beat_is_invented(name):
    """Given what has no beat, when tracked, then there is neither beat nor tempo."""
    found = analyse(track_beats, heard(name))
    assert (found.tempo_bpm, found.beats_s, found.confidence) == (None, (), 0)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("duration_s", [0.5, 1, 2, 4, 8])
def test_no_beat_or_chord_is_heard_in_any_noise(seed, duration_s):
    """Given noise of any length, when analysed, then there is neither beat nor chord nor key."""
    signal = Signal(noise(duration_s, seed=seed), 44_100)
    assert analyse(track_beats, signal).beats_s == ()
    assert {chord.label for chord in analyse(estimate_chords, signal).chords} == {"N"}
    assert analyse(estimate_key, signal).tonic is None


@pytest.mark.parametrize("name", MAKERS)
def test_chords_cover_the_file_without_gap(name):
    """Given any sound, when chords are estimated, then each begins where the one before ends, from 0 to the end."""
    chords = analyse(estimate_chords, heard(name)).chords
    assert chords[0].start_s == 0
    assert chords[-1].end_s == pytest.approx(heard(name).duration_s, abs=1e-6)
    assert all(before.end_s == after.start_s for before, after in pairwise(chords))
    assert all(chord.start_s < chord.end_s for chord in chords)


@pytest.mark.parametrize("name", MAKERS)
def test_an_embedding_has_unit_length(name):
    """Given any sound, silence too, when embedded, then the vector has 128 dimensions and unit length."""
    vector = unpack_floats(analyse(compute_embedding, heard(name)).vector)
    assert vector.shape == (128,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_silence_has_no_loudness(blobs):
    """Given silence, when measured, then loudness and peak are null."""
    found = analyse(measure_loudness, heard("silence"), blobs)
    assert found.integrated_lufs is found.true_peak_dbtp is found.range_lu is found.max_momentary_lufs is None


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: processor.name)
def test_the_same_sound_gives_the_same_bytes(processor, blobs):
    """Given one sound decoded twice, when analysed, then events and blobs are equal byte by byte."""
    samples = (chord([48, 52, 55], 2) + clicks(120, 2)[0]).astype(np.float32)
    first = analyse(processor, Signal(samples.copy(), 44_100), blobs)
    stored = set(blobs.contents)
    assert analyse(processor, Signal(samples.copy(), 44_100), blobs).model_dump_json() == first.model_dump_json()
    assert set(blobs.contents) == stored


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(bad):
    """Given NaN or infinity among the samples, when a signal is made, then it cannot be analysed."""
    samples = np.zeros((2, 100), np.float32)
    samples[1, 50] = bad
    with pytest.raises(Unanalysable):
        Signal(samples, 44_100)


def test_a_signal_without_samples_is_refused():
    """Given no samples, when a signal is made, then it cannot be analysed."""
    with pytest.raises(Unanalysable):
        Signal(np.zeros((2, 0), np.float32), 44_100)
