"""Voices of known pitch, and a tune over chords."""

from __future__ import annotations

import numpy as np

from processors.midi.notes import Note, make_notes
from processors.synthesis.render import play

RATE_HZ = 44_100
TUNE = (72, 74, 76, 79, 77, 76, 74, 71, 72, 76, 81, 79, 77, 74, 71, 72)


def times_s(duration_s: float) -> np.ndarray:
    """When each sample is, shape (frames,)."""
    return np.arange(round(duration_s * RATE_HZ)) / RATE_HZ


def voice(pitch: np.ndarray) -> np.ndarray:
    """A voice of 12 harmonics whose MIDI pitch is told for every sample, NaN where it rests; shape (1, frames)."""
    rests = np.isnan(pitch)
    hz = np.where(rests, 0, 440 * 2 ** ((np.nan_to_num(pitch) - 69) / 12))
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    loud = np.convolve(~rests, np.hanning(882) / np.hanning(882).sum(), mode="same")
    harmonics = sum(np.sin(order * phase) / order**1.3 * (order * hz < 10_000) for order in range(1, 13))
    return (0.25 * loud * harmonics)[None].astype(np.float32)


def sung(pitches: list[float], each_s: float, rest_s: float = 0.15) -> np.ndarray:
    """The pitch of notes with rests between them, for `voice`."""
    held, rest = np.ones(round(each_s * RATE_HZ)), np.full(round(rest_s * RATE_HZ), np.nan)
    return np.concatenate([rest, *(part for pitch in pitches for part in (pitch * held, rest))])


def with_band(*, lead_velocity: int = 105) -> tuple[np.ndarray, np.ndarray, float]:
    """A tune on a flute over chords, bass and drums: samples, its pitches, and how long each lasts in seconds."""
    each_s = 0.45
    lead = [Note(i * each_s, (i + 0.92) * each_s, p, lead_velocity, 0, 73) for i, p in enumerate(TUNE)]
    notes = list(lead)
    for bar in range(4):
        root = (48, 53, 55, 48)[bar]
        start_s, end_s = 4 * bar * each_s, 4 * (bar + 0.97) * each_s
        notes += [Note(start_s, end_s, root + step, 62, 1, 0) for step in (0, 4, 7)]
        notes += [
            Note(start_s + beat * each_s, start_s + (beat + 0.8) * each_s, root - 12, 85, 2, 33) for beat in range(4)
        ]
        notes += [Note(start_s + beat * each_s, start_s + (beat + 0.2) * each_s, (36, 38)[beat % 2], 80, 9, 0, True)
                  for beat in range(4)]  # fmt: skip
    return play(make_notes(notes)), np.array(TUNE), each_s
