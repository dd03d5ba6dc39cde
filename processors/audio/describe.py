"""Levels of an audio file."""

from __future__ import annotations

from events.analyses import AudioDescribed
from events.imports import AudioAdded
from processors.audio.arrays import level_db
from processors.audio.signal import Signal
from processors.handler import processor


@processor("1")
def describe_audio(event: AudioAdded, signal: Signal) -> AudioDescribed:
    """Measure peak, RMS, clipping, and the DC offset of the channel that has most of it."""
    levels = signal.levels
    return AudioDescribed(
        asset_id=event.asset_id,
        duration_s=round(signal.duration_s, 6),
        peak_dbfs=level_db(levels.peak**2),
        rms_dbfs=level_db(float(levels.powers.mean())),
        dc_offset=round(float(max(levels.means, key=abs)), 6),
        clipped_samples=levels.clipped_samples,
    )
