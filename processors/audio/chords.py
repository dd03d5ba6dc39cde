"""Chords from pitch classes: templates, and a path through them that does not change without need."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from domain.values import ChordLine
from events.analyses import ChordsEstimated
from events.imports import AudioAdded
from processors.audio.chroma import PITCH_CLASSES, STEP_FRAMES
from processors.audio.signal import FRAME_RATE_HZ, SPECTRUM, Signal
from processors.handler import processor

QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
}
LABELS = (*(f"{root}:{quality}" for quality in QUALITIES for root in PITCH_CLASSES), "N")
NO_CHORD = len(LABELS) - 1
_HARMONIC_DECAY = 0.3
_HARMONICS = 6
_SEVENTH_COST = 0.02
_NO_CHORD_LIKENESS = 0.72
_CHANGE_COST = 0.25


@dataclass(frozen=True, slots=True)
class Span:
    """One chord from a step to behind another; label is an index into LABELS."""

    first: int
    behind: int
    label: int


def chord_templates() -> np.ndarray:
    """Return what pitch classes each chord sounds, shape (60, 12), unit length, harmonics included.

    Source: Papadopoulos & Peeters 2007.
    """
    note = np.zeros(12)
    for harmonic in range(1, _HARMONICS + 1):
        note[round(12 * np.log2(harmonic)) % 12] += _HARMONIC_DECAY ** (harmonic - 1)
    chords = [
        sum((np.roll(note, root + interval) for interval in intervals), np.zeros(12))
        for intervals in QUALITIES.values()
        for root in range(12)
    ]
    templates: np.ndarray = np.array(chords) / np.linalg.norm(chords, axis=1, keepdims=True)
    return templates


def chord_likeness(steps: np.ndarray) -> np.ndarray:
    """Return how like each chord each step is, the last column for no chord, shape (steps, 61).

    steps: pitch classes, shape (steps, 12), zeros where there is no tone.
    """
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    likeness = (steps / np.maximum(lengths, 1e-9)) @ chord_templates().T
    sizes = np.repeat([len(intervals) for intervals in QUALITIES.values()], 12)
    likeness -= _SEVENTH_COST * (sizes > 3)
    nothing = np.where(lengths > 0, _NO_CHORD_LIKENESS, 1.0)
    return np.concatenate([np.where(lengths > 0, likeness, 0), nothing], axis=1)


def best_path(likeness: np.ndarray, *, change_cost: float) -> np.ndarray:
    """Return the state of each step that is likest in all, less a cost for each change, shape (steps,).

    likeness: shape (steps, states). Source: Viterbi 1967; with one cost for all changes a step is linear in states.
    """
    came_from = np.empty(likeness.shape, np.int64)
    total, states = np.zeros(likeness.shape[1]), np.arange(likeness.shape[1])
    for step, likely in enumerate(likeness):
        best = int(total.argmax())
        stays = total >= total[best] - change_cost
        came_from[step] = np.where(stays, states, best)
        total = np.where(stays, total, total[best] - change_cost) + likely
    path = np.empty(len(likeness), np.int64)
    state = int(total.argmax())
    for step in range(len(likeness) - 1, -1, -1):
        path[step] = state
        state = came_from[step, state]
    return path


def find_chords(chroma: np.ndarray) -> tuple[list[Span], float]:
    """Return chords without a gap, and how sure they are, from 0 to 1.

    chroma: shape (steps, 12). The confidence is the mean likeness of what was chosen, 0.6 counting as none;
    0 where no chord was found.
    """
    likeness = chord_likeness(chroma)
    path = best_path(likeness, change_cost=_CHANGE_COST)
    borders = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    spans = [Span(first, behind, int(path[first])) for first, behind in pairwise(borders)]
    chosen = likeness[np.arange(len(path)), path][path != NO_CHORD]
    return spans, float(np.clip((chosen.mean() - 0.6) / 0.4, 0, 1)) if chosen.size else 0.0


@processor("1")
def estimate_chords(event: AudioAdded, signal: Signal) -> ChordsEstimated:
    """Estimate chords from the first to the last sample."""
    spans, confidence = find_chords(signal.chroma)
    end_s = round(signal.duration_s, 6)
    borders_s = [0.0, *(round((span.first * STEP_FRAMES - 0.5) / FRAME_RATE_HZ, 3) for span in spans[1:]), end_s]
    return ChordsEstimated(
        asset_id=event.asset_id,
        parameters={**SPECTRUM, "step_frames": STEP_FRAMES},
        confidence=round(confidence, 3),
        line=ChordLine(
            boundaries_s=tuple(min(border, end_s) for border in borders_s),
            labels=tuple(LABELS[span.label] for span in spans),
        ),
    )
