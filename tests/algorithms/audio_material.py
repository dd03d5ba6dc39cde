"""Sounds with known answers, and the recorded loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from domain.ids import asset_id, project_id
from domain.values import AudioFacts, Blob
from events.analyses import Analysis
from events.imports import AudioImported
from processors.audio.signal import Signal
from processors.handler import Processor

LOOPS = Path(__file__).parents[2] / "../shared/audio"
LOOP_NAMES = ("amen", "amen_full", "compus", "electric", "garzul", "mehackit1", "mika", "safari", "tabla")


def loop_path(name: str) -> Path:
    """The file of a recorded loop; skips where the loops are not installed."""
    path = LOOPS / f"loop_{name}.flac"
    if not path.exists():
        pytest.skip(f"recorded loops are not at {LOOPS.resolve()}; install Debian's sonic-pi-samples there to run this")
    return path


def load_loop(name: str) -> Signal:
    """A recorded loop."""
    samples, rate_hz = soundfile.read(loop_path(name), dtype="float32", always_2d=True)
    return Signal(samples.T, rate_hz)


def sine(frequency_hz: float, duration_s: float, *, rate_hz: int = 48_000, peak_dbfs: float = 0.0) -> np.ndarray:
    """One channel of a sine, shape (1, frames)."""
    times = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (10 ** (peak_dbfs / 20) * np.sin(2 * np.pi * frequency_hz * times))[None].astype(np.float32)


def note(pitch: float, duration_s: float, *, decay: float = 0.6, rate_hz: int = 44_100) -> np.ndarray:
    """A plucked tone of 8 partials, each `decay` of the one below, shape (frames,)."""
    times = np.arange(round(duration_s * rate_hz)) / rate_hz
    f0_hz = 440 * 2 ** ((pitch - 69) / 12)
    partials = sum(decay**k * np.sin(2 * np.pi * f0_hz * (k + 1) * times + k) for k in range(8))
    envelope = np.minimum(1, times / 0.01) * np.exp(-times) * np.minimum(1, (duration_s - times) / 0.02)
    return envelope * partials / 12


def chord(pitches: list[int], duration_s: float, **how: Any) -> np.ndarray:
    """Notes at once, shape (frames,)."""
    return np.sum([note(pitch, duration_s, **how) for pitch in pitches], axis=0)


def clicks(tempo_bpm: float, duration_s: float, *, rate_hz: int = 44_100) -> tuple[np.ndarray, np.ndarray]:
    """A click track, shape (1, frames), and its beat times in seconds."""
    samples = np.zeros(round(duration_s * rate_hz), np.float32)
    times_s = np.arange(0.25, duration_s - 0.1, 60 / tempo_bpm)
    frames = np.arange(round(0.03 * rate_hz))
    click = 0.8 * np.exp(-frames / (0.005 * rate_hz)) * np.sin(2 * np.pi * 1500 * frames / rate_hz)
    for time_s in times_s:
        start = round(time_s * rate_hz)
        samples[start : start + len(click)] += click
    return samples[None], times_s


def noise(duration_s: float, *, channels: int = 1, rate_hz: int = 44_100, seed: int = 1) -> np.ndarray:
    """White noise at -14 dBFS, shape (channels, frames)."""
    shape = (channels, max(1, round(duration_s * rate_hz)))
    return 0.2 * np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def analyse(processor: Processor, signal: Signal, blobs: Any = None) -> Any:  # Any: each processor's own event
    """Let a processor hear a signal as the runner would."""
    project = project_id("audio tests")
    content = Blob(sha256="0" * 64, size_bytes=1, media_type="audio/wav")
    facts = AudioFacts(
        container="WAV", encoding="FLOAT", rate_hz=signal.rate_hz, channels=signal.channels, frames=signal.frames
    )
    event = AudioImported(
        asset_id=asset_id(project, content.sha256),
        project_id=project,
        container_id=project,
        name="sound",
        content=content,
        facts=facts,
        file_name="sound.wav",
    )
    wanted = processor.handle.__annotations__
    given = {"event": event, "signal": signal, "blobs": blobs}
    found = processor.handle(**{name: value for name, value in given.items() if name in wanted})
    assert isinstance(found, Analysis)
    return found
