"""Which of the notes that may be there are: what else was heard of them, and boosted trees that weigh all of it.

The trees were grown on rendered music by `python -m benchmarks.hearing.learn_notes`; their card is `belief.md`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from processors.audio.signal import Signal
from processors.audio.trees import Trees
from processors.harmony import salience
from processors.melody.analysis import melody_of
from processors.melody.voice import RATE_HZ, levels_db
from processors.rhythm.evidence import evidence_of
from processors.rhythm.novelty import RATE_HZ as NOVELTY_RATE_HZ
from processors.transcription.posteriors import FRAME_RATE_HZ, LOWEST

TOLD = (
    "beginning", "sounding", "sounding_most", "sounding_all", "frames", "before", "rise",
    "below", "above", "below_begins", "above_begins",
    "octave_below", "octave_below_begins", "twelfth_below", "twelfth_below_begins",
    "two_octaves_below", "two_octaves_below_begins", "octave_above", "twelfth_above",
    "pitch", "together", "together_begin", "rank",
)  # fmt: skip
"""What the posteriors tell of each note that may be there, in order; see `candidates.described`."""
HEARD = ("onset", "level", "level_rise", "salience", "salience_rise", "alone", "in_tune")
"""What else was heard of it."""
FEATURES = (*TOLD, *HEARD)
_REACH = 2
_NEAR = 0.6


@cache
def trees() -> Trees:
    """The trees that were grown."""
    with files("processors.transcription").joinpath("belief.npz").open("rb") as file:
        return Trees.read(file)


def heard(signal: Signal, notes: np.ndarray) -> np.ndarray:
    """What else was heard where notes may be, shape (notes, 7), float32; see HEARD.

    notes: key, first frame and the frame behind the last, shape (notes, 3).
    """
    pitch, start_s = notes[:, 0] + LOWEST, notes[:, 1] / FRAME_RATE_HZ
    novelty = signal.once(evidence_of).onset
    around = np.rint(start_s * NOVELTY_RATE_HZ).astype(int)[:, None] + np.arange(-_REACH, _REACH + 1)
    onset = novelty[np.clip(around, 0, len(novelty) - 1)].max(axis=1) if len(novelty) else np.zeros(len(notes))
    level = signal.once(levels_db)
    at = np.rint(start_s * RATE_HZ).astype(int)
    after, before = (_around(level, at, steps) for steps in (range(8), range(-6, 0)))
    strong, strong_before = _saliences(signal, pitch, start_s)
    alone, in_tune = _sung(signal, notes)
    told = [onset, after - level.max(initial=-120.0), after - before, strong, strong - strong_before, alone, in_tune]
    return np.stack(told, axis=1).astype(np.float32)


def _around(level: np.ndarray, at: np.ndarray, steps: range) -> np.ndarray:
    return np.asarray(level[np.clip(at[:, None] + np.array(steps), 0, len(level) - 1)].max(axis=1))


def _saliences(signal: Signal, pitch: np.ndarray, start_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How strong the note is in the harmony's spectrum, of the strongest then, behind and before its beginning."""
    found = signal.once(salience.salience_of)
    strengths = found.notes
    strongest = np.maximum(strengths.max(axis=1), 1e-6)
    column = np.clip(pitch - salience.LOWEST, 0, strengths.shape[1] - 1)
    at = start_s * salience.FRAME_RATE_HZ
    told = []
    for step in (1.5, -2.0):
        row = np.clip(np.rint(at + step).astype(int), 0, len(strengths) - 1)
        told.append(strengths[row, column] / strongest[row])
    outside = (pitch < salience.LOWEST) | (pitch >= salience.LOWEST + strengths.shape[1])
    return np.where(outside, 0, told[0]), np.where(outside, 0, told[1])


def _sung(signal: Signal, notes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether one voice is alone, and for which share of each note its melody has that pitch."""
    melody = signal.once(melody_of)
    pitch = 69 + 12 * np.log2(np.maximum(melody.hz, 1.0) / 440)
    share = np.zeros(len(notes))
    for place, (key, first, behind) in enumerate(notes):
        line = pitch[round(first / FRAME_RATE_HZ * RATE_HZ) : round(behind / FRAME_RATE_HZ * RATE_HZ) + 1]
        share[place] = np.mean(np.abs(line - key - LOWEST) < _NEAR) if len(line) else 0.0
    return np.full(len(notes), float(melody.alone)), share
