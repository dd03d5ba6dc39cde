"""Minima and maxima of a wave at halving resolutions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from domain.ports import Blobs
from events.analyses import WaveformDrawn
from events.imports import AudioAdded
from processors.audio.arrays import NPZ, to_npz
from processors.audio.signal import Signal
from processors.handler import processor

SAMPLES_PER_BIN = 256


def wave_pyramid(blocks: Iterable[np.ndarray], *, samples_per_bin: int) -> list[np.ndarray]:
    """Return levels of shape (channels, bins, 2), int16: minimum and maximum, 32767 at full scale and past it.

    blocks: shape (channels, n) each. The first level has a bin every `samples_per_bin` frames, the last has one.
    """
    parts, rest = [], None
    for block in blocks:
        joined = block if rest is None else np.concatenate([rest, block], axis=1)
        whole = joined.shape[1] // samples_per_bin * samples_per_bin
        bins = joined[:, :whole].reshape(len(joined), -1, samples_per_bin)
        parts.append(_sixteen_bits(np.stack([bins.min(axis=2), bins.max(axis=2)], axis=2)))
        rest = joined[:, whole:]
    if rest is not None and rest.size:
        parts.append(_sixteen_bits(np.stack([rest.min(axis=1), rest.max(axis=1)], axis=1)[:, None]))
    levels = [np.concatenate(parts, axis=1)]
    while levels[-1].shape[1] > 1:
        levels.append(_halved(levels[-1]))
    return levels


def _sixteen_bits(ends: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.rint(np.clip(ends, -1, 1) * 32767).astype(np.int16)
    return rounded


def _halved(level: np.ndarray) -> np.ndarray:
    even = np.concatenate([level, level[:, -1:]], axis=1) if level.shape[1] % 2 else level
    first, second = even[:, ::2], even[:, 1::2]
    return np.stack([np.minimum(first[..., 0], second[..., 0]), np.maximum(first[..., 1], second[..., 1])], axis=2)


@processor("1")
def draw_waveform(event: AudioAdded, signal: Signal, blobs: Blobs) -> WaveformDrawn:
    """Store the wave's minima and maxima at every zoom."""
    levels = wave_pyramid(signal.blocks(), samples_per_bin=SAMPLES_PER_BIN)
    pyramid = blobs.put(to_npz({f"level_{index}": level for index, level in enumerate(levels)}), NPZ)
    return WaveformDrawn(asset_id=event.asset_id, pyramid=pyramid, levels=len(levels), samples_per_bin=SAMPLES_PER_BIN)
