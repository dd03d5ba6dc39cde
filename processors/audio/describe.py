"""Levels of an audio file."""

from __future__ import annotations

import numpy as np

from events.analyses import AudioDescribed
from events.imports import AudioAdded
from processors.audio.arrays import level_db
from processors.audio.signal import Signal
from processors.handler import processor

FULL_SCALE = 32767 / 32768
"""The highest sample that 16 bits hold: from here on a sample counts as clipped."""


def mean_square(samples: np.ndarray) -> float:
    """Return the mean power over all channels of samples of shape (channels, frames)."""
    return sum(float(np.dot(channel, channel)) for channel in samples) / samples.size


def count_clipped(samples: np.ndarray) -> int:
    """Count the samples at or past full scale, over all channels."""
    return sum(int(np.count_nonzero(np.abs(channel) >= FULL_SCALE)) for channel in samples)


@processor("1")
def describe_audio(event: AudioAdded, signal: Signal) -> AudioDescribed:
    """Measure peak, RMS, clipping, and the DC offset of the channel that has most of it."""
    clipped = count_clipped(signal.samples) if signal.peak >= FULL_SCALE else 0
    return AudioDescribed(
        asset_id=event.asset_id,
        duration_s=round(signal.duration_s, 6),
        peak_dbfs=level_db(signal.peak**2),
        rms_dbfs=level_db(mean_square(signal.samples)),
        dc_offset=round(float(max(signal.channel_means, key=abs)), 6),
        clipped_samples=clipped,
    )
