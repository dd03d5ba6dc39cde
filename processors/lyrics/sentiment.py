"""How glad or sad English words are, by a short list of words with `not` and `very` minded.

Source: the form of Hutto and Gilbert 2014, "VADER", with a list of words of its own.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files

from processors.lyrics.syllables import words_of

_EVEN = 15.0
_REACH = 3
_TURNED = -0.74
_NOT = frozenset(("not", "no", "never", "without", "nobody", "nothing", "neither", "nor", "cannot"))
_MORE = frozenset(("very", "so", "really", "truly", "deeply", "too", "such"))
_ENOUGH = 4


def sentiment_of(text: str, language: str | None) -> tuple[float | None, float]:
    """Return -1 (sad) to 1 (glad) and how sure that is; None where the language or all words are not known."""
    if language != "en":
        return None, 0.0
    words = words_of(text)
    told = [value for index in range(len(words)) if (value := _value(words, index))]
    if not told:
        return None, 0.0
    total = sum(told)
    agreed = abs(total) / sum(map(abs, told))
    return round(total / math.sqrt(total * total + _EVEN), 3), round(agreed * min(1.0, len(told) / _ENOUGH), 3)


def _value(words: list[str], index: int) -> float:
    value = _feelings().get(words[index], 0.0)
    before = words[max(0, index - _REACH) : index]
    if before and before[-1] in _MORE:
        value *= 1.3
    return value * _TURNED if any(word in _NOT or word.endswith("n't") for word in before) else value


@cache
def _feelings() -> dict[str, float]:
    found: dict[str, float] = {}
    for line in (files(__package__) / "feelings_en.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            value, *words = line.split()
            found.update(dict.fromkeys(words, float(value)))
    return found
