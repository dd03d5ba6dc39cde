"""Lyrics: the words that came with a recording."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from domain.values import Seconds, Text, Value
from events.analyses import Analysis, Confidence


class SungWord(Value):
    """A word that is timed."""

    text: Text
    start_s: Seconds


class LyricLine(Value):
    """A line; times are null where it is not timed, syllables where they cannot be told in its language.

    section: its place in `sections`, from 0. rhyme: the same letter within a section for what rhymes.
    phrase_s: from when to when the sung phrase lasts that it falls in, null where none is heard.
    """

    text: Text
    section: Annotated[int, Field(ge=0)]
    start_s: Seconds | None = None
    end_s: Seconds | None = None
    syllables: int | None = None
    rhyme: str = ""
    words: tuple[SungWord, ...] = ()
    phrase_s: tuple[float, float] | None = None


class LyricSection(Value):
    """A stanza: its label (verse, chorus, or what its heading says), and the lines it has.

    like: the first section with nearly the same words, itself where there is none before. scheme: ABAB and the like.
    """

    label: Text
    first_line: int
    lines: int
    like: int
    scheme: str


class LyricsAnalysed(Analysis):
    """Lyrics embedded in an imported file or beside it; no lines and a confidence of 0 where there are none.

    language: ISO 639-1, null where it is not known; confidence is that of the language. sentiment: -1 sad to 1 glad,
    null where nothing of it is known. offset_s: by how much singing is heard later than the times say, null where
    there are no times or it cannot be heard.
    """

    TYPE: ClassVar[str] = "disco.lyrics.analysed"
    KIND: ClassVar[str] = "lyrics"
    FACTS: ClassVar[tuple[str, ...]] = ("line_count", "language", "timed", "sentiment", "confidence", "first_line")
    line_count: int
    first_line: Text | None
    timed: bool
    language: str | None
    sentiment: Annotated[float, Field(ge=-1, le=1)] | None
    sentiment_confidence: Confidence
    offset_s: float | None
    offset_confidence: Confidence
    lines: tuple[LyricLine, ...]
    sections: tuple[LyricSection, ...]
