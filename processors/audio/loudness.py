"""Loudness by ITU-R BS.1770-4 and EBU R 128, with loudness range by EBU Tech 3342."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from events.analyses import LoudnessMeasured
from events.imports import AudioAdded
from processors.audio.arrays import level_db
from processors.audio.signal import Signal
from processors.handler import processor

OVERSAMPLING = 4
STEPS_PER_S = 10
MOMENTARY_STEPS = 4
SHORT_TERM_STEPS = 30
_OFFSET_DB = -0.691
_ABSOLUTE_GATE_LUFS = -70.0
_LOWEST_RATE_HZ = 8000
_STEPS_AT_ONCE = 50

_WEIGHTS: dict[int, tuple[float, ...]] = {
    4: (1, 1, 1.41, 1.41),
    5: (1, 1, 1, 1.41, 1.41),
    6: (1, 1, 1, 0, 1.41, 1.41),
    7: (1, 1, 1, 0, 1.41, 1.41, 1.41),
    8: (1, 1, 1, 0, 1.41, 1.41, 1.41, 1.41),
}


def channel_weights(channels: int) -> np.ndarray:
    """Return the weight of each channel in the order of WAV and FLAC: surrounds 1.41, LFE none, else 1."""
    return np.array(_WEIGHTS.get(channels, (1,) * channels), np.float64)


def k_weighting(rate_hz: int) -> np.ndarray:
    """Return the K-weighting as second-order sections, shape (2, 6): a high shelf, then a high pass.

    Source: BS.1770-4 tables 1 and 2, traced back to analogue prototypes by the bilinear transform
    (as libebur128 does), so that they hold at any rate.
    """
    k, q = math.tan(math.pi * 1681.974450955533 / rate_hz), 0.7071752369554196
    gain = 10 ** (3.999843853973347 / 20)
    middle = gain**0.4996667741545416
    numerator = (gain + middle * k / q + k * k, 2 * (k * k - gain), gain - middle * k / q + k * k)
    denominator = (1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k)
    shelf = np.array([*numerator, *denominator]) / denominator[0]
    k, q = math.tan(math.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    denominator = (1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k)
    high_pass = np.array([1, -2, 1, *(np.array(denominator) / denominator[0])])
    return np.stack([shelf, high_pass])


def step_powers(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return the K-weighted power of every whole 100 ms, summed over weighted channels, shape (steps,), float64.

    samples: shape (channels, frames); what is shorter than a momentary block is followed by silence up to one.
    """
    from scipy.signal import sosfilt

    if rate_hz < _LOWEST_RATE_HZ:
        import soxr

        samples, rate_hz = soxr.resample(samples.T, rate_hz, 48_000).T, 48_000
    steps = max(samples.shape[1] * STEPS_PER_S // rate_hz, MOMENTARY_STEPS)
    edges = -(-np.arange(steps + 1) * rate_hz // STEPS_PER_S)
    missing = max(0, int(edges[-1]) - samples.shape[1])
    samples = np.pad(samples, ((0, 0), (0, missing))) if missing else samples
    sections, weights = k_weighting(rate_hz), channel_weights(len(samples))
    powers = np.zeros(steps)
    state = np.zeros((2, len(samples), 2))
    for first in range(0, steps, _STEPS_AT_ONCE):
        bounds = edges[first : first + _STEPS_AT_ONCE + 1]
        weighted, state = sosfilt(sections, samples[:, bounds[0] : bounds[-1]].astype(np.float64), zi=state)
        sums = np.add.reduceat(weighted * weighted, bounds[:-1] - bounds[0], axis=1)
        powers[first : first + _STEPS_AT_ONCE] = weights @ sums / np.diff(bounds)
    return powers


def moving_mean(powers: np.ndarray, steps: int) -> np.ndarray:
    """Return the mean of every `steps` neighbours, shape (n - steps + 1,)."""
    return np.convolve(powers, np.full(steps, 1 / steps), mode="valid")


def _power_of(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET_DB) / 10))


def lufs_of(power: float) -> float | None:
    """Return a weighted power as loudness, or None at and below the absolute gate."""
    return round(_OFFSET_DB + 10 * math.log10(power), 2) if power > _power_of(_ABSOLUTE_GATE_LUFS) else None


def integrated_lufs(momentary: np.ndarray) -> float | None:
    """Return the loudness of the blocks that pass both gates. Source: BS.1770-4, annex 1, formula 7."""
    loud = momentary[momentary > _power_of(_ABSOLUTE_GATE_LUFS)]
    if not loud.size:
        return None
    return lufs_of(float(loud[loud > loud.mean() / 10].mean()))


def loudness_range_lu(short_term: np.ndarray) -> float | None:
    """Return the spread from the 10th to the 95th percentile, gated 20 LU below the mean. Source: EBU Tech 3342."""
    loud = short_term[short_term > _power_of(_ABSOLUTE_GATE_LUFS)]
    if not loud.size:
        return None
    loud = np.sort(loud[loud > loud.mean() / 100])
    low, high = (loud[round((len(loud) - 1) * share)] for share in (0.10, 0.95))
    return round(10 * math.log10(high / low), 2)


_TAPS = 24
_OUTPUTS = 32


@cache
def _interpolator() -> np.ndarray:
    """Three phases between samples as a band matrix, shape (outputs + taps - 1, phases * outputs), float32."""
    places = np.arange(_TAPS) - (_TAPS // 2 - 1)
    matrix = np.zeros((_OUTPUTS + _TAPS - 1, OVERSAMPLING - 1, _OUTPUTS))
    for phase in range(1, OVERSAMPLING):
        distance = places - phase / OVERSAMPLING
        taps = np.sinc(distance) * np.i0(6.0 * np.sqrt(1 - (distance / (_TAPS / 2)) ** 2)) / np.i0(6.0)
        for output in range(_OUTPUTS):
            matrix[output : output + _TAPS, phase - 1, output] = taps / taps.sum()
    return matrix.reshape(len(matrix), -1).astype(np.float32)


def true_peak(samples: np.ndarray) -> float:
    """Return the largest magnitude at four times the rate, at least that of any sample.

    samples: shape (channels, frames). Source: BS.1770-4 annex 2, with a Kaiser-windowed sinc of 24 taps a phase;
    many outputs at once are one matrix product.
    """
    matrix, highest = _interpolator(), 0.0
    reach, piece = len(matrix), 2048 * _OUTPUTS
    for channel in samples:
        for start in range(0, len(channel), piece):
            first, behind = start - _TAPS // 2 + 1, min(start + piece, len(channel)) + _TAPS // 2
            block = channel[max(0, first) : behind]
            short = -(behind - first - _TAPS + 1) % _OUTPUTS
            missing = (max(0, -first), max(0, behind - len(channel)) + short)
            framed = np.lib.stride_tricks.sliding_window_view(np.pad(block, missing), reach)[::_OUTPUTS]
            between = framed @ matrix
            highest = max(highest, float(between.max()), -float(between.min()))
    return max(highest, float(samples.max()), -float(samples.min()))


@dataclass(frozen=True, slots=True)
class Loudness:
    """Figures of one file; None where all is below the absolute gate or the file is too short to tell."""

    integrated_lufs: float | None
    range_lu: float | None
    max_momentary_lufs: float | None
    max_short_term_lufs: float | None


def loudness_of(samples: np.ndarray, rate_hz: int) -> Loudness:
    """Measure samples of shape (channels, frames); a file below 3 s has no range and no short-term loudness."""
    powers = step_powers(samples, rate_hz)
    momentary = moving_mean(powers, MOMENTARY_STEPS)
    short_term = moving_mean(powers, SHORT_TERM_STEPS) if len(powers) >= SHORT_TERM_STEPS else np.zeros(0)
    return Loudness(
        integrated_lufs=integrated_lufs(momentary),
        range_lu=loudness_range_lu(short_term),
        max_momentary_lufs=lufs_of(float(momentary.max())),
        max_short_term_lufs=lufs_of(float(short_term.max())) if short_term.size else None,
    )


@processor("1")
def measure_loudness(event: AudioAdded, signal: Signal) -> LoudnessMeasured:
    """Measure loudness, its range and the true peak."""
    loudness = loudness_of(signal.samples, signal.rate_hz)
    return LoudnessMeasured(
        asset_id=event.asset_id,
        parameters={"oversampling": OVERSAMPLING},
        integrated_lufs=loudness.integrated_lufs,
        range_lu=loudness.range_lu,
        max_momentary_lufs=loudness.max_momentary_lufs,
        max_short_term_lufs=loudness.max_short_term_lufs,
        true_peak_dbtp=level_db(true_peak(signal.samples) ** 2),
    )
