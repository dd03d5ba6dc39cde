"""Timbre: what a sound is like, which family of instruments leads, and words that a musician would search by."""

from __future__ import annotations

from typing import ClassVar, Literal

from domain.values import Tag, Value
from events.analyses import Analysis, Confidence

Family = Literal["piano", "mallets", "organ", "guitar", "bass", "strings", "brass", "reed", "flute", "voice", "drums"]


class TimbreDescribed(Analysis):
    """What a sound is like; null where it is silent.

    brightness_hz: centroid of the spectrum, loud moments counting more. roughness: of partials that beat, 1 as two
    equal sines that are as rough as can be. warmth_db: power from 100 to 500 Hz over that from 500 Hz to 5 kHz.
    attack_ms: median of how long onsets take from silence to their top, null where no rise is heard.
    """

    TYPE: ClassVar[str] = "disco.timbre.described"
    KIND: ClassVar[str] = "timbre"
    FACTS: ClassVar[tuple[str, ...]] = ("brightness_hz", "roughness", "warmth_db", "attack_ms", "confidence")
    SERIES: ClassVar[dict[str, str]] = {"brightness_hz": "brightness_hz"}
    brightness_hz: float | None
    roughness: float | None
    warmth_db: float | None
    attack_ms: float | None
    confidence: Confidence


class FamilyShare(Value):
    """A family of instruments and how likely it is that it leads."""

    family: Family
    share: Confidence


class InstrumentHeard(Analysis):
    """The family of instruments that leads, null where none can be told; likely: the families, likeliest first."""

    TYPE: ClassVar[str] = "disco.instrument.heard"
    KIND: ClassVar[str] = "instrument"
    FACTS: ClassVar[tuple[str, ...]] = ("family", "confidence")
    family: Family | None
    confidence: Confidence
    likely: tuple[FamilyShare, ...]


class HeardTag(Value):
    """A word for what is heard, and how sure it is."""

    word: Tag
    confidence: Confidence


class TagsHeard(Analysis):
    """Words for what is heard, as a musician would search by; `words` has them all, for documents and search."""

    TYPE: ClassVar[str] = "disco.tags.heard"
    KIND: ClassVar[str] = "tags"
    FACTS: ClassVar[tuple[str, ...]] = ("words",)
    words: str
    confidence: Confidence
    tags: tuple[HeardTag, ...]
