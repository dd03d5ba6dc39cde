"""Spectral features and MFCC, frame by frame, from the shared spectrogram."""

from __future__ import annotations

import numpy as np

from domain.ports import Blobs
from events.analyses import FeaturesExtracted
from events.imports import AudioAdded
from processors.audio.arrays import NPZ, npz_chunks
from processors.audio.signal import FRAME_RATE_HZ, SPECTRUM, Signal
from processors.audio.timbre import ROLLOFF_SHARE
from processors.handler import processor

SINGLE = (
    "centroid_hz",
    "bandwidth_hz",
    "rolloff_hz",
    "flatness",
    "zero_crossing_rate",
    "rms",
    "flux",
    "onset_strength",
)
SEVERAL = ("contrast_db", "mfcc", "chroma", "tonnetz")


def rounded(values: np.ndarray) -> tuple[float, ...]:
    """Numbers to five significant digits."""
    return tuple(float(f"{value:.5g}") for value in values.tolist())


@processor("2")
def extract_features(event: AudioAdded, signal: Signal, blobs: Blobs) -> FeaturesExtracted:
    """Store the features a frame and tell their means."""
    frames = signal.features
    means = {name: rounded(np.atleast_1d(frames[name].mean(axis=0, dtype=np.float64))) for name in (*SINGLE, *SEVERAL)}
    return FeaturesExtracted(
        asset_id=event.asset_id,
        parameters={**SPECTRUM, "rolloff_share": ROLLOFF_SHARE},
        frames=blobs.put_stream(npz_chunks(frames), NPZ),
        frame_rate_hz=round(FRAME_RATE_HZ, 4),
        tuning_semitones=round(signal.tuning_semitones, 2),
        mfcc_std=rounded(frames["mfcc"].std(axis=0, dtype=np.float64)),
        **{name: means[name][0] for name in SINGLE},
        **{name: means[name] for name in SEVERAL},
    )
