"""The family of instruments that leads, and words for what is heard."""

from __future__ import annotations

import numpy as np
import pytest
from audio_material import analyse, clicks, load_loop, noise
from notes_material import notes

from processors.audio.signal import Signal
from processors.synthesis.render import play
from processors.timbre.family import FAMILIES, hear_instrument, judge, note_numbers
from processors.timbre.words import hear_tags

RATE_HZ = 44_100


def played(*pitches: int, program: int = 0, length_s: float = 1.0) -> Signal:
    """Notes one after the other by the built-in instrument."""
    rows = [(turn * length_s, (turn + 0.95) * length_s, pitch, 90, 0, program) for turn, pitch in enumerate(pitches)]
    return Signal(play(notes(*rows)), RATE_HZ)


def drummed(bars: int = 4, tempo_bpm: float = 110.0) -> Signal:
    """A plain beat by the built-in kit."""
    beat_s, rows = 60 / tempo_bpm, []
    for step in range(bars * 8):
        drums = [42] + ([36] if step % 4 == 0 else []) + ([38] if step % 4 == 2 else [])
        rows += [(step * beat_s / 2, step * beat_s / 2 + 0.1, drum, 100, 9, 0, 1) for drum in drums]
    return Signal(play(notes(*rows)), RATE_HZ)


@pytest.mark.parametrize("seed", range(4))
def test_no_instrument_is_heard_in_noise(seed):
    """Given noise, when heard, then there is no family."""
    found = analyse(hear_instrument, Signal(noise(2, seed=seed), RATE_HZ))
    assert found.family is None
    assert found.confidence == 0


@pytest.mark.parametrize("samples", [np.zeros((2, 44_100)), np.full((1, 44_100), 0.5), np.full((1, 1), 0.5)])
def test_no_instrument_is_heard_in_nothing(samples):
    """Given silence, DC or one sample, when heard, then there is no family and no word for one."""
    signal = Signal(samples.astype(np.float32), RATE_HZ)
    assert analyse(hear_instrument, signal).family is None
    assert not {tag.word for tag in analyse(hear_tags, signal).tags} & set(FAMILIES)


@pytest.mark.parametrize("gain", [0.03, 3.0])
def test_level_does_not_change_the_family(gain):
    """Given notes at another level, when heard, then the shares of families are the same."""
    signal = played(60, 64, 67, program=73)
    one = analyse(hear_instrument, signal)
    other = analyse(hear_instrument, Signal(signal.samples * np.float32(gain), RATE_HZ))
    assert one.family == other.family
    assert other.confidence == pytest.approx(one.confidence, abs=0.02)


def test_shares_are_probabilities():
    """Given any numbers, when judged, then each note's shares over all classes sum to 1."""
    rows = np.random.default_rng(3).normal(size=(20, len(judge().mean))) * 50
    shares = judge().shares(rows)
    assert shares.shape == (20, len(FAMILIES) + 1)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares.min() >= 0


def test_a_note_is_told_from_its_numbers_whatever_its_level():
    """Given a note 30 dB quieter, when measured, then its numbers are the same."""
    samples = played(60).analysis_mono[:22_050]
    np.testing.assert_allclose(note_numbers(samples * np.float32(0.03)), note_numbers(samples), atol=0.05)


def test_drums_are_heard_as_drums():
    """Given a beat, when heard, then drums lead, and its words say so."""
    assert analyse(hear_instrument, drummed()).family == "drums"
    assert "drums" in analyse(hear_tags, drummed()).words.split()


def test_a_recorded_break_is_drums_and_fast():
    """Given a recorded drum break, when heard, then it is called a loop of drums."""
    words = analyse(hear_tags, load_loop("amen")).words.split()
    assert {"drums", "loop"} <= set(words)


def test_words_follow_what_is_heard():
    """Given clicks at 150 and at 70 bpm, when heard, then the one is fast and the other slow."""
    fast, slow = (set(analyse(hear_tags, Signal(clicks(bpm, 10)[0], RATE_HZ)).words.split()) for bpm in (150, 70))
    assert {"fast", "150bpm", "percussive"} <= fast
    assert {"slow", "70bpm", "percussive"} <= slow
    assert "slow" not in fast
