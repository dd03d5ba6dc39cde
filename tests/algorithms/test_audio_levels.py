"""Levels, waveform and silence against closed forms."""

from __future__ import annotations

import io

import numpy as np
import pytest
from audio_material import analyse, noise, sine

from processors.audio.describe import describe_audio
from processors.audio.signal import Signal
from processors.audio.silence import find_silence
from processors.audio.waveform import SAMPLES_PER_BIN, draw_waveform, wave_pyramid


def test_the_levels_of_a_sine():
    """Given a sine at -6 dBFS, when described, then its RMS is 3.01 dB lower, without offset or clipping."""
    found = analyse(describe_audio, Signal(sine(1000, 1, peak_dbfs=-6), 48_000))
    assert found.peak_dbfs == pytest.approx(-6, abs=0.01)
    assert found.rms_dbfs == pytest.approx(-9.01, abs=0.01)
    assert found.dc_offset == pytest.approx(0, abs=1e-6)
    assert (found.clipped_samples, found.duration_s) == (0, 1)


def test_clipping_and_offset():
    """Given ten samples at full scale in one channel and an offset in the other, when described, then both are told."""
    samples = np.zeros((2, 1000), np.float32)
    samples[0, 100:110] = 32767 / 32768
    samples[1] = -0.25
    found = analyse(describe_audio, Signal(samples, 44_100))
    assert found.clipped_samples == 10
    assert found.dc_offset == -0.25


def test_levels_of_silence_are_null():
    """Given silence, when described, then its levels are null."""
    found = analyse(describe_audio, Signal(np.zeros((2, 100), np.float32), 44_100))
    assert found.peak_dbfs is found.rms_dbfs is None


@pytest.mark.parametrize("frames", [1, 255, 256, 257, 5000, 44_100])
def test_every_bin_holds_the_extremes_of_its_frames(frames):
    """Given noise of any length, when drawn, then each bin of each level has the minimum and maximum of its stretch."""
    samples = noise(frames / 44_100, channels=2)
    levels = wave_pyramid([samples], samples_per_bin=SAMPLES_PER_BIN)
    rounded = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    for depth, level in enumerate(levels):
        width = SAMPLES_PER_BIN << depth
        assert level.shape == (2, -(-frames // width), 2)
        for index in range(0, level.shape[1], 7):
            stretch = rounded[:, index * width : (index + 1) * width]
            np.testing.assert_array_equal(level[:, index], np.stack([stretch.min(axis=1), stretch.max(axis=1)], axis=1))
    assert levels[-1].shape[1] == 1


def test_the_waveform_is_read_without_pickle(blobs):
    """Given a sound, when drawn, then the blob has as many int16 levels as the event says."""
    found = analyse(draw_waveform, Signal(noise(1), 44_100), blobs)
    arrays = np.load(io.BytesIO(blobs.open(found.pyramid.sha256).read()), allow_pickle=False)
    assert sorted(arrays) == sorted(f"level_{depth}" for depth in range(found.levels))
    assert {arrays[name].dtype for name in arrays} == {np.dtype(np.int16)}


def test_silence_is_found_where_it_is():
    """Given silence, 2 s of tone, 0.5 s below -60 dBFS, tone and silence, when looked for, then those are told."""
    quiet, tone = np.zeros((1, 48_000)), sine(440, 1)
    faint = sine(440, 0.5, peak_dbfs=-66)
    samples = np.concatenate([quiet, tone, tone, faint, tone, quiet[:, :24_000]], axis=1)
    found = analyse(find_silence, Signal(samples, 48_000))
    assert found.stretches_s == pytest.approx(np.array([(0, 1), (3, 3.5), (4.5, 5)]), abs=0.002)
    assert (found.leading_s, found.trailing_s) == pytest.approx((1, 0.5), abs=0.002)
    assert found.silent_share == pytest.approx(0.4, abs=0.002)


def test_a_short_gap_is_no_silence():
    """Given a gap of 50 ms, when silence is looked for, then there is none."""
    samples = np.concatenate([sine(440, 1), np.zeros((1, 2400)), sine(440, 1)], axis=1)
    found = analyse(find_silence, Signal(samples, 48_000))
    assert (found.stretches_s, found.silent_share) == ((), 0)


def test_one_loud_channel_is_no_silence():
    """Given silence in one channel and a tone in the other, when silence is looked for, then there is none."""
    tone = sine(440, 1)
    assert analyse(find_silence, Signal(np.concatenate([tone, 0 * tone]), 48_000)).stretches_s == ()


def test_a_silent_file_is_silent_throughout():
    """Given 20 ms of silence, when silence is looked for, then all of it is."""
    found = analyse(find_silence, Signal(np.zeros((1, 960), np.float32), 48_000))
    assert (found.leading_s, found.trailing_s, found.silent_share) == (0.02, 0.02, 1)
