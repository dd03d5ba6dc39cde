"""How high a sound reaches, and whether something, a codec or a resampler, has cut it off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from processors.quality.faults import FRAME, share
from processors.quality.longterm import LongTerm

CLIFF_DB = 14.0
"""A cliff falls by so much within a few hundred hertz; a synthesizer's filter of 24 dB an octave falls by two."""
LOWEST_HZ = 3000.0
_HIGHEST_HZ = 20_000.0
_HIGHEST_SHARE = 0.92
_POOL_HZ = 86.0
_NEAR, _FAR = 2, 7
_AUDIBLE_DB = -80.0
_FLOOR_DB = -125.0


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Up to where there is sound, and whether that is a cut, with how surely."""

    highest_hz: float | None
    cut_hz: float | None
    drop_db: float
    confidence: float


def bandwidth(spectrum: LongTerm) -> Bandwidth:
    """Find a cliff in the mean spectrum behind which nothing comes any more.

    Source: the practice of "lossless authenticity" checks, e.g. D'Alessandro & Shi 2009, "MP3 bit rate quality
    detection through frequency spectrum analysis".
    """
    bins = max(1, round(_POOL_HZ * FRAME / spectrum.rate_hz))
    whole = len(spectrum.power) // bins * bins
    power = spectrum.power[:whole].reshape(-1, bins) / max(1, spectrum.frames)
    mean_db = 10 * np.log10(power.mean(axis=1) + 1e-16)
    band_hz = bins * spectrum.rate_hz / FRAME
    sounding = np.flatnonzero(mean_db > mean_db.max() + _AUDIBLE_DB)
    if mean_db.max() < -110 or not sounding.size:  # nothing but rounding
        return Bandwidth(None, None, 0.0, 0.0)
    highest = float((sounding[-1] + 1) * band_hz)
    at, drop = _cliff(mean_db, band_hz, spectrum.rate_hz)
    if drop < CLIFF_DB:
        return Bandwidth(highest, None, drop, 0.0)
    return Bandwidth(min(highest, at), at, drop, 0.5 + 0.5 * share(drop, CLIFF_DB - 4, 2 * CLIFF_DB))


def _cliff(mean_db: np.ndarray, band_hz: float, rate_hz: int) -> tuple[float, float]:
    """Where the spectrum falls most, and by how much more than it was falling before; nothing comes behind it."""
    behind = np.maximum.accumulate(mean_db[::-1])[::-1]
    best, drop = 0.0, 0.0
    for at in range(round(LOWEST_HZ / band_hz), len(mean_db) - _FAR):
        if at * band_hz > min(_HIGHEST_HZ, _HIGHEST_SHARE * rate_hz / 2):
            break
        below = float(np.quantile(mean_db[at - _FAR : at - _NEAR + 1], 0.3))
        earlier = float(np.median(mean_db[max(0, at - 3 * _FAR) : at - 2 * _FAR]))
        above = float(behind[at + _NEAR])
        fall = below - above - 2 * max(0.0, earlier - below)
        if below > _FLOOR_DB and fall > drop:
            best, drop = at * band_hz, fall
    return best, drop
