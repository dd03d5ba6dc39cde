"""Onsets and groove against material whose onsets are known."""

from __future__ import annotations

import io

import mir_eval
import numpy as np
import pytest
from audio_material import analyse, clicks, noise, note
from rhythm_material import band

from processors.audio.signal import Signal
from processors.rhythm.groove import describe_groove, syncopation
from processors.rhythm.onsets import find_onsets, onsets_of


def plucked(times_s: np.ndarray, pitches: np.ndarray) -> np.ndarray:
    """Plucked notes of 0.4 s, shape (1, frames)."""
    samples = np.zeros(round((times_s[-1] + 1) * 44_100), np.float32)
    for time_s, pitch in zip(times_s, pitches, strict=True):
        sound = note(float(pitch), 0.4)
        samples[round(time_s * 44_100) :][: len(sound)] += sound
    return samples[None]


@pytest.fixture
def melody():
    """Forty notes at uneven distances of 0.12 s and more, and when they begin."""
    chance = np.random.default_rng(5)
    times_s = 0.2 + np.cumsum(chance.uniform(0.12, 0.5, 40))
    return plucked(times_s, chance.integers(50, 80, 40)), times_s


def test_onsets_are_found_where_notes_begin(melody):
    """Given plucked notes, when listened to, then mir_eval gives onsets an F of at least 0.95 within 50 ms."""
    samples, times_s = melody
    found = onsets_of(Signal(samples, 44_100))
    assert mir_eval.onset.f_measure(times_s, found.times_s)[0] >= 0.95
    assert np.median(np.abs(found.times_s[:, None] - times_s).min(axis=1)) < 0.012


def test_a_slow_note_begins_too():
    """Given tones that swell over 80 ms and follow each other without a gap, then each one's beginning is found."""
    times_s = np.arange(0.5, 8, 0.6)
    samples = np.zeros((1, 9 * 44_100), np.float32)
    ramp = np.minimum(1, np.arange(round(0.65 * 44_100)) / (0.08 * 44_100))
    for number, time_s in enumerate(times_s):
        tone = ramp * ramp[::-1] * np.sin(2 * np.pi * 220 * 2 ** (number % 5 / 12 * 2) * np.arange(len(ramp)) / 44_100)
        samples[0, round(time_s * 44_100) :][: len(ramp)] += 0.3 * tone.astype(np.float32)
    found = onsets_of(Signal(samples, 44_100))
    assert mir_eval.onset.f_measure(times_s, found.times_s, window=0.08)[2] == 1


def test_the_blob_holds_what_the_event_counts(melody, blobs):
    """Given notes, when onsets are stored, then the blob has as many times and strengths as the event says."""
    event = analyse(find_onsets, Signal(melody[0], 44_100), blobs)
    stored = np.load(io.BytesIO(blobs.contents[event.onsets.sha256]), allow_pickle=False)
    assert stored["times_s"].shape == stored["strengths"].shape == (event.count,)
    assert event.density_per_s == pytest.approx(event.count / (melody[0].shape[1] / 44_100), abs=0.01)
    assert np.all((stored["strengths"] > 0) & (stored["strengths"] <= 1))


def test_noise_has_no_onset():
    """Given noise, when listened to, then nothing begins in it."""
    assert onsets_of(Signal(noise(5), 44_100)).times_s.size == 0


def test_cut_or_whole_is_the_same():
    """Given a sound in blocks of another size, when listened to, then onsets are the same."""
    samples, _ = clicks(133, 12)
    whole, cut = (Signal(samples, 44_100, block_frames=size) for size in (1 << 22, 10_007))
    assert np.allclose(onsets_of(whole).times_s, onsets_of(cut).times_s, atol=1e-4)


def test_a_histogram_shows_where_the_bar_is_played():
    """Given a band with soft off-beats, then the histogram has beats, less half way, and nothing between."""
    samples, _ = band(12, 4, 100)
    found = analyse(describe_groove, Signal(samples, 44_100))
    bar = np.array(found.histogram)
    assert found.places == len(bar) == 16
    assert np.all(bar[::4] > 0.4)
    assert np.all((bar[2::4] > 0.05) & (bar[2::4] < bar[::4].min()))
    assert np.all(bar[1::2] < 0.05)


@pytest.mark.parametrize("early_ms", [-20.0, 0.0, 20.0])
def test_what_comes_early_is_told_in_milliseconds(early_ms):
    """Given off-beats that many ms early, or late, then the groove says so within 8 ms."""
    samples, _ = band(12, 4, 100, halved=0.5 - early_ms / 600)
    found = analyse(describe_groove, Signal(samples, 44_100))
    assert [found.early_ms[place] for place in (2, 6, 10, 14)] == pytest.approx([early_ms] * 4, abs=8)


def test_silence_has_no_groove():
    """Given silence, then the groove is empty and its confidence 0."""
    found = analyse(describe_groove, Signal(np.zeros((1, 44_100)), 44_100))
    assert (found.histogram, found.syncopation, found.confidence) == ((), None, 0)


def test_syncopation_is_least_on_the_beat_and_most_beside_it():
    """Given bars played by the metre's weights, and by their reverse, then syncopation is 0 and 1."""
    by_weight = np.array([5, 1, 2, 1, 3, 1, 2, 1, 4, 1, 2, 1, 3, 1, 2, 1]) / 5
    assert syncopation(by_weight, 4) == pytest.approx(0, abs=1e-9)
    assert syncopation(1 - by_weight, 4) == pytest.approx(1, abs=1e-9)
    off_beat = np.array([0, 0, 1, 0] * 4, float)
    on_beat = np.array([1, 0, 0, 0] * 4, float)
    assert syncopation(off_beat, 4) > syncopation(on_beat, 4) + 0.2
