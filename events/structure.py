"""Structure: the sections of a piece, which of them are alike, and its phrases."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domain.values import Seconds, Value
from events.analyses import Analysis, Confidence

Name = Literal["intro", "verse", "chorus", "bridge", "outro"]


class Section(Value):
    """A section: the same label is the same music, semitones higher than where it came first.

    name: what it is to the piece, null where that cannot be told. confidence: that it begins and ends where told.
    """

    start_s: Seconds
    end_s: Seconds
    label: str
    semitones: Annotated[int, Field(ge=-5, le=6)] = 0
    name: Name | None = None
    confidence: Confidence


class SectionPhrase(Value):
    """A phrase within a section; a rest may follow before the next one begins."""

    start_s: Seconds
    end_s: Seconds
    confidence: Confidence


class StructureAnalysed(Analysis):
    """Sections from the first sound to the last without a gap, and phrases; none where nothing can be told.

    form: the labels in order, "A A B A", of the first 64 sections.
    """

    TYPE: ClassVar[str] = "disco.structure.analysed"
    KIND: ClassVar[str] = "structure"
    FACTS: ClassVar[tuple[str, ...]] = ("form", "section_count", "phrase_count", "confidence")
    confidence: Confidence
    form: str | None
    section_count: int
    phrase_count: int
    sections: tuple[Section, ...]
    phrases: tuple[SectionPhrase, ...]
