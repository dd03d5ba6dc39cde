"""Loudness against closed forms, EBU's test signals, pyloudnorm and ffmpeg."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pyloudnorm
import pytest
from audio_material import LOOP_NAMES, load_loop, loop_path, noise, sine

from processors.audio.loudness import k_weighting, loudness_of, loudness_range_lu, true_peak

RATES_HZ = (8000, 22_050, 44_100, 48_000, 96_000, 192_000)


def in_turn(*parts: tuple[float, float], channels: int = 2) -> np.ndarray:
    """A 1 kHz sine at (seconds, dBFS) after each other, the same in every channel."""
    return np.tile(
        np.concatenate([sine(1000, length, peak_dbfs=level) for length, level in parts], axis=1), (channels, 1)
    )


def test_the_coefficients_at_48_khz_are_those_of_the_standard():
    """Given 48 kHz, when the K-weighting is derived, then it is tables 1 and 2 of BS.1770-4."""
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585]
    high_pass = [1, -2, 1, 1, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(k_weighting(48_000), [shelf, high_pass], atol=1e-7)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_full_scale_sine_measures_minus_three_lufs(rate_hz):
    """Given 997 Hz at 0 dBFS in one channel, at any rate, when measured, then it is -3.01 LUFS (BS.1770-4, annex 1)."""
    tolerance = 0.02 if rate_hz in (44_100, 48_000) else 0.1
    assert loudness_of(sine(997, 5, rate_hz=rate_hz), rate_hz).integrated_lufs == pytest.approx(-3.01, abs=tolerance)


@pytest.mark.parametrize(
    ("case", "parts"),
    [
        (1, [(20, -23)]),
        (3, [(10, -36), (60, -23), (10, -36)]),
        (4, [(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)]),
        (5, [(20, -26), (20.1, -20), (20, -26)]),
    ],
)
def test_ebu_tech_3341_integrated(case, parts):
    """Given cases 1, 3, 4 and 5 of EBU Tech 3341, when measured, then each is -23 LUFS."""
    assert loudness_of(in_turn(*parts), 48_000).integrated_lufs == pytest.approx(-23, abs=0.1), case


@pytest.mark.parametrize("level", [-23, -33])
def test_ebu_tech_3341_all_scales_agree(level):
    """Given cases 1 and 2, a steady sine, when measured, then momentary, short-term and integrated are its level."""
    found = loudness_of(in_turn((20, level)), 48_000)
    for value in (found.integrated_lufs, found.max_momentary_lufs, found.max_short_term_lufs):
        assert value == pytest.approx(level, abs=0.1)


@pytest.mark.parametrize("with_lfe", [False, True])
def test_ebu_tech_3341_surround(with_lfe):
    """Given case 6, 5.0 channels, with or without a loud LFE, when measured, then it is -23 LUFS."""
    levels = [-28, -28, -24, *([-6] if with_lfe else []), -30, -30]
    samples = np.concatenate([sine(1000, 20, peak_dbfs=level) for level in levels])
    assert loudness_of(samples, 48_000).integrated_lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(
    ("levels", "range_lu"), [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20), ((-50, -35, -20, -35, -50), 15)]
)
def test_ebu_tech_3342_range(levels, range_lu):
    """Given cases 1 to 4 of EBU Tech 3342, when measured, then the range is right within 1 LU."""
    found = loudness_of(in_turn(*((20, level) for level in levels)), 48_000)
    assert found.range_lu == pytest.approx(range_lu, abs=1)


def test_the_range_of_a_steady_tone_is_nothing():
    """Given short-term powers that are all equal, when their range is asked, then it is 0 LU."""
    assert loudness_range_lu(np.full(50, 0.01)) == 0


@pytest.mark.parametrize(
    ("divisor", "degrees", "peak"),
    [(4, 0, 0.5), (4, 45, 0.5), (6, 60, 0.5), (8, 67.5, 0.5), (4, 45, 1.41)],
    ids=["15", "16", "17", "18", "19"],
)
def test_ebu_tech_3341_true_peak(divisor, degrees, peak):
    """Given cases 15 to 19 of EBU Tech 3341, when measured, then the true peak is within +0.2 and -0.4 dB."""
    angle = 2 * np.pi * np.arange(48_000) / divisor + np.radians(degrees)
    samples = np.sin(angle)
    fade = np.minimum(1, np.minimum(np.arange(48_000), np.arange(48_000)[::-1]) / 4800)
    found_db = 20 * np.log10(true_peak((peak * fade * samples)[None].astype(np.float32)) / peak)
    assert -0.4 <= found_db <= 0.2


def test_a_true_peak_is_never_below_the_sample_peak():
    """Given noise of odd lengths, when measured, then the true peak is at least the largest sample."""
    for frames in (1, 2, 11, 12, 13, 31, 32, 33, 65_537):
        samples = noise(frames / 44_100)
        assert true_peak(samples) >= np.abs(samples).max()


@pytest.mark.parametrize("name", LOOP_NAMES)
def test_loops_measure_as_with_pyloudnorm(name):
    """Given a recorded loop, cut to whole blocks, when measured, then pyloudnorm agrees within 0.1 LU."""
    signal = load_loop(name)
    samples = signal.samples[:, : signal.frames * 10 // signal.rate_hz * signal.rate_hz // 10]
    expected = pyloudnorm.Meter(signal.rate_hz, filter_class="DeMan").integrated_loudness(samples.T.astype(np.float64))
    assert loudness_of(samples, signal.rate_hz).integrated_lufs == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("name", LOOP_NAMES)
def test_loops_measure_as_with_ffmpeg(name):
    """Given a recorded loop, when measured, then ffmpeg's ebur128 agrees on loudness, range and true peak."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not on PATH; install it to compare with its ebur128 filter")
    command = ["ffmpeg", "-nostats", "-i", str(loop_path(name)), "-af", "ebur128=peak=true", "-f", "null", "-"]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    summary = report[report.rindex("Summary") :]
    expected = {key: float(re.search(rf"{key}: +(-?[\d.]+)", summary)[1]) for key in ("I", "LRA", "Peak")}
    signal = load_loop(name)
    found = loudness_of(signal.samples, signal.rate_hz)
    assert found.integrated_lufs == pytest.approx(expected["I"], abs=0.1)
    assert 20 * np.log10(true_peak(signal.samples)) == pytest.approx(expected["Peak"], abs=0.2)
    if signal.duration_s > 3:
        assert found.range_lu == pytest.approx(expected["LRA"], abs=0.5)
