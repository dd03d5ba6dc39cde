"""Rhythm: onsets, beats and bars, groove."""

from __future__ import annotations

from typing import ClassVar

from domain.values import Blob
from events.analyses import Analysis, Confidence


class BeatsTracked(Analysis):
    """Beats, bars and tempo; no beats and nulls where none can be heard.

    downbeats: which of `beats_s`, counted from 0, begin a bar. metre: of most bars, "3/4", "6/8", …; a beat of a
    compound metre is three eighths. tempo_curve: (seconds, bpm), the tempo is even between one and the next.
    swing: the share of a beat that its first half takes, 0.5 straight, 0.667 triplets; null where beats are not halved.
    """

    TYPE: ClassVar[str] = "disco.beats.tracked"
    KIND: ClassVar[str] = "beats"
    FACTS: ClassVar[tuple[str, ...]] = ("tempo_bpm", "metre", "swing", "confidence")
    SERIES: ClassVar[dict[str, str]] = {"tempo_bpm": "tempo_bpm"}
    tempo_bpm: float | None
    confidence: Confidence
    beats_s: tuple[float, ...]
    downbeats: tuple[int, ...] = ()
    metre: str | None = None
    metre_confidence: Confidence = 0.0
    tempo_curve: tuple[tuple[float, float], ...] = ()
    swing: float | None = None


class OnsetsFound(Analysis):
    """Where something begins: attacks, and new tones without one.

    The blob is .npz: `times_s` and `strengths` (0 to 1), of shape (count,), float32.
    """

    TYPE: ClassVar[str] = "disco.onsets.found"
    KIND: ClassVar[str] = "onsets"
    FACTS: ClassVar[tuple[str, ...]] = ("count", "density_per_s", "confidence")
    SERIES: ClassVar[dict[str, str]] = {"density_per_s": "onset_density_per_s"}
    count: int
    density_per_s: float
    confidence: Confidence
    onsets: Blob


class GrooveDescribed(Analysis):
    """How onsets are spread over the bar; empty and null where there are no beats.

    places: of the bar, evenly apart, four a beat or, in compound metres, three. histogram: mean strength of what
    begins at each place, the strongest 1. early_ms: by how much it comes before its place, null where nothing does.
    syncopation: 0 to 1, how far strong onsets avoid strong places.
    """

    TYPE: ClassVar[str] = "disco.groove.described"
    KIND: ClassVar[str] = "groove"
    FACTS: ClassVar[tuple[str, ...]] = ("syncopation", "confidence")
    SERIES: ClassVar[dict[str, str]] = {"syncopation": "syncopation"}
    places: int
    histogram: tuple[float, ...]
    early_ms: tuple[float | None, ...]
    syncopation: float | None
    confidence: Confidence
