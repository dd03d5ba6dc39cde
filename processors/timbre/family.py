"""Which family of instruments leads: each onset's note is judged by itself, loud and long ones count more.

`family.npz` is made by `python -m benchmarks.hearing.learn_families`; docs/analysis.md has its card.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import get_args

import numpy as np

from events.imports import AudioAdded
from events.timbre import Family, FamilyShare, InstrumentHeard
from processors.audio.signal import ANALYSIS_RATE_HZ, Signal
from processors.handler import processor
from processors.rhythm.onsets import onsets_of
from processors.timbre.notes import LONGEST_S, note_numbers

FAMILIES: tuple[Family, ...] = get_args(Family)
NOTHING = len(FAMILIES)
"""The class of what is no instrument: noise, hum, clicks."""
_BEFORE_S = 0.05
_SHORTEST_S = 0.09
_MOST_NOTES = 48
_FURTHEST = 5.0
_LEAST_SHARE = 0.3
_SILENT = 1e-4
_MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Instruments:
    """How likely each family leads, shape (11,), and no instrument at all; family: the likeliest, None if unsure."""

    shares: np.ndarray
    nothing: float
    family: Family | None
    confidence: float


UNHEARD = Instruments(np.zeros(len(FAMILIES)), 1.0, None, 0.0)


@dataclass(frozen=True, slots=True)
class Judge:
    """A multinomial logistic model. mean, scale: shape (numbers,); weights: (numbers, classes); bias: (classes,)."""

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def shares(self, numbers: np.ndarray) -> np.ndarray:
        """Return the probability of each class, shape (notes, classes), for numbers of shape (notes, numbers)."""
        standard = np.clip((numbers - self.mean) / self.scale, -_FURTHEST, _FURTHEST)
        logits = standard @ self.weights + self.bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@cache
def judge() -> Judge:
    """Read the model."""
    with np.load(BytesIO((files(__package__) / "family.npz").read_bytes()), allow_pickle=False) as arrays:
        return Judge(**{name: arrays[name].astype(np.float64) for name in arrays.files})


def instruments_of(signal: Signal) -> Instruments:
    """Judge the notes of a signal; none where it is silent, or DC alone."""
    if float((signal.levels.powers - signal.levels.means**2).max()) < _SILENT**2:
        return UNHEARD
    numbers, weights = numbers_of(signal)
    if not len(numbers):
        return UNHEARD
    shares = np.average(judge().shares(numbers), axis=0, weights=weights)
    best = int(np.argmax(shares[:NOTHING]))
    told = shares[best] >= _LEAST_SHARE and shares[best] > shares[NOTHING]
    sure = float(shares[best]) if told else 0.0
    return Instruments(shares[:NOTHING], float(shares[NOTHING]), FAMILIES[best] if told else None, sure)


def numbers_of(signal: Signal) -> tuple[np.ndarray, np.ndarray]:
    """Return what each note is like, shape (notes, 79), and how much it counts: its energy's root, shape (notes,)."""
    found, weights = [], []
    for samples in excerpts(signal):
        numbers = note_numbers(samples)
        if numbers is not None:
            found.append(numbers)
            weights.append(float(np.linalg.norm(samples.astype(np.float64))))
    return np.array(found), np.array(weights)


def excerpts(signal: Signal) -> list[np.ndarray]:
    """Return the sound of at most 48 notes, each from just before its onset to the next one or for 1.5 s."""
    borders = [
        (round(start_s * ANALYSIS_RATE_HZ), round(end_s * ANALYSIS_RATE_HZ)) for start_s, end_s in spans_s(signal)
    ]
    gathered: list[list[np.ndarray]] = [[] for _ in borders]
    at = 0
    for block in signal.analysis_blocks():
        for pieces, (first, behind) in zip(gathered, borders, strict=True):
            if first < at + len(block) and behind > at:
                pieces.append(block[max(0, first - at) : behind - at])
        at += len(block)
    return [np.concatenate(pieces) for pieces in gathered if pieces]


def spans_s(signal: Signal) -> list[tuple[float, float]]:
    """Return from when to when the notes last; the strongest onsets of as many stretches, where there are many."""
    onsets = signal.once(onsets_of)
    starts_s, end_s = onsets.times_s, signal.duration_s
    if not len(starts_s):
        return [(0.0, min(end_s, LONGEST_S + _BEFORE_S))]
    behind_s = np.append(starts_s[1:] - 0.02, end_s)
    long = np.flatnonzero(behind_s - starts_s >= min(_SHORTEST_S, end_s / 2))
    if len(long) > _MOST_NOTES:
        stretches = np.array_split(long, _MOST_NOTES)
        long = np.array([part[int(np.argmax(onsets.strengths[part]))] for part in stretches])
    return [
        (max(0.0, float(starts_s[note]) - _BEFORE_S), float(min(behind_s[note], starts_s[note] + LONGEST_S)))
        for note in long
    ]


@processor("1")
def hear_instrument(event: AudioAdded, signal: Signal) -> InstrumentHeard:
    """Tell which family of instruments leads; none of silence and noise."""
    found = signal.once(instruments_of)
    likeliest = np.argsort(-found.shares, kind="stable")[:_MOST_TOLD]
    return InstrumentHeard(
        asset_id=event.asset_id,
        parameters={"rate_hz": ANALYSIS_RATE_HZ, "most_notes": _MOST_NOTES},
        family=found.family,
        confidence=round(found.confidence, 3),
        likely=tuple(
            FamilyShare(family=FAMILIES[one], share=round(float(found.shares[one]), 3))
            for one in likeliest
            if found.shares[one] >= 0.01
        ),
    )
