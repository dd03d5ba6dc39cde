"""Beats and tempo against click tracks with known beats, and loops with a known length in beats."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest
from audio_material import analyse, clicks, load_loop, noise
from rhythm_material import accelerating, band

from processors.audio.signal import Signal
from processors.rhythm.beats import track_beats

LOOP_TEMPI_BPM = {
    "amen_full": 60 * 16 / 6.857142857,
    "compus": 60 * 16 / 6.486485,
    "electric": 60 * 4 / 2.47424,
    "garzul": 120,
    "mehackit1": 60 * 4 / 2.47424,
    "mika": 120,
    "safari": 60 * 16 / 8.005079,
    "amen": 60 * 4 / 1.753310,
    "tabla": 60 * 16 / 10.674104,
}
"""Whole beats in the exact length, by the loops' README."""


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


@pytest.mark.parametrize(("per_bar", "halves"), [(2, 0.1), (3, 0), (4, 0.1)])
@pytest.mark.parametrize("tempo_bpm", [90, 104])
def test_bars_begin_where_harmony_changes(per_bar, halves, tempo_bpm):
    """Given a chord a bar, when tracked, then bars are as long as they are, and begin on the chords."""
    samples, times_s = band(12, per_bar, tempo_bpm, halves=halves)
    found = analyse(track_beats, Signal(samples, 44_100))
    beats_s = np.array(found.beats_s)
    assert mir_eval.beat.f_measure(times_s, beats_s) >= 0.9
    assert found.metre == f"{per_bar}/4"
    assert mir_eval.beat.f_measure(times_s[::per_bar], beats_s[list(found.downbeats)]) >= 0.85


def test_a_later_start_moves_beats_and_nothing_else():
    """Given the same music 0.7 s later, when tracked, then all beats come that much later and bars are the same."""
    samples, _ = band(10, 4, 100)
    early, late = (
        analyse(track_beats, Signal(np.pad(samples, [(0, 0), (pad, 0)]), 44_100)) for pad in (0, round(0.7 * 44_100))
    )
    assert np.allclose(np.array(late.beats_s) - 0.7, early.beats_s, atol=0.02)
    assert (late.downbeats, late.metre) == (early.downbeats, early.metre)
    assert late.tempo_bpm == pytest.approx(early.tempo_bpm, rel=0.005)


@pytest.mark.parametrize("gain", [1e-3, 0.03, 4.0])
def test_loudness_does_not_matter(gain):
    """Given the same music at another level, when tracked, then beats and bars are the same."""
    samples, _ = band(8, 3, 110)
    usual, other = (analyse(track_beats, Signal(samples * factor, 44_100)) for factor in (1, np.float32(gain)))
    assert np.allclose(other.beats_s, usual.beats_s, atol=0.005)
    assert other.downbeats == usual.downbeats


@pytest.mark.parametrize(("start_bpm", "end_bpm"), [(90, 130), (140, 100)])
def test_the_tempo_curve_follows_a_ramp(start_bpm, end_bpm):
    """Given clicks from 90 to 130 bpm over a minute, or slowing, then the curve is within 2 %, but for its ends."""
    samples = accelerating(start_bpm, end_bpm, 60)
    found = analyse(track_beats, Signal(samples, 44_100))
    at_s = np.linspace(4, 56, 100)
    known = start_bpm + (end_bpm - start_bpm) * (at_s - 0.3) / 60
    heard = np.interp(at_s, *np.array(found.tempo_curve).T)
    assert np.max(np.abs(heard / known - 1)) < 0.02


def test_a_steady_tempo_needs_few_points():
    """Given a steady click track, when tracked, then its curve is told by a handful of points, all within 1 %."""
    samples, _ = clicks(100, 30)
    curve = analyse(track_beats, Signal(samples, 44_100)).tempo_curve
    assert 2 <= len(curve) <= 6
    assert all(bpm == pytest.approx(100, rel=0.01) for _, bpm in curve)


@pytest.mark.parametrize("swing", [0.5, 0.58, 0.667])
def test_swing_is_the_share_of_the_first_half(swing):
    """Given off-beats at a known place, when tracked, then swing is that place within 0.03."""
    samples, _ = band(12, 4, 110, halved=swing)
    assert analyse(track_beats, Signal(samples, 44_100)).swing == pytest.approx(swing, abs=0.03)


def test_what_is_not_halved_has_no_swing():
    """Given clicks on beats alone, when tracked, then swing is null."""
    assert analyse(track_beats, Signal(clicks(100, 20)[0], 44_100)).swing is None


@pytest.mark.parametrize("name", ["amen_full", "garzul", "mika", "compus"])
def test_a_loop_s_tempo_is_exact(name):
    """Given a loop that is tracked through, then its tempo is that of its length within a tenth of a percent."""
    found = analyse(track_beats, load_loop(name))
    octaves = [LOOP_TEMPI_BPM[name] * factor for factor in (0.5, 1, 2)]
    assert min(abs(found.tempo_bpm / octave - 1) for octave in octaves) < 0.001
