"""What an analysis answers to be scored, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.hearing.truth import Labelled


@dataclass(frozen=True, slots=True)
class Beats:
    """Beat times in seconds; None for what was not said. tempo_curve: (seconds, bpm), shape (n, 2).

    swing: the share of a beat that its first half takes.
    """

    times_s: np.ndarray
    tempo_bpm: float | None = None
    downbeats_s: np.ndarray | None = None
    beats_per_bar: int | None = None
    tempo_curve: np.ndarray | None = None
    swing: float | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """The key of all, ("F#", "minor"), None if none was heard; and where it is which, if that was said."""

    key: tuple[str, str] | None
    local: Labelled | None = None


@dataclass(frozen=True, slots=True)
class Pitch:
    """A melody: times in seconds, Hz where voiced and 0 elsewhere; both of shape (n,)."""

    times_s: np.ndarray
    hz: np.ndarray


Notes = list[tuple[float, float, float]]
"""Onset, offset, MIDI pitch."""

Answer = Beats | Keys | Pitch | Labelled | Notes | str | np.ndarray
"""Chords, numerals and sections are Labelled, an instrument family is a word, a likeness is a vector."""
