"""f0 of one voice by SwiftF0, a small network that comes with its package and runs on onnxruntime.

Source: Nieradzik 2025, "SwiftF0: Fast and Accurate Monophonic Pitch Detection", MIT.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import Unsupported
from processors.audio.networks import session
from processors.audio.signal import ANALYSIS_RATE_HZ, Signal
from processors.audio.spectra import resampled

RATE_HZ = 16_000
HOP = 256
FRAME_S = HOP / RATE_HZ
LOWEST_HZ, HIGHEST_HZ = 46.875, 2093.75
_AT_ONCE, _AROUND = 1875, 12
"""Frames of a run, 30 s, and how many of those around are seen; its network sees ten ahead and eleven back."""
_SILENT = 1e-3
"""Below which a frame's peak is silence to it, -60 dBFS. Source: the package's own rule."""
_LOUD = 0.5
"""The peak that a sound is brought to: its silence is meant for sounds at full scale."""


def f0_of(signal: Signal) -> tuple[np.ndarray, np.ndarray]:
    """Return pitch in Hz and its confidence, voiced from 0.5 on, each 16 ms from 0 s on, shape (frames,) each."""
    gain = np.float32(_LOUD / max(signal.peak, 1e-4))
    found: list[tuple[np.ndarray, np.ndarray]] = []
    held, behind = np.zeros(0, np.float32), 0
    length = -(-signal.frames * ANALYSIS_RATE_HZ // signal.rate_hz)
    for block in resampled(signal.analysis_blocks(), ANALYSIS_RATE_HZ, RATE_HZ, frames=length):
        held = np.concatenate([held, block * gain])
        while len(held) >= (behind + _AT_ONCE + _AROUND) * HOP:
            window = held[: (behind + _AT_ONCE + _AROUND) * HOP]
            found.append(_run(window, slice(behind, behind + _AT_ONCE)))
            held = held[(behind + _AT_ONCE - _AROUND) * HOP :]
            behind = _AROUND
    if len(held) >= (behind + 1) * HOP:
        found.append(_run(held, slice(behind, None)))
    if not found:
        return np.zeros(0), np.zeros(0)
    return np.concatenate([hz for hz, _ in found]), np.concatenate([sure for _, sure in found])


def _run(samples: np.ndarray, inside: slice) -> tuple[np.ndarray, np.ndarray]:
    limits = {"fmin": np.asarray(LOWEST_HZ, np.float32), "fmax": np.asarray(HIGHEST_HZ, np.float32)}
    hz, sure = _session().run(["pitch", "confidence"], {"audio": samples[None], **limits})
    count = len(sure[0])
    peaks = np.abs(samples[: count * HOP].reshape(count, HOP)).max(axis=1)
    return hz[0][inside].astype(np.float64), np.where(peaks < _SILENT, 0.0, sure[0])[inside].astype(np.float64)


@cache
def _session() -> Any:  # Any: onnxruntime has no types
    spec = find_spec("swift_f0")  # the package itself is not imported: all that is wanted of it is the model
    folders = (spec.submodule_search_locations if spec else None) or []
    for folder in folders:
        return session(Path(folder, "model.onnx").read_bytes())
    raise Unsupported("swift-f0, a dependency, is not installed; the pitch of a voice cannot be told without")
