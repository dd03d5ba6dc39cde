"""How probably each key sounds, and begins to, by Basic Pitch's network: see its card beside the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from processors.audio.networks import session
from processors.audio.signal import ANALYSIS_RATE_HZ, Signal

HOP = 256
FRAME_RATE_HZ = ANALYSIS_RATE_HZ / HOP
KEYS = 88
LOWEST = 21
"""The lowest key, as MIDI counts: A0."""
_WINDOW = 2 * ANALYSIS_RATE_HZ - HOP
_EDGE = 15
_NEW = 141
"""Frames that are taken of each window of 172, so that windows are a whole number of frames apart."""
_TOGETHER = 2
SCALE = 255


@dataclass(frozen=True, slots=True)
class Posteriors:
    """How probably each key sounds and begins, 255 for certain; shape (frames, 88), uint8; a frame is 11.6 ms."""

    sounding: np.ndarray
    beginning: np.ndarray


def posteriors_of(signal: Signal) -> Posteriors:
    """Ask the network about a whole signal."""
    frames = signal.frames * ANALYSIS_RATE_HZ // signal.rate_hz // HOP + 1
    sounding, beginning = (np.zeros((frames, KEYS), np.uint8) for _ in range(2))
    at = 0
    for batch in _batches(_windows(signal.analysis_blocks())):
        parts = _asked(batch)
        for kept, told in zip((sounding, beginning), parts, strict=True):
            rows = told[:, _EDGE : _EDGE + _NEW].reshape(-1, KEYS)[: frames - at]
            kept[at : at + len(rows)] = np.rint(SCALE * np.clip(rows, 0, 1)).astype(np.uint8)
        at += _NEW * len(batch)
    return Posteriors(sounding, beginning)


def _windows(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Cut a stream into windows, shape (43844,), whose sixteenth frames are 141 frames apart, the first's at 0."""
    held = np.zeros(_EDGE * HOP, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= _WINDOW:
            yield held[:_WINDOW]
            held = held[_NEW * HOP :]
    while len(held) > _EDGE * HOP:
        yield np.pad(held[:_WINDOW], (0, max(0, _WINDOW - len(held))))
        held = held[_NEW * HOP :]


def _batches(windows: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    held: list[np.ndarray] = []
    for window in windows:
        held.append(window)
        if len(held) == _TOGETHER:
            yield np.stack(held)[..., None]
            held = []
    if held:
        yield np.stack(held)[..., None]


def _asked(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What sounds and what begins, shape (windows, 172, 88) each."""
    outputs = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]
    sounding, beginning = _session().run(outputs, {"serving_default_input_2:0": batch})
    return sounding, beginning


@cache
def _session() -> Any:  # Any: onnxruntime has no types
    return session(files("processors.transcription").joinpath("basic_pitch", "nmp.onnx").read_bytes())
