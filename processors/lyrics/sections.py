"""Stanzas: where they begin, which of them have the same words, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from processors.lyrics.syllables import words_of
from processors.lyrics.text import Line

_ALIKE = 0.7
_PAUSE_S = 6.0
_LONG = 8
_NAMES = {
    "chorus": "chorus refrain refrão estribillo coro ritornello kehrvers refräng omkvæd refren",
    "verse": "verse strophe couplet estrofa strofa vers couplets",
    "bridge": "bridge middle8 puente ponte brücke",
    "intro": "intro",
    "outro": "outro coda ending",
    "pre-chorus": "pre-chorus prechorus",
    "hook": "hook",
    "interlude": "interlude instrumental solo",
}
_LABELS = {name: label for label, names in _NAMES.items() for name in names.split()}
_HEADING = re.compile(r"\[([^\[\]]{1,40})\]|([^\W\d_][\w\- ]{0,20}):")


@dataclass(frozen=True, slots=True)
class Stanza:
    """Lines that belong together; `like` is the first stanza with nearly the same words, by its place."""

    lines: tuple[Line, ...]
    label: str | None = None
    like: int = 0


def find_sections(lines: Sequence[Line]) -> list[Stanza]:
    """Part lines where they are parted: empty lines, headings, long pauses, else where words come again."""
    stanzas = [stanza for stanza in _parted(lines) if stanza.lines]
    if len(stanzas) == 1 and len(stanzas[0].lines) >= _LONG:
        stanzas = [Stanza(part, stanzas[0].label) for part in _by_repetition(stanzas[0].lines) if part]
    return _labelled(_likened(stanzas))


def _parted(lines: Sequence[Line]) -> list[Stanza]:
    found: list[Stanza] = [Stanza(())]
    pause_s = _pause_s(lines)
    before_s: float | None = None
    for line in lines:
        label = _heading(line.text)
        paused = before_s is not None and line.start_s is not None and line.start_s - before_s > pause_s
        if label is not None:
            found.append(Stanza((), label))
        elif not line.text:
            found.append(Stanza((), found[-1].label if not found[-1].lines else None))
        elif paused and found[-1].lines:
            found.append(Stanza((line,)))
        else:
            found[-1] = replace(found[-1], lines=(*found[-1].lines, line))
        before_s = line.start_s if line.start_s is not None else before_s
    return found


def _pause_s(lines: Sequence[Line]) -> float:
    """How far apart two lines of a stanza begin at most."""
    starts = [line.start_s for line in lines if line.start_s is not None and line.text]
    return max(_PAUSE_S, 2.5 * float(np.median(np.diff(starts)))) if len(starts) > 2 else np.inf


def _heading(text: str) -> str | None:
    """What a heading such as `[Verse 1]` or `Chorus:` calls its section; None for a line that is sung."""
    found = _HEADING.fullmatch(text)
    if found is None:
        return None
    name = re.split(r"[\d:.,(]", found[1] or found[2])[0].strip().lower()
    known = _LABELS.get(name) or _LABELS.get(name.partition(" ")[0])
    return known if known or not found[1] else name or None


def _by_repetition(lines: tuple[Line, ...]) -> list[tuple[Line, ...]]:
    """Cut out the longest run of two lines or more that comes again; the lines as they are where none does."""
    keys = [" ".join(words_of(line.text)) for line in lines]
    length, at = _longest_repeat(keys)
    if length < 2:
        return [lines]
    parts, begun, place = [], 0, 0
    while place < len(keys):
        if keys[place : place + length] == keys[at : at + length]:
            parts += [lines[begun:place], lines[place : place + length]]
            begun = place = place + length
        else:
            place += 1
    return [*parts, lines[begun:]]


def _longest_repeat(keys: Sequence[str]) -> tuple[int, int]:
    """How many lines the longest run has that comes again without overlap, and where it begins first."""
    best, at = 0, 0
    before = [0] * (len(keys) + 1)
    for i in range(len(keys)):
        now = [0] * (len(keys) + 1)
        for j in range(i + 1, len(keys)):
            if keys[i] == keys[j]:
                now[j + 1] = min(before[j] + 1, j - i)
                if now[j + 1] > best:
                    best, at = now[j + 1], i - now[j + 1] + 1
        before = now
    return best, at


def _likened(stanzas: Sequence[Stanza]) -> list[Stanza]:
    words = [set(words_of(" ".join(line.text for line in stanza.lines))) for stanza in stanzas]
    firsts: list[int] = []
    for place, mine in enumerate(words):
        like = next((first for first in dict.fromkeys(firsts) if _overlap(words[first], mine) >= _ALIKE), place)
        firsts.append(like)
    return [replace(stanza, like=like) for stanza, like in zip(stanzas, firsts, strict=True)]


def _overlap(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def _labelled(stanzas: Sequence[Stanza]) -> list[Stanza]:
    """What has no heading is a chorus if it comes again, as often as any, else a verse."""
    times = [sum(other.like == stanza.like for other in stanzas) for stanza in stanzas]
    most = max(times, default=0)
    told = {stanza.like: stanza.label for stanza in stanzas if stanza.label}
    return [
        replace(stanza, label=stanza.label or told.get(stanza.like) or ("chorus" if 1 < most == count else "verse"))
        for stanza, count in zip(stanzas, times, strict=True)
    ]
