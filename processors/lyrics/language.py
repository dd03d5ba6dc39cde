"""Which language words are in: by its script, then by the small words that every line needs."""

from __future__ import annotations

import math
import re
from functools import cache
from importlib.resources import files

from processors.lyrics.syllables import words_of

_ENOUGH = 8.0
"""So many small words, weighed by how few languages have them, are as sure as can be."""
_SCRIPTS = (
    ("ja", r"[ぁ-ゖァ-ヺ]"),
    ("ko", r"[가-힣]"),
    ("zh", r"[一-鿿]"),
    ("he", r"[א-ת]"),
    ("ar", r"[ء-ي]"),
    ("hi", r"[ऀ-ॿ]"),
    ("th", r"[ก-๛]"),
)
_SHARE = 0.3
_LETTERS = {
    "ru": "ыэъё", "uk": "іїєґ", "de": "ß", "pl": "łżźśćń", "cs": "řůě", "es": "ñ", "pt": "ãõ", "tr": "ğış", "ro": "ță",
}  # fmt: skip
"""Letters that no other of these languages has."""


def identify_language(text: str) -> tuple[str | None, float]:
    """Return a language by its ISO 639-1 code, and how sure that is, 0 to 1; None where no word is known."""
    letters = sum(c.isalpha() for c in text)
    if not letters:
        return None, 0.0
    for language, script in _SCRIPTS:
        share = len(re.findall(script, text)) / letters
        if share >= _SHARE:
            return language, round(min(1.0, share * 2) * (1 - math.exp(-letters / 4)), 3)
    return _by_small_words(words_of(text))


def _by_small_words(words: list[str]) -> tuple[str | None, float]:
    """Each word speaks for the languages that have it, the fewer the louder."""
    scores: dict[str, float] = {}
    for word in words:
        for language in (having := _small_words().get(word, ())):
            scores[language] = scores.get(language, 0.0) + 1 / len(having)
    for language, letters in _LETTERS.items():
        hits = sum(c in letters for word in words for c in word)
        if hits:
            scores[language] = scores.get(language, 0.0) + hits / 2
    if not scores:
        return None, 0.0
    order = sorted(scores, key=lambda language: -scores[language])
    best = scores[order[0]]
    second = scores[order[1]] if len(order) > 1 else 0.0
    share = best / len(words)
    sure = (best - second) / best * (1 - math.exp(-3 * best / _ENOUGH)) * min(1.0, 5 * share)
    return (order[0], round(sure, 3)) if sure > 0 else (None, 0.0)


@cache
def _small_words() -> dict[str, tuple[str, ...]]:
    """Small word -> the languages that have it."""
    found: dict[str, tuple[str, ...]] = {}
    for line in (files(__package__) / "stopwords.txt").read_text("utf-8").splitlines():
        language, *words = line.split()
        for word in dict.fromkeys(words):
            found[word] = (*found.get(word, ()), language)
    return found
