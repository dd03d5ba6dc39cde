"""Harmony: key and tuning, chords, what the chords are in the key and what fits to them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from domain.values import Chord, ChordLine, Seconds, Value
from events.analyses import Analysis, Confidence

Fit = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]


class KeySpan(Value):
    """A key from start to end."""

    start_s: Seconds
    end_s: Seconds
    tonic: str
    mode: str


class Cadence(Value):
    """Where a phrase closes: when its last chord begins, which of the chords that is, counted from 0, and how."""

    at_s: Seconds
    chord: Annotated[int, Field(ge=0)]
    kind: Literal["authentic", "half", "plagal", "deceptive"]
    confidence: Confidence


class KeyEstimated(Analysis):
    """Key and mode ("A", "minor"); null where the material has no pitch to tell it by.

    tuning_cents: by how much it lies above A440, -50 to 50, null without a pitch. spans: the keys it goes through.
    """

    TYPE: ClassVar[str] = "disco.key.estimated"
    KIND: ClassVar[str] = "key"
    FACTS: ClassVar[tuple[str, ...]] = ("tonic", "mode", "confidence", "tuning_cents")
    tonic: str | None
    mode: str | None
    confidence: Confidence
    tuning_cents: Annotated[float, Field(ge=-50, le=50)] | None = None
    spans: tuple[KeySpan, ...] = ()


class ChordsEstimated(Analysis):
    """Chords from start to end, in order and without overlap; confidences: of each of them, 0 where there is none."""

    TYPE: ClassVar[str] = "disco.chords.estimated"
    KIND: ClassVar[str] = "chords"
    FACTS: ClassVar[tuple[str, ...]] = ("confidence",)
    confidence: Confidence
    line: ChordLine
    confidences: tuple[Confidence, ...] = ()

    @property
    def chords(self) -> tuple[Chord, ...]:
        """The chords with their spans."""
        return self.line.chords


class HarmonyAnalysed(Analysis):
    """What each chord of a line is in its key, from `boundaries_s[i]` to `boundaries_s[i + 1]`.

    numerals: as in "V6/5/ii", empty where there is no chord. functions: T, S or D, empty likewise. fits: how well each
    pitch class from C goes with it, twelve digits: 9 a tone of the chord, 6 a tension, 3 to be avoided, 1 outside.
    """

    TYPE: ClassVar[str] = "disco.harmony.analysed"
    KIND: ClassVar[str] = "harmony"
    FACTS: ClassVar[tuple[str, ...]] = ("cadence_count", "modulations", "confidence")
    confidence: Confidence
    boundaries_s: tuple[Seconds, ...]
    numerals: tuple[str, ...]
    functions: tuple[str, ...]
    fits: tuple[Fit, ...]
    keys: tuple[KeySpan, ...]
    cadences: tuple[Cadence, ...]
    cadence_count: int
    modulations: int

    @model_validator(mode="after")
    def _matched(self) -> Self:
        counts = {len(self.numerals), len(self.functions), len(self.fits), max(0, len(self.boundaries_s) - 1)}
        if len(counts) > 1:
            raise ValueError("numerals, functions and fits must be as many, and boundaries one more")
        return self
