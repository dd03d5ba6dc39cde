"""Beats, bars and tempo of a sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from events.imports import AudioAdded
from events.rhythm import BeatsTracked
from processors.audio.signal import SPECTRUM, Signal
from processors.handler import processor
from processors.rhythm.evidence import Evidence, evidence_of, place_odds
from processors.rhythm.metre import find_bars
from processors.rhythm.novelty import RATE_HZ
from processors.rhythm.onsets import exact_frames, onsets_of
from processors.rhythm.swing import goes_in_threes, swing_of
from processors.rhythm.tempo import (
    closed_tempo_bpm,
    interval_prior,
    intervals,
    knots,
    looks_like_loop,
    tempo_curve_bpm,
)

COMPOUND = {2: "6/8", 3: "9/8", 4: "12/8"}
_TEMPO_SPREAD = 0.025
_REGROUP, _TRIPLE = 2.0, 0.3
_LEAST_BEATS = 4
_REACH = 3
_USUAL_ODDS, _UNEVEN = 3.0, 0.12
_LEAST_CONFIDENCE = 0.05
_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Beats:
    """Beats in seconds, each one's place in its bar from 0, how many beats that bar has, and the tempo there.

    All of shape (beats,). metre: "4/4", "6/8" and the like, of most bars; a beat of a compound metre is three eighths.
    swing: the share of a beat that its first half takes. Confidences from 0 to 1. Empty, and None, where no beat is.
    """

    times_s: np.ndarray
    places: np.ndarray
    lengths: np.ndarray
    tempi_bpm: np.ndarray
    metre: str | None
    tempo_bpm: float | None
    swing: float | None
    confidence: float
    metre_confidence: float

    @property
    def downbeats(self) -> np.ndarray:
        """Which beats begin a bar, shape (beats,), bool."""
        return np.asarray(self.places == 0)


NO_BEATS = Beats(np.zeros(0), np.zeros(0, int), np.zeros(0, int), np.zeros(0), None, None, None, 0.0, 0.0)


def beats_of(signal: Signal) -> Beats:
    """Track beats and bars; none where onsets are faint, few or do not repeat."""
    evidence = signal.once(evidence_of)
    lengths = intervals()
    if len(evidence.onset) < 2 * lengths[0] or not evidence.heard:
        return NO_BEATS
    from processors.rhythm.beat_path import likeliest

    frames, threes, odds = likeliest(
        place_odds(evidence),
        interval_prior(signal, evidence),
        shortest=int(lengths[0]),
        spread=_TEMPO_SPREAD,
        regroup=_REGROUP,
        triple=_TRIPLE,
    )
    kept = sounding(frames, evidence.onset) | looks_like_loop(signal, evidence)
    if np.count_nonzero(kept) < _LEAST_BEATS:
        return NO_BEATS
    times_s = refined_s(frames[kept], evidence.onset)
    confidence = certainty(times_s, odds / len(times_s))
    if confidence < _LEAST_CONFIDENCE:
        return NO_BEATS
    return _described(signal, evidence, times_s, in_threes=bool(threes[kept].mean() > 0.5), confidence=confidence)


def certainty(times_s: np.ndarray, odds: float) -> float:
    """Return how sure beats are, 0 to 1: the more, the higher the log-odds a beat and the more even their pace."""
    uneven = float(np.sqrt(np.mean(np.diff(np.log(np.diff(times_s))) ** 2)))
    return float((1 - np.exp(-((max(0.0, odds) / _USUAL_ODDS) ** 2))) * np.exp(-((uneven / _UNEVEN) ** 2)))


def sounding(frames: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """Tell which beats are not before the first onset nor after the last."""
    heard = np.flatnonzero(onset > 1.5)
    if not heard.size:
        return np.zeros(len(frames), bool)
    return np.asarray((frames >= heard[0] - _REACH - 1) & (frames <= heard[-1] + _REACH + 1))


def refined_s(frames: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """Return beats in seconds, each on the top of the onset within 35 ms; where there is none, as it was."""
    padded = np.pad(onset, _REACH)
    around = padded[frames[:, None] + np.arange(2 * _REACH + 1)]
    tops = np.clip(frames + around.argmax(axis=1) - _REACH, 0, len(onset) - 1)
    placed = np.where(around.max(axis=1) > 1, exact_frames(onset, tops), frames)
    return np.unique(np.maximum(0, placed / RATE_HZ))


def _described(signal: Signal, evidence: Evidence, times_s: np.ndarray, *, in_threes: bool, confidence: float) -> Beats:
    """Tell bars, tempo and swing of beats."""
    onsets = signal.once(onsets_of)
    compound = in_threes and goes_in_threes(onsets, times_s)
    bars = find_bars(times_s, evidence, compound=compound)
    usual = int(np.bincount(bars.lengths).argmax())
    steady_bpm = closed_tempo_bpm(times_s, signal.duration_s) or 60 / float(np.median(np.diff(times_s)))
    return Beats(
        times_s=times_s,
        places=bars.places,
        lengths=bars.lengths,
        tempi_bpm=tempo_curve_bpm(times_s),
        metre=COMPOUND[usual] if compound else f"{usual}/4",
        tempo_bpm=steady_bpm,
        swing=None if compound else swing_of(onsets, times_s),
        confidence=confidence,
        metre_confidence=confidence * bars.confidence,
    )


@processor("2")
def track_beats(event: AudioAdded, signal: Signal) -> BeatsTracked:
    """Track beats and bars and tell their tempo; all is empty where no beat can be heard."""
    found = signal.once(beats_of)
    return BeatsTracked(
        asset_id=event.asset_id,
        parameters=dict(SPECTRUM),
        tempo_bpm=None if found.tempo_bpm is None else round(found.tempo_bpm, 2),
        confidence=round(found.confidence, 3),
        beats_s=tuple(np.round(found.times_s, _DECIMALS).tolist()),
        downbeats=tuple(np.flatnonzero(found.downbeats).tolist()),
        metre=found.metre,
        metre_confidence=round(found.metre_confidence, 3),
        tempo_curve=tuple(knots(found.times_s, found.tempi_bpm)),
        swing=None if found.swing is None else round(found.swing, 3),
    )
