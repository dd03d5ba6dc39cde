"""EBU Tech 3341 and 3342: the test signals, made after their published descriptions, and what a meter must show.

Cases 7 and 8 of 3341, which are 5 and 6 of 3342, are programmes of the EBU's own; material of the same loudness and
range stands in for them. Sources: EBU Tech 3341 (2016), table 1; EBU Tech 3342 (2016), table 1.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from audio_material import sine

from processors.audio import loudness
from processors.audio.loudness import Loudness

RATE_HZ = 48_000


def tones(*parts: tuple[float, float], frequency_hz: float = 1000) -> np.ndarray:
    """A stereo sine at (seconds, dBFS) after each other; -inf dBFS is silence."""
    pieces = [sine(frequency_hz, length, rate_hz=RATE_HZ, peak_dbfs=level) for length, level in parts]
    return np.tile(np.concatenate(pieces, axis=1), (2, 1))


def measured(samples: np.ndarray) -> Loudness:
    """Its loudness."""
    return loudness.loudness_of(loudness.step_powers([samples], RATE_HZ, channels=len(samples)))


SILENT = -np.inf
INTEGRATED = {
    "3": [(10, -36), (60, -23), (10, -36)],
    "4": [(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)],
    "5": [(20, -26), (20.1, -20), (20, -26)],
}


@pytest.mark.parametrize(("case", "level"), [(1, -23), (2, -33)])
def test_3341_a_steady_tone_reads_the_same_on_all_scales(case, level):
    """Given cases 1 and 2, when measured, then momentary, short-term and integrated are the tone's level."""
    found = measured(tones((20, level)))
    for value in (found.integrated_lufs, found.max_momentary_lufs, found.max_short_term_lufs):
        assert value == pytest.approx(level, abs=0.1), case


@pytest.mark.parametrize("case", INTEGRATED)
def test_3341_integrated(case):
    """Given cases 3, 4 and 5, which try the gates, when measured, then each is -23 LUFS."""
    assert measured(tones(*INTEGRATED[case])).integrated_lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("with_lfe", [False, True])
def test_3341_6_surround(with_lfe):
    """Given case 6, 5.0 channels, with or without a loud LFE, when measured, then it is -23 LUFS."""
    levels = [-28, -28, -24, *([-6] if with_lfe else []), -30, -30]
    samples = np.concatenate([sine(1000, 20, peak_dbfs=level) for level in levels])
    assert measured(samples).integrated_lufs == pytest.approx(-23, abs=0.1)


@cache
def programme(range_lu: float) -> np.ndarray:
    """Two minutes of noise at twelve even levels, eleven of which lie between the 10th and 95th percentile."""
    rng = np.random.default_rng(7)
    level_db = np.repeat(np.linspace(0, range_lu * 11 / 10, 12)[rng.permutation(12)], 10 * RATE_HZ)
    samples = rng.standard_normal(len(level_db)).astype(np.float32) * 10 ** (level_db / 20)
    found = measured(np.tile(samples, (2, 1)).astype(np.float32))
    assert found.integrated_lufs is not None
    return np.tile(samples * 10 ** ((-23 - found.integrated_lufs) / 20), (2, 1)).astype(np.float32)


@pytest.mark.parametrize(("case", "range_lu"), [("7, 3342-5", 5), ("8, 3342-6", 15)])
def test_3341_and_3342_programmes(case, range_lu):
    """Given a programme of narrow or of wide range at -23 LUFS, when measured, then both are told."""
    found = measured(programme(range_lu))
    assert found.integrated_lufs == pytest.approx(-23, abs=0.1), case
    assert found.range_lu == pytest.approx(range_lu, abs=1), case


def test_3341_9_short_term_is_constant():
    """Given case 9, tones that change within 3 s, when measured, then short-term is -23 LUFS throughout."""
    curve = loudness.curve_lufs(measured(tones(*[(1.34, -20), (1.66, -30)] * 5)).short_term)
    np.testing.assert_allclose(curve, -23, atol=0.1)


@pytest.mark.parametrize("segment", range(0, 20, 3))
def test_3341_10_short_term_wherever_it_lies(segment):
    """Given case 10, 3 s of tone at offsets of 150 ms, when measured, then the greatest short-term is -23 LUFS."""
    found = measured(tones((0.15 * segment, SILENT), (3, -23), (1, SILENT)))
    assert found.max_short_term_lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("segment", range(1, 21, 3))
def test_3341_11_short_term_of_successive_tones(segment):
    """Given a segment of case 11, when measured, then the greatest short-term is its level."""
    level = segment - 39
    found = measured(tones((0.15 * segment, SILENT), (3, level), (3 - 0.15 * segment, SILENT)))
    assert found.max_short_term_lufs == pytest.approx(level, abs=0.1)


def test_3341_12_momentary_is_constant():
    """Given case 12, tones that change within 400 ms, when measured, then momentary is -23 LUFS behind 1 s."""
    curve = loudness.curve_lufs(measured(tones(*[(0.18, -20), (0.22, -30)] * 25)).momentary)
    np.testing.assert_allclose(curve[6:], -23, atol=0.1)


@pytest.mark.parametrize("segment", range(20))
def test_3341_13_momentary_wherever_it_lies(segment):
    """Given case 13, 400 ms of tone at offsets of 20 ms, when measured, then the greatest momentary is -23 LUFS."""
    found = measured(tones((0.02 * segment, SILENT), (0.4, -23), (1, SILENT)))
    assert found.max_momentary_lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("segment", range(1, 21))
def test_3341_14_momentary_of_successive_tones(segment):
    """Given a segment of case 14, when measured, then the greatest momentary is its level."""
    level = segment - 39
    found = measured(tones((0.02 * segment, SILENT), (0.4, level), (0.4 - 0.02 * segment, SILENT)))
    assert found.max_momentary_lufs == pytest.approx(level, abs=0.1)


@pytest.mark.parametrize(
    ("divisor", "degrees", "peak"),
    [(4, 0, 0.5), (4, 45, 0.5), (6, 60, 0.5), (8, 67.5, 0.5), (4, 45, 1.41)],
    ids=["15", "16", "17", "18", "19"],
)
def test_3341_true_peak_of_tones(divisor, degrees, peak):
    """Given cases 15 to 19, when measured, then the true peak is within +0.2 and -0.4 dB."""
    angle = 2 * np.pi * np.arange(RATE_HZ) / divisor + np.radians(degrees)
    fade = np.minimum(1, np.minimum(np.arange(RATE_HZ), np.arange(RATE_HZ)[::-1]) / 4800)
    samples = np.tile((peak * fade * np.sin(angle)).astype(np.float32), (2, 1))
    assert -0.4 <= 20 * np.log10(loudness.true_peak([samples]) / peak) <= 0.2


@pytest.mark.parametrize("offset", range(4), ids=["20", "21", "22", "23"])
def test_3341_true_peak_between_samples(offset):
    """Given cases 20 to 23, a peak of 0 dBTP that falls at each quarter of a sample, when measured, then it is found.

    A tone of a sixth of the rate at half scale that swells to full scale once, made at four times the rate.
    """
    times = np.arange(4 * RATE_HZ // 2) - RATE_HZ
    swell = 0.5 + 0.5 * np.exp(-0.5 * (times / 200) ** 2)
    samples = (swell * np.cos(2 * np.pi * times / 24))[offset::4].astype(np.float32)
    assert -0.4 <= 20 * np.log10(loudness.true_peak([np.tile(samples, (2, 1))])) <= 0.2


@pytest.mark.parametrize(
    ("case", "levels", "range_lu"),
    [
        (1, (-20, -30), 10),
        (2, (-20, -15), 5),
        (3, (-40, -20), 20),
        (4, (-50, -35, -20, -35, -50), 15),
    ],
)
def test_3342_range(case, levels, range_lu):
    """Given cases 1 to 4, when measured, then the range is right within 1 LU."""
    found = measured(tones(*((20, level) for level in levels)))
    assert found.range_lu == pytest.approx(range_lu, abs=1), case
