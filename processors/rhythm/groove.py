"""Groove: how onsets are spread over the bar, how early they come, how much they avoid the strong places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from events.imports import AudioAdded
from events.rhythm import GrooveDescribed
from processors.audio.signal import SPECTRUM, Signal
from processors.handler import processor
from processors.rhythm.beats import COMPOUND, beats_of
from processors.rhythm.onsets import onsets_of
from processors.rhythm.swing import places_in_beats

_LEAST_ONSETS = 8


@dataclass(frozen=True, slots=True)
class Groove:
    """The places of a bar, evenly apart: how much begins at each, the strongest 1, and by how many ms before it.

    histogram and early_ms: shape (places,); not a number where nothing begins. syncopation and confidence: 0 to 1.
    """

    histogram: np.ndarray
    early_ms: np.ndarray
    syncopation: float | None
    confidence: float


NO_GROOVE = Groove(np.zeros(0), np.zeros(0), None, 0.0)


def groove_of(signal: Signal) -> Groove:
    """Describe the groove by beats and onsets; empty where there are no beats."""
    beats, onsets = signal.once(beats_of), signal.once(onsets_of)
    if beats.metre is None:
        return NO_GROOVE
    parts = 3 if beats.metre in COMPOUND.values() else 4
    number, within, strengths = places_in_beats(onsets, beats.times_s)
    bars = int(beats.metre.split("/")[0]) // (3 if parts == 3 else 1)
    held = beats.lengths[number] == bars
    if np.count_nonzero(held) < _LEAST_ONSETS:
        return NO_GROOVE
    number, within, strengths = number[held], within[held], strengths[held]
    nearest = np.rint(within * parts)
    place = (beats.places[number] * parts + nearest).astype(int) % (bars * parts)
    period_s = (beats.times_s[number + 1] - beats.times_s[number]) / parts
    early_ms = 1000 * (nearest - within * parts) * period_s
    sums = np.bincount(place, strengths, minlength=bars * parts)
    with np.errstate(invalid="ignore"):
        early = np.bincount(place, strengths * early_ms, minlength=bars * parts) / np.where(sums > 0, sums, np.nan)
    histogram = sums / sums.max()
    return Groove(histogram, early, syncopation(histogram, parts), min(beats.confidence, beats.metre_confidence))


def place_weights(places: int, parts: int) -> np.ndarray:
    """Return how strong the places of a bar are, 0 for its first and less by 1 for each level below.

    Levels: the bar, its half where it has one, beats, halves of beats, quarters. Source: Lerdahl & Jackendoff 1983.
    """
    beats = places // parts
    weights = np.full(places, -4.0 if parts == 4 else -3.0)
    if parts == 4:
        weights[::2] = -3
    weights[::parts] = -2 if beats > 2 or parts == 4 else -1
    if beats == 4:
        weights[2 * parts] = -1
    weights[0] = 0
    return weights


def syncopation(histogram: np.ndarray, parts: int) -> float:
    """Return how far onsets avoid strong places: 0 where each is the weaker the weaker its place, 1 if the reverse.

    Half of one minus the correlation of the histogram with the places' weights. Source: after Longuet-Higgins &
    Lee 1984, on average bars instead of single notes.
    """
    weights = place_weights(len(histogram), parts)
    spread = histogram.std() * weights.std()
    if spread == 0:
        return 0.5
    together = float(((histogram - histogram.mean()) * (weights - weights.mean())).mean() / spread)
    return (1 - together) / 2


@processor("1")
def describe_groove(event: AudioAdded, signal: Signal) -> GrooveDescribed:
    """Describe the groove; empty where no beat can be heard."""
    found = signal.once(groove_of)
    return GrooveDescribed(
        asset_id=event.asset_id,
        parameters=dict(SPECTRUM),
        places=len(found.histogram),
        histogram=tuple(np.round(found.histogram, 3).tolist()),
        early_ms=tuple(None if np.isnan(value) else round(value, 1) for value in found.early_ms.tolist()),
        syncopation=None if found.syncopation is None else round(found.syncopation, 3),
        confidence=round(found.confidence, 3),
    )
