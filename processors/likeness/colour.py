"""What a sound is like apart from what is played: its timbre, and its rhythm in seconds."""

from __future__ import annotations

import numpy as np

from processors.audio.frames import hear_frames
from processors.audio.signal import FRAME_RATE_HZ, Signal
from processors.audio.timbre import mel_cepstrum
from processors.rhythm.periodicity import accents, autocorrelation

_RANGE_DB = 50.0
_CEPSTRUM = 20
_AT_ONCE = 4096
_SLOWEST_S, _FASTEST_S, _LAGS = 1.6, 0.1, 24
_TIMBRE, _SHAPE, _RHYTHM = 0.5, 0.7, 0.6
"""What brings the parts to about the same size."""


def colour_numbers(signal: Signal) -> np.ndarray:
    """Return what a sound is like, shape (56,): cepstrum (19), shape of the spectrum (10), rhythm (27)."""
    frames = signal.once(hear_frames)
    return np.concatenate(
        [
            _TIMBRE * cepstrum_part(frames.mel_db),
            _SHAPE * shape_part(frames.features, frames.mel_power.astype(np.float64)),
            _RHYTHM * rhythm_part(frames.features["onset_strength"]),
        ]
    )


def cepstrum_part(mel_db: np.ndarray) -> np.ndarray:
    """Return the mean cepstrum without level, shape (19,).

    mel_db: shape (frames, bands); what lies 50 dB below the loudest counts as nothing, so that faint noise does not.
    """
    loudest, total = mel_db.max(), np.zeros(_CEPSTRUM)
    for start in range(0, len(mel_db), _AT_ONCE):
        levels = np.maximum(mel_db[start : start + _AT_ONCE] - loudest, -_RANGE_DB) / _RANGE_DB
        total += mel_cepstrum(levels, coefficients=_CEPSTRUM).sum(axis=0, dtype=np.float64)
    return np.asarray(total / len(mel_db))[1:]


def shape_part(features: dict[str, np.ndarray], frame_levels: np.ndarray) -> np.ndarray:
    """Return mean and spread of centroid, bandwidth, rolloff, flatness and zero crossings, shape (10,).

    frame_levels: shape (frames,), how much each frame counts. Frequencies are in octaves about 1 kHz.
    """
    columns = [np.log2(features[name] / 1000 + 0.05) / 3 for name in ("centroid_hz", "bandwidth_hz", "rolloff_hz")]
    columns += [np.log10(features["flatness"] + 1e-6) / 6 + 0.5, 4 * features["zero_crossing_rate"]]
    table = np.stack(columns, axis=1).astype(np.float64)
    total = frame_levels.sum()
    weights = frame_levels / total if total > 0 else np.full(len(table), 1 / len(table))
    mean = weights @ table
    return np.concatenate([mean, np.sqrt(weights @ (table - mean) ** 2)])


def rhythm_part(onset_strength: np.ndarray) -> np.ndarray:
    """Return how onsets repeat from 0.1 to 1.6 s, by equal ratios (24), and how dense, steep and uneven they are (3).

    onset_strength: shape (frames,), in dB.
    """
    accented = accents(onset_strength, frame_rate_hz=FRAME_RATE_HZ)
    lags = np.geomspace(_FASTEST_S, _SLOWEST_S, _LAGS) * FRAME_RATE_HZ
    correlation = autocorrelation(accented, lags=int(lags[-1]) + 2)
    repeats = np.interp(lags, np.arange(len(correlation)), correlation)
    largest = max(float(accented.max()), 3.0)
    density = float(np.mean(accented > 0.3 * largest)) * 2
    return np.concatenate([repeats, [density, np.log10(1 + largest) / 2, float(accented.std()) / largest]])
