"""A vector of timbre, harmony and rhythm in which what sounds alike lies near, whatever its level or key."""

from __future__ import annotations

import numpy as np

from domain.values import pack_floats
from events.analyses import EmbeddingComputed
from events.imports import AudioAdded
from processors.audio.signal import FRAME_RATE_HZ, SPECTRUM, Signal
from processors.audio.timbre import mel_cepstrum
from processors.handler import processor
from processors.rhythm.periodicity import accents, autocorrelation

SPACE = "timbre-harmony-1"
DIMENSIONS = 128
_RANGE_DB = 50.0
_CEPSTRUM = 20
_AT_ONCE = 4096
_SLOWEST_S, _FASTEST_S, _LAGS = 1.6, 0.1, 24
_WEIGHTS = {"timbre": 1.0, "change": 0.7, "shape": 0.7, "harmony": 0.6, "rhythm": 0.6}


def timbre_parts(mel_db: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean cepstrum without level, shape (19,), and how it varies and moves, shape (40,).

    mel_db: shape (frames, bands); what lies 50 dB below the loudest counts as nothing, so that faint noise does not.
    """
    loudest, parts = mel_db.max(), []
    for start in range(0, len(mel_db), _AT_ONCE):
        levels = np.maximum(mel_db[start : start + _AT_ONCE] - loudest, -_RANGE_DB) / _RANGE_DB
        parts.append(mel_cepstrum(levels, coefficients=_CEPSTRUM))
    cepstrum = np.concatenate(parts).astype(np.float64)
    moves = np.abs(np.diff(cepstrum, axis=0)).mean(axis=0) if len(cepstrum) > 1 else np.zeros(_CEPSTRUM)
    return cepstrum.mean(axis=0)[1:], np.concatenate([cepstrum.std(axis=0), 2 * moves])


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


def harmony_part(chroma: np.ndarray) -> np.ndarray:
    """Return what of the pitch classes does not depend on the key, shape (32,); zeros where nothing has a pitch.

    chroma: shape (steps, 12). Sorted mean (12), sizes of its Fourier coefficients (6) and of each step's (6),
    its circular autocorrelation (6), share of steps with a tone, and change from step to step.
    Source: Fourier coefficients of pitch classes by Quinn 2006.
    """
    sums = chroma.sum(axis=1)
    sounding = chroma[sums > 0] / sums[sums > 0, None]
    if not len(sounding):
        return np.zeros(32)
    mean = sounding.mean(axis=0, dtype=np.float64)
    circular = np.array([mean @ np.roll(mean, shift) for shift in range(1, 7)]) / (mean @ mean)
    sizes = np.abs(np.fft.rfft(mean))[1:]
    each = np.abs(np.fft.rfft(sounding, axis=1))[:, 1:].mean(axis=0)
    change = float(np.abs(np.diff(sounding, axis=0)).sum(axis=1).mean()) / 2 if len(sounding) > 1 else 0.0
    return np.concatenate([np.sort(mean)[::-1] * 2, sizes, each, circular, [len(sounding) / len(chroma), change]])


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


def embed(signal: Signal) -> np.ndarray:
    """Return the vector of a sound, shape (128,), float32, unit length: five parts, each scaled by a fixed factor."""
    timbre, change = timbre_parts(signal.mel_db)
    levels = signal.mel_power.astype(np.float64)
    parts = {
        "timbre": timbre / 2,
        "change": change,
        "shape": shape_part(signal.features, levels),
        "harmony": harmony_part(signal.chroma) / 2,
        "rhythm": rhythm_part(signal.onset_strength),
    }
    vector = np.concatenate([_WEIGHTS[name] * part for name, part in parts.items()])
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 0 else np.eye(1, DIMENSIONS)[0]).astype(np.float32)


@processor("1")
def compute_embedding(event: AudioAdded, signal: Signal) -> EmbeddingComputed:
    """Place the sound in the space of timbre, harmony and rhythm."""
    return EmbeddingComputed(
        asset_id=event.asset_id,
        parameters=dict(SPECTRUM),
        space=SPACE,
        dimensions=DIMENSIONS,
        vector=pack_floats(embed(signal)),
    )
