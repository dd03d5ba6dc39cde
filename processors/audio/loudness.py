"""Loudness by ITU-R BS.1770-4 and EBU R 128, with loudness range by EBU Tech 3342."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from domain.ports import Blobs
from events.analyses import LoudnessMeasured
from events.imports import AudioAdded
from processors.audio.arrays import NPZ, level_db, to_npz
from processors.audio.signal import Signal
from processors.handler import processor

OVERSAMPLING = 4
STEPS_PER_S = 100
"""Steps of 10 ms: Tech 3341 wants the loudest 400 ms wherever they lie, cases 13 and 14."""
CURVES_PER_S = 10
MOMENTARY_STEPS = 40
SHORT_TERM_STEPS = 300
LOWEST_LUFS = -120.0
_HOP = STEPS_PER_S // CURVES_PER_S
_OFFSET_DB = -0.691
_ABSOLUTE_GATE_LUFS = -70.0
_LOWEST_RATE_HZ = 8000

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


class StepPowers:
    """K-weighted power of every 10 ms, summed over weighted channels, of samples that come in blocks."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate_hz = rate_hz
        self._sections = k_weighting(rate_hz)
        self._weights = channel_weights(channels)
        self._state = np.zeros((2, channels, 2))
        self._at = 0
        self._sums: list[np.ndarray] = []
        self._open = 0.0

    def add(self, block: np.ndarray) -> None:
        """Take samples of shape (channels, n)."""
        from scipy.signal import sosfilt

        weighted, self._state = sosfilt(self._sections, block.astype(np.float64), zi=self._state)
        np.multiply(weighted, weighted, out=weighted)
        squares = self._weights @ weighted
        behind = self._at + len(squares)
        first, last = self._at * STEPS_PER_S // self._rate_hz, behind * STEPS_PER_S // self._rate_hz
        edges = self._edges(np.arange(first + 1, last + 1)) - self._at
        sums = np.add.reduceat(np.append(squares, 0.0), np.concatenate([[0], edges]))
        sums[0] += self._open
        self._sums.append(sums[:-1])
        self._open, self._at = float(sums[-1]), behind

    def powers(self) -> np.ndarray:
        """Mean power of each whole step, shape (steps,); what is too short for 400 ms has silence behind it."""
        sums = np.concatenate([np.zeros(0), *self._sums])
        if len(sums) < MOMENTARY_STEPS:
            sums = np.pad(np.append(sums, self._open), (0, MOMENTARY_STEPS))[:MOMENTARY_STEPS]
        found: np.ndarray = sums / np.diff(self._edges(np.arange(len(sums) + 1)))
        return found

    def _edges(self, steps: np.ndarray) -> np.ndarray:
        """The first sample of each step."""
        edges: np.ndarray = -(-steps * self._rate_hz // STEPS_PER_S)
        return edges


def step_powers(blocks: Iterable[np.ndarray], rate_hz: int, *, channels: int) -> np.ndarray:
    """Return what `StepPowers` finds in all blocks; at low rates, where its filters do not hold, at 48 kHz."""
    if rate_hz >= _LOWEST_RATE_HZ:
        powers = StepPowers(rate_hz, channels)
        for block in blocks:
            powers.add(block)
        return powers.powers()
    import soxr

    powers = StepPowers(48_000, channels)
    resampler = soxr.ResampleStream(rate_hz, 48_000, channels, dtype="float32")
    for block in blocks:
        powers.add(resampler.resample_chunk(np.ascontiguousarray(block.T)).T)
    powers.add(resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True).T)
    return powers.powers()


def moving_mean(powers: np.ndarray, steps: int, *, hop: int = 1) -> np.ndarray:
    """Return the mean of `steps` neighbours from every `hop`-th on, shape ((n - steps) // hop + 1,)."""
    sums = np.concatenate([[0.0], np.cumsum(powers)])
    means: np.ndarray = np.maximum(0, sums[steps::hop] - sums[:-steps:hop]) / steps
    return means


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
    low, high = (loud[max(0, int(len(loud) * share + 0.5) - 1)] for share in (0.10, 0.95))
    return round(10 * math.log10(high / low), 2)


_TAPS = 24
_OUTPUTS = 32
_PIECE = 1024 * _OUTPUTS


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


def true_peak(blocks: Iterable[np.ndarray]) -> float:
    """Return the largest magnitude at four times the rate, at least that of any sample.

    blocks: shape (channels, n) each. Source: BS.1770-4 annex 2, with a Kaiser-windowed sinc of 24 taps a phase;
    many outputs at once are one matrix product.
    """
    highest, rest = 0.0, np.zeros((1, 0), np.float32)
    for block in blocks:
        if not rest.size:  # beyond the ends there is silence
            rest = np.zeros((len(block), _TAPS // 2 - 1), np.float32)
        joined = np.concatenate([rest, block], axis=1)
        whole = max(0, joined.shape[1] - _TAPS + 1) // _OUTPUTS * _OUTPUTS
        rest = joined[:, whole:]
        highest = max(highest, _largest_between(joined, whole), float(block.max()), -float(block.min()))
    behind = np.pad(rest, ((0, 0), (0, _TAPS // 2 + _OUTPUTS - 1)))
    return max(highest, _largest_between(behind, (behind.shape[1] - _TAPS + 1) // _OUTPUTS * _OUTPUTS))


def _largest_between(samples: np.ndarray, outputs: int) -> float:
    """The largest magnitude between samples of shape (channels, outputs + taps - 1 or more)."""
    matrix, highest = _interpolator(), 0.0
    for channel in samples:
        for start in range(0, outputs, _PIECE):
            piece = channel[start : min(start + _PIECE, outputs) + _TAPS - 1]
            framed = np.lib.stride_tricks.sliding_window_view(piece, len(matrix))[::_OUTPUTS]
            between = framed @ matrix
            highest = max(highest, float(between.max()), -float(between.min()))
    return highest


@dataclass(frozen=True, slots=True)
class Loudness:
    """Figures and curves of one sound; None where all is below the absolute gate or the sound is too short to tell.

    momentary and short_term: weighted powers every 100 ms, shape (n,).
    """

    integrated_lufs: float | None
    range_lu: float | None
    max_momentary_lufs: float | None
    max_short_term_lufs: float | None
    momentary: np.ndarray
    short_term: np.ndarray


def loudness_of(powers: np.ndarray) -> Loudness:
    """Measure the powers of steps of 10 ms; a sound below 3 s has no range and no short-term loudness."""
    momentary = moving_mean(powers, MOMENTARY_STEPS, hop=_HOP)
    short_term = moving_mean(powers, SHORT_TERM_STEPS, hop=_HOP) if len(powers) >= SHORT_TERM_STEPS else np.zeros(0)
    return Loudness(
        integrated_lufs=integrated_lufs(momentary),
        range_lu=loudness_range_lu(short_term),
        max_momentary_lufs=lufs_of(float(moving_mean(powers, MOMENTARY_STEPS).max())),
        max_short_term_lufs=lufs_of(float(short_term.max())) if short_term.size else None,
        momentary=momentary,
        short_term=short_term,
    )


def curve_lufs(powers: np.ndarray) -> np.ndarray:
    """Return weighted powers as loudness, nothing below -120, float32."""
    lowest = _power_of(LOWEST_LUFS)
    curve: np.ndarray = _OFFSET_DB + 10 * np.log10(np.maximum(powers, lowest))
    return curve.astype(np.float32)


def signal_loudness(signal: Signal) -> Loudness:
    """The loudness of a signal."""
    return loudness_of(step_powers(signal.blocks(), signal.rate_hz, channels=signal.channels))


@processor("2")
def measure_loudness(event: AudioAdded, signal: Signal, blobs: Blobs) -> LoudnessMeasured:
    """Measure loudness over time and in all, its range and the true peak."""
    loudness = signal.once(signal_loudness)
    curves = {
        "momentary_lufs": curve_lufs(loudness.momentary),
        "short_term_lufs": curve_lufs(loudness.short_term),
    }
    return LoudnessMeasured(
        asset_id=event.asset_id,
        parameters={"oversampling": OVERSAMPLING},
        integrated_lufs=loudness.integrated_lufs,
        range_lu=loudness.range_lu,
        max_momentary_lufs=loudness.max_momentary_lufs,
        max_short_term_lufs=loudness.max_short_term_lufs,
        true_peak_dbtp=level_db(true_peak(signal.blocks()) ** 2),
        curves=blobs.put(to_npz(curves), NPZ),
        curves_rate_hz=CURVES_PER_S,
    )
