"""Mains hum: lines at 50 or 60 Hz and their harmonics that are there all the time, equally loud."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from processors.quality.faults import Piece, share

MAINS_HZ = (50.0, 60.0)
HARMONICS = 8
STANDS_OUT_DB = 10.0
_RATE_HZ = 2000.0
_WINDOW_S = 3.0
_OFF_HZ = 0.3
_NEIGHBOURS_HZ = (1.5, 5.0)
_FEWEST = 2
_ALWAYS = 0.8
_STEADY_DB = 2.5
_TAPS_A_STEP = 6


@dataclass(frozen=True, slots=True)
class Found:
    """mains_hz: 50 or 60, null where there is none. level_dbfs: of all its lines."""

    mains_hz: float | None
    level_dbfs: float | None
    confidence: float


@dataclass
class Hum:
    """Gathers power spectra below 500 Hz of every three seconds, shape (bins,) each."""

    rate_hz: int
    windows: list[np.ndarray] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        """Take a piece."""
        low = self._lowered(piece)
        size = self._size
        for start in range(0, len(low) - size + 1, size):
            window = np.hanning(size)
            spectrum = np.fft.rfft(low[start : start + size] * window)
            self.windows.append((2 * np.abs(spectrum[: self._bin(500)]) ** 2 / window.sum() ** 2).astype(np.float32))

    def found(self) -> Found:
        """The mains whose lines are there. A bass note sounds at times, at its own pitch, and dies away."""
        if len(self.windows) < _FEWEST:
            return Found(None, None, 0.0)
        powers = np.array(self.windows)
        return max((self._of(powers, mains) for mains in MAINS_HZ), key=lambda found: found.confidence)

    def _of(self, powers: np.ndarray, mains_hz: float) -> Found:
        lines = [self._line(powers, mains_hz * number) for number in range(1, HARMONICS + 1) if mains_hz * number < 480]
        there = [(stands_out, power) for stands_out, power in lines if stands_out > STANDS_OUT_DB]
        if not (lines[0][0] > STANDS_OUT_DB or (lines[1][0] > STANDS_OUT_DB and len(there) > 1)):
            return Found(None, None, 0.0)
        sure = 0.5 + 0.25 * share(max(db for db, _ in there), STANDS_OUT_DB, 25) + 0.25 * share(len(there), 1, 3)
        known = share(len(self.windows), 0, 2 * _FEWEST)
        level = 10 * np.log10(sum(power for _, power in there) + 1e-16)
        return Found(mains_hz, round(float(level), 1), sure * (0.5 + 0.5 * known))

    def _line(self, powers: np.ndarray, at_hz: float) -> tuple[float, float]:
        """By how many dB a line stands out in most windows, and its power; 0 where it comes and goes."""
        middle, off = self._bin(at_hz), max(1, self._bin(_OFF_HZ))
        near, far = (self._bin(hz) for hz in _NEIGHBOURS_HZ)
        around = powers[:, middle - off : middle + off + 1]
        line = around.max(axis=1)
        beside = np.concatenate(
            [powers[:, middle - far : middle - near], powers[:, middle + near + 1 : middle + far + 1]], axis=1
        )
        over_db = 10 * np.log10((line + 1e-16) / (np.median(beside, axis=1) + 1e-16))
        highest_db = 10 * np.log10((line + 1e-16) / (beside.max(axis=1) + 1e-16))
        beaten = powers[:, middle - near : middle + near + 1].max(axis=1) > line  # by a tone that is not quite there
        clear = (over_db > STANDS_OUT_DB) & (highest_db > 0) & ~beaten
        heard_db = 10 * np.log10(line[clear] + 1e-14)
        if clear.mean() < _ALWAYS or np.quantile(heard_db, 0.8) - np.quantile(heard_db, 0.2) > _STEADY_DB:
            return 0.0, 0.0
        return float(np.quantile(over_db, 1 - _ALWAYS)), float(np.median(line))

    @property
    def _factor(self) -> int:
        """Of how many samples one is kept."""
        return int(2 ** max(0, np.floor(np.log2(self.rate_hz / _RATE_HZ))))

    @property
    def _size(self) -> int:
        return round(_WINDOW_S * self.rate_hz / self._factor)

    def _bin(self, frequency_hz: float) -> int:
        return round(frequency_hz * self._size * self._factor / self.rate_hz)

    def _lowered(self, piece: Piece) -> np.ndarray:
        """The strongest of both channels' mean at a low rate, shape (n,); windowed-sinc, then every n-th sample."""
        factor, reach = self._factor, self._factor * _TAPS_A_STEP // 2
        mono = piece.samples[:, piece.margin - reach : piece.margin + piece.frames + reach].mean(
            axis=0, dtype=np.float32
        )
        if factor == 1:
            return np.asarray(mono[reach:])
        at = np.arange(2 * reach) - reach + 0.5
        taps = np.sinc(at / factor) * np.hamming(2 * reach)
        framed = np.lib.stride_tricks.sliding_window_view(mono, 2 * reach)[::factor]
        lowered: np.ndarray = framed @ (taps / taps.sum()).astype(np.float32)
        return lowered
