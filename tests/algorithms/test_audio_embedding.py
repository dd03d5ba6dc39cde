"""The embedding: what sounds alike lies near."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from audio_material import LOOP_NAMES, analyse, chord, clicks, load_loop, noise

from domain.values import unpack_floats
from processors.audio.signal import Signal
from processors.likeness.embedding import compute_embedding


def vector_of(samples: np.ndarray, rate_hz: int = 44_100) -> np.ndarray:
    """The embedding of samples."""
    return unpack_floats(analyse(compute_embedding, Signal(samples.astype(np.float32), rate_hz)).vector)


@cache
def loops() -> np.ndarray:
    """The embeddings of all loops, a row each."""
    return np.array([vector_of(load_loop(name).samples) for name in LOOP_NAMES])


@pytest.mark.parametrize("index", range(len(LOOP_NAMES)), ids=LOOP_NAMES)
@pytest.mark.parametrize("change", ["quieter", "louder", "noisy", "trimmed", "resampled"])
def test_a_loop_stays_nearest_to_itself(index, change):
    """Given a loop with other gain, noise, length or rate, when embedded, then no other loop is nearer than itself."""
    loop, rate_hz = load_loop(LOOP_NAMES[index]), 44_100
    samples = loop.samples
    if change == "noisy":
        samples = samples + np.sqrt(np.mean(samples**2)) * 0.1 * noise(loop.duration_s, channels=2)
    elif change == "trimmed":
        samples = samples[:, : loop.frames * 9 // 10]
    elif change == "resampled":
        import soxr

        samples, rate_hz = soxr.resample(samples.T, 44_100, 48_000).T, 48_000
    else:
        samples = samples * {"quieter": 0.1, "louder": 3.0}[change]
    likeness = loops() @ vector_of(samples, rate_hz)
    assert int(np.argmax(likeness)) == index


def test_two_cuts_of_one_recording_are_each_others_nearest():
    """Given a break and a part of it among other loops, when embedded, then the two are each other's nearest."""
    likeness = loops() @ loops().T - 2 * np.eye(len(LOOP_NAMES))
    one, other = LOOP_NAMES.index("amen"), LOOP_NAMES.index("amen_full")
    assert (np.argmax(likeness[one]), np.argmax(likeness[other])) == (other, one)


def test_another_key_is_nearer_than_another_instrument():
    """Given chords, the same in another key, and drums, when embedded, then the drums are farthest."""
    cadence = [(48, 52, 55), (53, 57, 60), (55, 59, 62), (48, 52, 55)]
    here, there = (
        vector_of(np.concatenate([chord([pitch + up for pitch in pitches], 1) for pitches in cadence])[None])
        for up in (0, 4)
    )
    drums = vector_of(clicks(120, 4)[0])
    assert here @ there > here @ drums + 0.1
