"""Spectral features and MFCC, frame by frame, from the shared spectrogram."""

from __future__ import annotations

import numpy as np

from domain.ports import Blobs
from events.analyses import FeaturesExtracted
from events.imports import AudioAdded
from processors.audio.arrays import NPZ, to_npz
from processors.audio.signal import FRAME_RATE_HZ, SPECTRUM, Signal
from processors.audio.timbre import ROLLOFF_SHARE
from processors.handler import processor


@processor("1")
def extract_features(event: AudioAdded, signal: Signal, blobs: Blobs) -> FeaturesExtracted:
    """Store the features a frame and tell their means."""
    frames = signal.features
    mfcc = frames["mfcc"].astype(np.float64)

    def mean(name: str) -> float:
        return round(float(frames[name].mean(dtype=np.float64)), 4)

    return FeaturesExtracted(
        asset_id=event.asset_id,
        parameters={**SPECTRUM, "rolloff_share": ROLLOFF_SHARE},
        frames=blobs.put(to_npz(frames), NPZ),
        frame_rate_hz=round(FRAME_RATE_HZ, 4),
        centroid_hz=mean("centroid_hz"),
        bandwidth_hz=mean("bandwidth_hz"),
        rolloff_hz=mean("rolloff_hz"),
        flatness=mean("flatness"),
        zero_crossing_rate=mean("zero_crossing_rate"),
        mfcc_mean=tuple(np.round(mfcc.mean(axis=0), 4).tolist()),
        mfcc_std=tuple(np.round(mfcc.std(axis=0), 4).tolist()),
    )
