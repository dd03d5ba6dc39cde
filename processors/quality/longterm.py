"""Spectra of a whole sound, frame by frame, as several faults are read from them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from processors.quality.faults import FRAME, Piece

BAND_HZ = 430.0
"""Width of the bands in which a noise floor is sought: some 40 bins, so that noise stays within a decibel."""
LONGEST_DELAY_S = 0.02
_COHERENT_HZ = (100.0, 8000.0)
_SILENT = 1e-10


@dataclass
class LongTerm:
    """Mean power of each bin, powers of bands in every frame, and the phases between the first two channels.

    power: shape (bins,), a full-scale sine has its power of 1/2 around its bin. bands: shape (frames, bands) a piece.
    phases: sum of unit cross-spectra, shape (bins,); weight: how many went into it.
    """

    rate_hz: int
    power: np.ndarray = field(default_factory=lambda: np.zeros(FRAME // 2 + 1))
    phases: np.ndarray = field(default_factory=lambda: np.zeros(FRAME // 2 + 1, complex))
    bands: list[np.ndarray] = field(default_factory=list)
    frames: int = 0
    weight: float = 0.0

    def add(self, piece: Piece) -> None:
        """Take a piece; its last frame is filled up with silence."""
        from scipy.fft import rfft

        core = piece.core[:2]
        core = np.pad(core, ((0, 0), (0, -core.shape[1] % FRAME)))
        framed = core.reshape(len(core), -1, FRAME) * _window()
        spectra = rfft(framed, axis=-1)
        powers = spectra.real**2 + spectra.imag**2
        mean = powers.mean(axis=0)
        self.power += mean.sum(axis=0, dtype=np.float64)
        self.frames += len(mean)
        self.bands.append(np.add.reduceat(mean, self.edges, axis=1)[:, :-1])
        if len(core) > 1:
            self._compare(spectra, powers)

    def _compare(self, spectra: np.ndarray, powers: np.ndarray) -> None:
        """Add up the phases between channels where both sound. Source: Knapp & Carter 1976, the phase transform."""
        low, high = (round(hz * FRAME / self.rate_hz) for hz in _COHERENT_HZ)
        part = slice(low, min(high, FRAME // 2))
        size = np.sqrt(powers[0, :, part] * powers[1, :, part])
        least = np.maximum(1e-4 * size.max(axis=1, keepdims=True, initial=0), _SILENT)
        sounding = size > least
        unit = np.where(sounding, spectra[0, :, part] * spectra[1, :, part].conj() / np.maximum(size, _SILENT), 0)
        self.phases[part] += unit.sum(axis=0, dtype=complex)
        self.weight += float(np.count_nonzero(sounding))

    @property
    def edges(self) -> np.ndarray:
        """The first bin of each band, and of what is above them; what is below 200 Hz is in none."""
        step = max(1, round(BAND_HZ * FRAME / self.rate_hz))
        return np.arange(max(1, round(200 * FRAME / self.rate_hz)), FRAME // 2 + 1, step)

    def mean_db(self) -> np.ndarray:
        """Mean power of each bin in dB, shape (bins,)."""
        found: np.ndarray = 10 * np.log10(self.power / max(1, self.frames) + 1e-16)
        return found


def _window() -> np.ndarray:
    """A Hann window under which bins add up to the power of the samples."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(FRAME) + 0.5) / FRAME)
    scaled: np.ndarray = (window * np.sqrt(2 / (FRAME * np.square(window).sum()))).astype(np.float32)
    return scaled
