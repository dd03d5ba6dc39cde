"""The noise floor, and how far what is played lies above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from processors.quality.faults import FRAME, share
from processors.quality.longterm import LongTerm

STEADY_DB = (0.25, 2.0)
"""In a band of noise alone the quieter third of all frames lies this close to the quietest; steady tones closer."""
LOUD_FLOOR_DBFS = -72.0
NOISY_SNR_DB = 45.0
_LOWEST, _QUIET = 0.05, 0.3
_SILENT_DB = -105.0
_FEWEST = 16
_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Noise:
    """floor_dbfs: of the whole range, at most this. steady: share of bands with a floor of their own."""

    floor_dbfs: float | None
    snr_db: float | None
    steady: float
    noisy: bool
    confidence: float


def noise_floor(spectrum: LongTerm, below_hz: float | None = None) -> Noise:
    """Measure the floor by the quietest frames of each band; it is noise where those are all alike.

    below_hz: where the sound is cut off, if it is; what leaks past that is no noise.

    Source: Martin 2001, "Noise power spectral density estimation based on optimal smoothing and minimum statistics";
    instead of a moving minimum a low quantile of the whole, as a recording has one floor.
    """
    bands = np.concatenate(spectrum.bands)
    if below_hz is not None:
        bands = bands[:, spectrum.edges[1:] * spectrum.rate_hz < below_hz * FRAME]
    total = bands.sum(axis=1)
    sounding = 10 * np.log10(total + 1e-16) > _SILENT_DB
    if np.count_nonzero(sounding) < _FEWEST or bands.shape[1] < 4:  # below 4 kHz of rate
        return Noise(None, None, 0.0, False, 0.0)
    heard = bands[sounding]
    floors, quiets = np.quantile(heard, (_LOWEST, _QUIET), axis=0)
    floor_db, level_db = 10 * np.log10(floors.sum() + 1e-16), 10 * np.log10(total[sounding].mean() + 1e-16)
    spread_db = 10 * np.log10((quiets + 1e-16) / (floors + 1e-16))
    alike = (spread_db > STEADY_DB[0]) & (spread_db < STEADY_DB[1])
    steady_db = 10 * np.log10(floors[alike].sum() / max(0.05, float(alike.mean())) + 1e-16)
    steady = float(alike.mean())
    snr = max(0.0, 10 * np.log10(max(1e-9, 10 ** (level_db / 10) - 10 ** (floor_db / 10))) - floor_db)
    noisy = steady >= _SHARE and steady_db > LOUD_FLOOR_DBFS and level_db - steady_db < NOISY_SNR_DB
    return Noise(round(floor_db, 1), round(snr, 1), steady, noisy, share(steady, 0, 2 * _SHARE))
