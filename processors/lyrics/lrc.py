"""LRC, lyrics with times: `[mm:ss.xx]` before a line, `<mm:ss.xx>` before a word, `[ar:…]` and the like about it all.

Source: the LRC format as players read it, with the enhanced form of A2; there is no standard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from processors.lyrics.text import Line, Word

_TIME = r"(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?"
_LINE_TIME = re.compile(rf"\s*\[{_TIME}\]")
_WORD_TIME = re.compile(rf"<{_TIME}>")
_ABOUT = re.compile(r"\s*\[([A-Za-z#_]{1,20}):([^\]]*)\]\s*$")


@dataclass(frozen=True, slots=True)
class Lrc:
    """Lines in order of time, empty where singing pauses; `about` is what the tags say, by lower-case name."""

    lines: tuple[Line, ...]
    about: dict[str, str] = field(default_factory=dict)


def is_lrc(text: str) -> bool:
    """Whether any line begins with a time."""
    return any(_LINE_TIME.match(line) for line in text.splitlines())


def parse_lrc(text: str) -> Lrc:
    """Read LRC; lines without a time are left out, those with several stand at each of them.

    A positive `[offset:]`, in milliseconds, makes all come sooner; nothing comes before 0.
    """
    about: dict[str, str] = {}
    found: list[Line] = []
    for raw in text.splitlines():
        if told := _ABOUT.match(raw):
            about[told[1].lower()] = told[2].strip()
            continue
        times_s, rest = _times(raw)
        found += _at(times_s, rest)
    sooner_s = _offset_s(about)
    lines = sorted((_moved(line, sooner_s) for line in found), key=lambda line: line.start_s or 0.0)
    return Lrc(tuple(lines), about)


def _times(raw: str) -> tuple[list[float], str]:
    times_s = []
    while found := _LINE_TIME.match(raw):
        times_s.append(_seconds(found))
        raw = raw[found.end() :]
    return times_s, raw


def _at(times_s: list[float], rest: str) -> Iterator[Line]:
    """The line at each of its times; the times of its words are those of the first."""
    words = tuple(_words(rest))
    text = " ".join(_WORD_TIME.sub(" ", rest).split())
    for time_s in times_s:
        later_s = time_s - times_s[0]
        yield Line(text, time_s, tuple(Word(word.text, word.start_s + later_s) for word in words))


def _words(rest: str) -> Iterator[Word]:
    marks = list(_WORD_TIME.finditer(rest))
    for mark, end in zip(marks, [*(mark.start() for mark in marks[1:]), len(rest)], strict=False):
        if text := rest[mark.end() : end].strip():
            yield Word(text, _seconds(mark))


def _seconds(found: re.Match[str]) -> float:
    minutes, seconds, parts = found.groups()
    return 60 * int(minutes) + int(seconds) + (int(parts) / 10 ** len(parts) if parts else 0.0)


def _offset_s(about: dict[str, str]) -> float:
    found = re.fullmatch(r"[+-]?\d{1,9}", about.get("offset", ""))
    return int(found[0]) / 1000 if found else 0.0


def _moved(line: Line, sooner_s: float) -> Line:
    start_s = line.start_s or 0.0
    words = tuple(Word(word.text, max(0.0, word.start_s - sooner_s)) for word in line.words)
    return Line(line.text, max(0.0, start_s - sooner_s), words)
