"""Beats and tempo against click tracks with known beats, and loops with a known length in beats."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest
from audio_material import analyse, clicks, load_loop, noise

from processors.audio.beats import track_beats
from processors.audio.signal import Signal

LOOP_TEMPI_BPM = {
    "amen_full": 60 * 16 / 6.857142857,
    "compus": 60 * 16 / 6.486485,
    "electric": 60 * 4 / 2.47424,
    "garzul": 120,
    "mehackit1": 60 * 4 / 2.47424,
    "mika": 120,
    "safari": 60 * 16 / 8.005079,
}
"""Whole beats in the exact length, by the loops' README; amen is too short and tabla too ambiguous to be held to it."""


@pytest.mark.parametrize("duration_s", [8, 20])
@pytest.mark.parametrize("tempo_bpm", [60, 75, 90, 100, 120, 128, 140, 160, 174, 180])
def test_beats_fall_on_clicks(tempo_bpm, duration_s):
    """Given a click track, when tracked, then mir_eval gives F of at least 0.9 and the tempo is right within 1 %."""
    samples, times_s = clicks(tempo_bpm, duration_s)
    found = analyse(track_beats, Signal(samples, 44_100))
    assert mir_eval.beat.f_measure(times_s, np.array(found.beats_s)) >= 0.9
    assert found.tempo_bpm == pytest.approx(tempo_bpm, rel=0.01)
    assert found.confidence > 0.4


def test_beats_are_not_late():
    """Given clicks, when tracked, then the median beat lies within 5 ms of its click."""
    samples, times_s = clicks(123, 30)
    beats = np.array(analyse(track_beats, Signal(samples, 44_100)).beats_s)
    errors = [beat - times_s[np.argmin(np.abs(times_s - beat))] for beat in beats]
    assert abs(np.median(errors)) < 0.005


@pytest.mark.parametrize("rate_hz", [8000, 48_000, 96_000])
def test_beats_do_not_depend_on_the_rate(rate_hz):
    """Given clicks at another rate, when tracked, then they are found as well."""
    samples, times_s = clicks(110, 10, rate_hz=rate_hz)
    found = analyse(track_beats, Signal(samples, rate_hz))
    assert mir_eval.beat.f_measure(times_s, np.array(found.beats_s)) >= 0.9


def test_beats_are_heard_through_noise():
    """Given clicks over noise, when tracked, then they are found, with less confidence."""
    samples, times_s = clicks(120, 15)
    clean, noisy = (analyse(track_beats, Signal(each, 44_100)) for each in (samples, samples + 0.1 * noise(15)))
    assert mir_eval.beat.f_measure(times_s, np.array(noisy.beats_s)) >= 0.9
    assert noisy.confidence <= clean.confidence + 0.05


@pytest.mark.parametrize("name", LOOP_TEMPI_BPM)
def test_a_loop_has_the_tempo_that_its_length_gives(name):
    """Given a loop of whole beats, when tracked, then its tempo is right within 4 % up to octave."""
    found = analyse(track_beats, load_loop(name))
    octaves = [LOOP_TEMPI_BPM[name] * factor for factor in (0.5, 1, 2)]
    assert min(abs(found.tempo_bpm / octave - 1) for octave in octaves) < 0.04


def test_beats_are_in_order_and_inside_the_file():
    """Given a loop, when tracked, then beats rise, within the file."""
    signal = load_loop("mika")
    beats = analyse(track_beats, signal).beats_s
    assert list(beats) == sorted(set(beats))
    assert 0 <= beats[0] <= beats[-1] <= signal.duration_s
