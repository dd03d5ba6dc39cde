"""Loudness against closed forms, pyloudnorm and ffmpeg; for the EBU's signals see test_audio_ebu."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
from audio_material import LOOP_NAMES, load_loop, noise, sine

from processors.audio import loudness
from processors.audio.loudness import Loudness, curve_lufs, k_weighting, loudness_range_lu

RATES_HZ = (8000, 22_050, 44_100, 48_000, 96_000, 192_000)


def loudness_of(samples: np.ndarray, rate_hz: int) -> Loudness:
    """The loudness of samples of shape (channels, frames)."""
    return loudness.loudness_of(loudness.step_powers([samples], rate_hz, channels=len(samples)))


def true_peak(samples: np.ndarray) -> float:
    """The true peak of samples of shape (channels, frames)."""
    return loudness.true_peak([samples])


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


def test_the_range_of_a_steady_tone_is_nothing():
    """Given short-term powers that are all equal, when their range is asked, then it is 0 LU."""
    assert loudness_range_lu(np.full(50, 0.01)) == 0


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


def by_ffmpeg(samples: np.ndarray, rate_hz: int, path: Path) -> dict[str, np.ndarray]:
    """What ffmpeg's ebur128 tells every 100 ms, by name; the last of each is of the whole."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not on PATH; install it to compare with its ebur128 filter")
    soundfile.write(path, samples.T, rate_hz, subtype="FLOAT")
    filters = "ebur128=peak=true:metadata=1,ametadata=print:file=-"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-af", filters, "-f", "null", "-"]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = ("M", "S", "I", "LRA", "true_peak")
    return {name: np.array([float(x) for x in re.findall(rf"r128\.{name}=(\S+)", report)]) for name in names}


@pytest.mark.parametrize("name", LOOP_NAMES)
def test_loops_measure_as_with_ffmpeg(name, tmp_path):
    """Given a loop, cut to whole tenths of a second, when measured, then ffmpeg agrees within 0.1 LU and 0.1 dB."""
    signal = load_loop(name)
    tenth = signal.rate_hz // 10
    samples = np.ascontiguousarray(signal.samples[:, : signal.frames // tenth * tenth])
    expected, found = by_ffmpeg(samples, signal.rate_hz, tmp_path / "loop.wav"), loudness_of(samples, signal.rate_hz)
    assert found.integrated_lufs == pytest.approx(expected["I"][-1], abs=0.1)
    assert 20 * np.log10(true_peak(samples)) == pytest.approx(20 * np.log10(expected["true_peak"][-1]), abs=0.1)
    np.testing.assert_allclose(curve_lufs(found.momentary), expected["M"][3:], atol=0.1)
    if signal.duration_s > 3:
        np.testing.assert_allclose(curve_lufs(found.short_term), expected["S"][29:], atol=0.1)
        assert found.range_lu == pytest.approx(expected["LRA"][-1], abs=0.1)
