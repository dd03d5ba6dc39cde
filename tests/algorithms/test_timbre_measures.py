"""Brightness, roughness, warmth and attack, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from audio_material import analyse, noise, sine

from processors.audio.signal import Signal
from processors.timbre.measures import describe_timbre, timbre_of
from processors.timbre.roughness import roughness

RATE_HZ = 44_100


def timbre(samples: np.ndarray, rate_hz: int = RATE_HZ):
    """The timbre of samples of shape (frames,) or (channels, frames)."""
    return timbre_of(Signal(np.atleast_2d(samples).astype(np.float32), rate_hz))


def tones(*partials: tuple[float, float], duration_s: float = 2.0) -> np.ndarray:
    """Sines of (frequency in Hz, amplitude), shape (frames,)."""
    times = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return sum(level * np.sin(2 * np.pi * frequency_hz * times) for frequency_hz, level in partials)


def risen(attack_s: float, *, lead_s: float = 0.3, frequency_hz: float = 440.0) -> np.ndarray:
    """A sine that rises in a straight line after a silence, shape (frames,)."""
    times = np.arange(round((lead_s + attack_s + 1.0) * RATE_HZ)) / RATE_HZ - lead_s
    return 0.5 * np.clip(times / attack_s, 0, 1) * np.sin(2 * np.pi * frequency_hz * times)


def test_two_equal_sines_are_roughest_at_a_quarter_of_a_critical_band():
    """Given equal sines ever farther apart, then roughness is 0 for one, 1 at its top, and falls behind it."""
    apart_hz = np.linspace(0, 400, 4001)
    found = roughness(np.stack([np.full(4001, 500.0), 500 + apart_hz], axis=1), np.ones((4001, 2)))
    top = int(np.argmax(found))
    assert found[0] == pytest.approx(0, abs=1e-9)
    assert found[top] == pytest.approx(1, abs=1e-4)
    assert 20 < apart_hz[top] < 35
    assert np.all(np.diff(found[top:]) <= 0)


@pytest.mark.parametrize("low_hz", [220.0, 440.0, 880.0])
def test_beating_sines_are_rougher_than_consonant_ones(low_hz):
    """Given two sines a semitone apart, or a fifth, when heard, then the semitone is much rougher."""
    semitone, fifth = (
        timbre(0.3 * tones((low_hz, 1), (low_hz * ratio, 1))).roughness for ratio in (2 ** (1 / 12), 1.5)
    )
    assert semitone > 0.5
    assert fifth < 0.15


def test_a_sine_is_not_rough():
    """Given one sine, when heard, then there is next to no roughness, and its brightness is its frequency."""
    found = timbre(tones((1000, 0.5)))
    assert found.roughness < 0.02
    assert found.brightness_hz == pytest.approx(1000, rel=0.08)


@pytest.mark.parametrize("attack_s", [0.02, 0.05, 0.1, 0.25, 0.6])
def test_an_attack_is_measured_to_the_millisecond(attack_s):
    """Given a sine that rises in a straight line, when heard, then its attack is told within 2 ms or 2 %."""
    assert timbre(risen(attack_s)).attack_ms == pytest.approx(1000 * attack_s, rel=0.02, abs=2)


def test_the_attacks_of_notes_are_told_one_by_one():
    """Given six notes that rise in 60 ms behind one another, when heard, then the attack is theirs."""
    assert timbre(np.concatenate([risen(0.06) for _ in range(6)])).attack_ms == pytest.approx(60, abs=2)


def test_a_low_pass_makes_darker_and_warmer():
    """Given noise, whole and low-passed at 800 Hz, when heard, then it is darker and warmer."""
    from scipy.signal import butter, sosfilt

    whole = noise(3)[0]
    dull = sosfilt(butter(4, 800, fs=RATE_HZ, output="sos"), whole)
    bright, dark = timbre(whole), timbre(dull)
    assert dark.brightness_hz < 0.4 * bright.brightness_hz
    assert dark.warmth_db > bright.warmth_db + 6


@pytest.mark.parametrize("ratio_db", [-20.0, 0.0, 20.0])
def test_warmth_is_the_ratio_of_two_bands(ratio_db):
    """Given sines of 200 and 1000 Hz so many dB apart, when heard, then the warmth is that."""
    found = timbre(0.2 * tones((200, 10 ** (ratio_db / 40)), (1000, 10 ** (-ratio_db / 40))))
    assert found.warmth_db == pytest.approx(ratio_db, abs=0.2)


def test_level_does_not_matter():
    """Given a sound 40 dB quieter, when heard, then its timbre is the same."""
    samples = np.concatenate([risen(0.05), risen(0.05)]) + 0.2 * tones((700, 1), (740, 1), duration_s=2.7)[: 2 * 59535]
    loud, quiet = timbre(samples), timbre(0.01 * samples)
    assert quiet.brightness_hz == pytest.approx(loud.brightness_hz, rel=1e-3)
    assert quiet.roughness == pytest.approx(loud.roughness, rel=0.01)
    assert quiet.attack_ms == pytest.approx(loud.attack_ms, abs=1)


def test_silence_has_no_timbre():
    """Given silence, when heard, then all is null and the confidence 0."""
    found = analyse(describe_timbre, Signal(np.zeros((1, RATE_HZ), np.float32), RATE_HZ))
    assert found.brightness_hz is found.roughness is found.warmth_db is found.attack_ms is None
    assert found.confidence == 0


def test_a_lasting_sine_has_no_attack_inside():
    """Given a sine cut out of a longer one, when heard, then it rises at once, at its beginning."""
    assert timbre(sine(440, 2)[0], 48_000).attack_ms < 20
