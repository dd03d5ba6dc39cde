"""Chords: how well each explains what sounds, a path that changes at beats and rarely, and the bass within each.

Source: Mauch & Dixon 2010, "Simultaneous estimation of chords and musical context from audio": bass and treble apart,
chords in keys; here the keys are found from a first path, and weigh upon a second. How well a chord explains a frame,
and what a change costs there, is learnt: see `learnt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from processors.audio.signal import Signal
from processors.harmony.keys import KEYS, chord_costs, key_costs, key_path
from processors.harmony.labels import SHORTHANDS, Harmony, harmony, label_of
from processors.harmony.learnt import change_features, chord_scores, rows_of, weights
from processors.harmony.pitch_classes import PitchClasses, pitch_classes_of
from processors.harmony.pulse import Pulse, pulse_of
from processors.harmony.salience import FRAME_RATE_HZ

QUALITIES = ("maj", "min", "7", "maj7", "min7", "dim", "hdim7", "dim7", "aug", "sus4")
"""The kinds of chord that are told, in the order of the weights that are learnt."""
ROOTED = ("dim7", "aug")
"""Chords that every inversion turns into one of their own kind: they are named from the bass."""
_THRESHOLD = 0.5
_BASS_WEIGHT = 0.8
_OTHER_BASS = 0.55
_KEY_WEIGHT, _USUAL_COST = 0.3, 2.0
_NONE_WEIGHT = 1.0
"""What a step of `lead_of_none` is worth in log-odds of chords."""
_BASS_CHANGE, _ROOT_LEAD = 5.0, 0.3
_NOTHING, _PER_TONALITY, _USUAL_TONALITY = -0.2, 4.0, 0.4
_ALONE, _ONE_TONE = 1.0, 1.35
"""What speaks against a chord where a single pitch class sounds, and up to which sum of all twelve that is so."""
_SILENT = 3.0
_LEAST_CONCENTRATION = 0.1
_LEAST_TONAL = 0.25

CHORDS = tuple((root, quality) for quality in QUALITIES for root in range(12))
NO_CHORD = len(CHORDS)


@dataclass(frozen=True, slots=True)
class Span:
    """One chord in seconds: its label, and how much better it explains what sounds than no chord would, 0 to 1."""

    start_s: float
    end_s: float
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Chords:
    """Chords from the first to the last sample without a gap, and how sure they are, from 0 to 1."""

    spans: tuple[Span, ...]
    confidence: float


def chords_of(signal: Signal) -> Chords:
    """Find the chords of a signal; N where nothing with a pitch stays."""
    heard, pulse = signal.once(pitch_classes_of), signal.once(pulse_of)
    if heard.salience.tuning.confidence < _LEAST_CONCENTRATION or not _tonal(heard.tonality):
        return Chords((Span(0.0, signal.duration_s, "N", 0.0),), 0.0)
    evidence = chord_evidence(heard)
    changes = change_features(len(evidence), pulse) @ weights().changes
    first = best_path(evidence, changes, np.zeros((1, NO_CHORD + 1), np.float32))
    entering, keys = _key_prior(first)
    path = best_path(evidence, changes, entering, keys)
    basses = bass_path(path, heard.bass)
    return _chords(path, basses, evidence, pulse, signal.duration_s)


def _tonal(tonality: np.ndarray) -> bool:
    sounding = tonality[tonality > 0]
    return bool(sounding.size) and float(np.quantile(sounding, 0.75)) > _LEAST_TONAL


@cache
def _templates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which pitch classes each chord has in treble and bass, shape (chords, 12) each, and its offset, (chords,)."""
    treble, bass, offset = np.zeros((NO_CHORD, 12)), np.zeros((NO_CHORD, 12)), np.zeros(NO_CHORD)
    for index, (root, quality) in enumerate(CHORDS):
        tones = [(root + interval) % 12 for interval in SHORTHANDS[quality]]
        treble[index, tones] = 1
        bass[index, tones] = _OTHER_BASS * _BASS_WEIGHT
        bass[index, root] = _BASS_WEIGHT
        offset[index] = _THRESHOLD * len(tones)
    return treble.astype(np.float32), bass.astype(np.float32), offset.astype(np.float32)


def chord_evidence(heard: PitchClasses) -> np.ndarray:
    """Return how well each chord explains each frame, the last column for none, shape (frames, chords + 1), float32."""
    found = chord_scores(rows_of(heard), weights().tones)
    none = found.max(axis=1) + _NONE_WEIGHT * lead_of_none(heard)
    return np.concatenate([found, none[:, None]], axis=1).astype(np.float32)


def lead_of_none(heard: PitchClasses) -> np.ndarray:
    """By how much it is likelier that there is no chord than the best one, shape (frames,).

    A tone of a chord speaks for it as far as it is more than half as strong as the strongest: the logarithm of two
    normal densities, around 1 for tones that sound and around 0 for others.
    """
    treble, bass, offset = _templates()
    best = (heard.treble @ treble.T + heard.bass @ bass.T - offset).max(axis=1)
    nothing = np.maximum(0, _NOTHING + _PER_TONALITY * (_USUAL_TONALITY - heard.tonality))
    nothing += _ALONE * (heard.treble.sum(axis=1) < _ONE_TONE)
    silent = (heard.tonality <= 0) | (heard.treble.max(axis=1) <= 0)
    lead: np.ndarray = np.where(silent, _SILENT, nothing - best)
    return lead


def best_path(
    evidence: np.ndarray, changes: np.ndarray, entering: np.ndarray, rows: np.ndarray | None = None
) -> np.ndarray:
    """Return the state of each frame that is likest in all, less what changes cost, shape (frames,).

    evidence: shape (frames, states). changes: what leaving costs at each frame, shape (frames,). entering: what it
    costs to enter each state, shape (n, states), of which `rows` names the row of each frame, the only one without.
    Source: Viterbi 1967; as leaving costs the same for all states, a frame takes time linear in them.
    """
    rows = np.zeros(len(evidence), np.int64) if rows is None else rows
    came = np.empty(evidence.shape, np.int16)
    states = np.arange(evidence.shape[1], dtype=np.int16)
    total = -entering[rows[0]].astype(np.float64) if len(rows) else np.zeros(0)
    for frame, likely in enumerate(evidence):
        if frame:
            best = int(total.argmax())
            moved = total[best] - changes[frame] - entering[rows[frame]]
            stays = total >= moved
            came[frame] = np.where(stays, states, best)
            total = np.where(stays, total, moved) + likely
        else:
            total += likely
    path = np.empty(len(evidence), np.int64)
    state = int(total.argmax()) if len(path) else 0
    for frame in range(len(path) - 1, -1, -1):
        path[frame] = state
        state = came[frame, state]
    return path


@cache
def _harmonies() -> tuple[Harmony | None, ...]:
    return (*(harmony(label_of(root, quality)) for root, quality in CHORDS), None)


@cache
def _entering() -> np.ndarray:
    """What it costs to enter each chord in each key, shape (keys, chords + 1): 0 for the tonic's cost and for none."""
    table = np.array([chord_costs(quality, root) for root, quality in CHORDS]).T
    costs = np.zeros((len(KEYS), NO_CHORD + 1), np.float32)
    costs[:, :NO_CHORD] = _KEY_WEIGHT * (table - _USUAL_COST)
    return costs


def _key_prior(path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    borders = _borders(path)
    lengths = np.diff(borders)
    weights = np.clip(np.sqrt(lengths / np.median(lengths)), 0.5, 2)
    found = key_path(key_costs([_harmonies()[path[at]] for at in borders[:-1]], weights))
    return _entering(), np.repeat(np.array(found), lengths)


def _borders(*paths: np.ndarray) -> np.ndarray:
    changed = np.any([np.diff(path) != 0 for path in paths], axis=0)
    return np.concatenate([[0], np.flatnonzero(changed) + 1, [len(paths[0])]])


def bass_path(path: np.ndarray, bass: np.ndarray) -> np.ndarray:
    """Return the bass of each frame in semitones above the chord's root, shape (frames,): a tone of the chord.

    Within a chord the bass changes only for good, and is the root unless another is clearly stronger.
    """
    basses = np.zeros(len(path), np.int64)
    for first, behind in pairwise(_borders(path).tolist()):
        if path[first] == NO_CHORD or CHORDS[path[first]][1] in ROOTED:
            continue
        root, quality = CHORDS[path[first]]
        intervals = np.array(SHORTHANDS[quality])
        strengths = bass[first:behind][:, (root + intervals) % 12].astype(np.float64)
        strengths[:, 0] += _ROOT_LEAD
        found = best_path(strengths, np.full(len(strengths), _BASS_CHANGE), np.zeros((1, len(intervals))))
        basses[first:behind] = intervals[found]
    return basses


def _chords(path: np.ndarray, basses: np.ndarray, evidence: np.ndarray, pulse: Pulse, end_s: float) -> Chords:
    borders = _borders(path, basses)
    at_s = [0.0, *pulse.placed((borders[1:-1] - 0.5) / FRAME_RATE_HZ).tolist(), end_s]
    lead = evidence[np.arange(len(path)), path] - evidence[:, NO_CHORD]
    lead = np.clip(lead / (2 * _NONE_WEIGHT), 0, 1)
    spans = []
    for index, (first, behind) in enumerate(pairwise(borders.tolist())):
        named = path[first] != NO_CHORD
        label = _label(int(path[first]), int(basses[first]))
        sure = float(lead[first:behind].mean()) if named else 0.0
        spans.append(Span(min(at_s[index], end_s), min(at_s[index + 1], end_s), label, sure))
    return Chords(_whole(spans), float(lead[path != NO_CHORD].mean()) if (path != NO_CHORD).any() else 0.0)


def _label(state: int, bass: int) -> str:
    if state == NO_CHORD:
        return "N"
    root, quality = CHORDS[state]
    return label_of(root, quality, bass)


def _whole(spans: Sequence[Span]) -> tuple[Span, ...]:
    return tuple(span for span in spans if span.end_s > span.start_s) or tuple(spans[:1])
