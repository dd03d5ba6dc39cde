"""The tune of a mix: of the pitches that stand out of each spectrum the one that sounds most like a tune, in a line.

Which of them does is told by boosted trees, grown on rendered arrangements by `benchmarks.hearing.learn_melody`;
their card is `lead.md`. Source: after Ellis & Poliner 2006, "Classification-based melody transcription".
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from processors.audio.signal import ANALYSIS_RATE_HZ, N_FFT, Signal
from processors.audio.trees import Trees
from processors.melody.comb import BELOW, LOWEST_HZ, PITCHES, STEPS, axes, fits, pitches_hz
from processors.melody.tune import FRAME_RATE_HZ, stretches
from processors.melody.voice import RATE_HZ, levels_db

MOST = 6
"""Pitches of each frame that are looked at."""
TOLD = 26
"""Numbers that are told of each; see `lines.proposed`."""
_SLOPE, _LEAP = 0.12, 0.8
_SOUNDING = 0.35
_SMOOTH = 5
_QUIETEST_DB = -80.0
_HIGHEST_HZ = 5000.0


def lead_of(signal: Signal) -> tuple[np.ndarray, np.ndarray]:
    """Return the pitch of the tune in Hz and how probably it sounds, every 10 ms, shape (frames,) each."""
    from scipy.ndimage import uniform_filter1d

    from processors.melody.lines import likeliest, measured

    found: list[tuple[np.ndarray, np.ndarray]] = []
    bin_hz = ANALYSIS_RATE_HZ / N_FFT
    for _, inside, magnitudes in stretches(signal):
        places, told = candidates(magnitudes)
        evidence = _evidence(places, trees().probability(told), len(magnitudes))
        line = likeliest(evidence, _SLOPE, _LEAP)
        sure = evidence[np.arange(len(line)), line].astype(np.float64)
        hz, _ = measured(magnitudes[inside], pitches_hz()[line[inside]], bin_hz, LOWEST_HZ, _HIGHEST_HZ)
        found.append((hz, uniform_filter1d(sure, _SMOOTH, mode="nearest")[inside]))
    hz, sure = (np.concatenate(parts) for parts in zip(*found, strict=True))
    level_db = signal.once(levels_db)
    at = np.minimum(np.rint(np.arange(len(level_db)) / RATE_HZ * FRAME_RATE_HZ).astype(int), len(hz) - 1)
    odds = sure[at] / np.maximum(1 - sure[at], 1e-6) * (1 - _SOUNDING) / _SOUNDING
    return np.asarray(hz[at]), np.where(level_db > _QUIETEST_DB, odds / (1 + odds), 0.0)


def candidates(magnitudes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pitches that may be the tune's, shape (n, 2), frame and place, and what is told of each, shape (n, 26)."""
    from processors.melody.lines import proposed

    rows = axes(magnitudes)
    level = np.sqrt(np.einsum("ij,ij->i", magnitudes, magnitudes))
    level_db = 20 * np.log10(np.maximum(level / max(float(level.max()), 1e-6), 1e-5))
    places, told = proposed(fits(rows), rows, level_db.astype(np.float32), BELOW, STEPS, MOST)
    return places, told


def _evidence(places: np.ndarray, sure: np.ndarray, frames: int) -> np.ndarray:
    """How probable each pitch is, and a little less its neighbours, shape (frames, 336), float32."""
    evidence = np.zeros((frames, PITCHES), np.float32)
    for step, share in ((-1, 0.8), (1, 0.8), (0, 1.0)):
        place = np.clip(places[:, 1] + step, 0, PITCHES - 1)
        np.maximum.at(evidence, (places[:, 0], place), (share * sure).astype(np.float32))
    return evidence


@cache
def trees() -> Trees:
    """The trees that were grown."""
    with files("processors.melody").joinpath("lead.npz").open("rb") as file:
        return Trees.read(file)
