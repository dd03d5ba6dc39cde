"""Loops over every sample, compiled: import this where it is called, since numba takes its time."""

from __future__ import annotations

import numba
import numpy as np

ORDER = 10
FRAME = 2048
BIN = 16


@numba.njit(cache=True)  # type: ignore[untyped-decorator]  # numba has no types
def flat_runs(samples: np.ndarray, tolerance: float, shortest: int, loud: float, long: int) -> np.ndarray:
    """Runs of samples that all lie within `tolerance` of their first, shape (runs, 5).

    A row: start, length, value, and the steps in and out, positive where the run is further from zero.
    Runs of `shortest` count where they are past `loud`, those of `long` everywhere.
    """
    rows = np.empty((64, 5), np.float64)
    count, start, total = 0, 0, len(samples)
    first = samples[0]
    for at in range(1, total + 1):
        if at < total and abs(samples[at] - first) <= tolerance:
            continue
        length = at - start
        if (length >= shortest and abs(first) >= loud) or length >= long:
            sign = 1.0 if first > 0 else -1.0
            if count == len(rows):
                grown = np.empty((2 * count, 5), np.float64)
                grown[:count] = rows
                rows = grown
            rows[count, 0], rows[count, 1], rows[count, 2] = start, length, first
            rows[count, 3] = sign * (first - samples[start - 1]) if start else 0.0
            rows[count, 4] = sign * (first - samples[at]) if at < total else 0.0
            count += 1
        if at < total:
            start, first = at, samples[at]
    return rows[:count].copy()


@numba.njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]  # numba has no types
def residual_peaks(samples: np.ndarray) -> np.ndarray:
    """The largest prediction error of each `BIN` samples, shape (len // BIN,), float32, in frames of `FRAME`.

    Each frame is predicted linearly from `ORDER` samples before, the predictor being fitted to the frame, or to the one
    before where that does better: a click spoils the fit of its own.
    Source: Makhoul 1975, "Linear Prediction: A Tutorial Review", autocorrelation method.
    """
    peaks = np.zeros(len(samples) // BIN, np.float32)
    lags = np.empty(ORDER + 1, np.float64)
    taps, before = np.empty(ORDER + 1, np.float64), np.empty(ORDER + 1, np.float64)
    coefficients = np.zeros((2, ORDER + 1), np.float32)
    errors = np.empty((2, FRAME // BIN), np.float32)
    for start in range(0, len(peaks) * BIN, FRAME):
        end = min(start + FRAME, len(peaks) * BIN)
        for lag in range(ORDER + 1):
            total = np.float32(0)
            for at in range(start + lag, end):
                total += samples[at] * samples[at - lag]
            lags[lag] = total
        lags[0] = lags[0] * (1 + 1e-6) + 1e-9
        taps[:] = 0
        taps[0] = 1
        error = lags[0]
        for order in range(1, ORDER + 1):
            reflected = lags[order]
            for at in range(1, order):
                reflected += taps[at] * lags[order - at]
            reflected = -reflected / error
            before[:] = taps
            for at in range(1, order):
                taps[at] = before[at] + reflected * before[order - at]
            taps[order] = reflected
            error *= 1 - reflected * reflected
            if error <= 1e-9 * lags[0]:
                break
        for at in range(ORDER + 1):
            coefficients[0, at] = coefficients[1, at]
            coefficients[1, at] = taps[at]
        sums = np.zeros(2)
        for which in range(2):
            for first in range(start, end, BIN):
                highest = np.float32(0)
                for at in range(max(first, ORDER), first + BIN):
                    left = samples[at]
                    for lag in range(1, ORDER + 1):
                        left += coefficients[which, lag] * samples[at - lag]
                    highest = max(highest, abs(left))
                errors[which, (first - start) // BIN] = highest
                sums[which] += highest
        better = 0 if sums[0] < sums[1] else 1
        peaks[start // BIN : end // BIN] = errors[better, : (end - start) // BIN]
    return peaks
