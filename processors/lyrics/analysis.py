"""All that is said of the lyrics of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from domain.ports import Blobs
from events.imports import AudioImported
from events.lyrics import LyricLine, LyricsAnalysed, LyricSection, SungWord
from processors.audio.signal import Signal
from processors.handler import processor
from processors.lyrics.align import Alignment, align
from processors.lyrics.language import identify_language
from processors.lyrics.lrc import is_lrc, parse_lrc
from processors.lyrics.rhyme import rhyme_scheme
from processors.lyrics.sections import Stanza, find_sections
from processors.lyrics.sentiment import sentiment_of
from processors.lyrics.syllables import count_syllables
from processors.lyrics.text import MAX_LINES, Line

_LETTERS = 26


def lines_of(text: str) -> tuple[Line, ...]:
    """The lines of lyrics with or without times, in order, empty ones where stanzas are parted; 500 at most."""
    found = parse_lrc(text).lines if is_lrc(text) else tuple(Line(line.strip()) for line in text.splitlines())
    return found[:MAX_LINES]


@processor("1")
def analyse_lyrics(event: AudioImported, signal: Signal, blobs: Blobs) -> LyricsAnalysed:
    """Read the lyrics that came with a file; where there are none, say so."""
    if event.lyrics is None:
        return _analysed(event, (), signal)
    with blobs.open(event.lyrics.sha256) as file:
        return _analysed(event, lines_of(file.read().decode("utf-8", "replace")), signal)


def _analysed(event: AudioImported, lines: Sequence[Line], signal: Signal) -> LyricsAnalysed:
    stanzas = find_sections(lines)
    sung = [line for stanza in stanzas for line in stanza.lines]
    text = "\n".join(line.text for line in sung)
    language, confidence = identify_language(text)
    sentiment, sentiment_confidence = sentiment_of(text, language)
    starts_s = [line.start_s for line in sung if line.start_s is not None]
    heard = align(signal, starts_s) if starts_s else Alignment()
    schemes = [rhyme_scheme([line.text for line in stanza.lines], language) for stanza in stanzas]
    ends_s = _ends_s(lines, signal.duration_s)
    return LyricsAnalysed(
        asset_id=event.asset_id,
        line_count=len(sung),
        first_line=sung[0].text if sung else None,
        timed=bool(starts_s),
        language=language,
        confidence=confidence,
        sentiment=sentiment,
        sentiment_confidence=sentiment_confidence,
        offset_s=heard.offset_s,
        offset_confidence=heard.confidence,
        lines=tuple(
            _line(line, place, rhyme, language, ends_s, heard)
            for place, (stanza, scheme) in enumerate(zip(stanzas, schemes, strict=True))
            for line, rhyme in zip(stanza.lines, scheme, strict=True)
        ),
        sections=tuple(_sections(stanzas, schemes)),
    )


def _line(
    line: Line, section: int, rhyme: str, language: str | None, ends_s: dict[float, float], heard: Alignment
) -> LyricLine:
    timed = line.start_s is not None
    return LyricLine(
        text=line.text,
        section=section,
        start_s=None if line.start_s is None else round(line.start_s, 3),
        end_s=round(ends_s[line.start_s], 3) if line.start_s is not None else None,
        syllables=count_syllables(line.text, language),
        rhyme=rhyme,
        words=tuple(SungWord(text=word.text, start_s=round(word.start_s, 3)) for word in line.words),
        phrase_s=heard.phrase_at(line.start_s) if timed and line.start_s is not None else None,
    )


def _ends_s(lines: Sequence[Line], duration_s: float) -> dict[float, float]:
    """When what begins at a time ends: with the next time there is, an empty line's too, or with the recording."""
    starts_s = sorted({line.start_s for line in lines if line.start_s is not None})
    last_s = starts_s[-1] if starts_s else 0.0
    return dict(pairwise([*starts_s, max(duration_s, last_s)]))


def _sections(stanzas: Sequence[Stanza], schemes: Sequence[tuple[str, ...]]) -> Iterator[LyricSection]:
    first = 0
    for stanza, scheme in zip(stanzas, schemes, strict=True):
        yield LyricSection(
            label=stanza.label or "verse",
            first_line=first,
            lines=len(stanza.lines),
            like=stanza.like,
            scheme="".join(scheme) if len(set(scheme)) <= _LETTERS else "",
        )
        first += len(stanza.lines)
