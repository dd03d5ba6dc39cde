"""How many syllables a word or line has, by the vowels of its language; within one of the truth for most words.

English goes by its own rules of spelling, other languages by which vowels are sounded as one.
"""

from __future__ import annotations

import re
import unicodedata

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

_NUCLEI = {
    "de": r"aa|ee|oo|ai|au|äu|ei|eu|ie|[aeiouyäöü]",
    "nl": r"aai|eeu|ieu|oei|ooi|aa|ee|oo|uu|ie|oe|ui|ei|ij|eu|au|ou|[aeiouyéëïöü]",
    "fr": r"[aeiouyàâäæœéèêëîïôöùûü]+",
    "es": r"[iuü]?[aeoáéó][iuyü]?(?![aeoáéóíú])|[iuü]?[aeoáéó]|[íú]|[iuyü]+",
    "pt": r"ão|ãe|õe|[iu]?[aeoáéóâêôãõà][iu]?(?![aeoáéóíú])|[iu]?[aeoáéóâêôãõà]|[íú]|[iu]+",
    "it": r"[iu]?[aeoàèéòó][iu]?(?![aeoàèéòó])|[iu]?[aeoàèéòó]|[ìù]|[iu]+",
    "fi": r"aa|ee|ii|oo|uu|yy|ää|öö|[aeiou][iu]|[äöy][iy]|ie|uo|yö|[aeiouyäöå]",
    "sv": r"[aeiouyåäöé]",
    "da": r"[aeiouyæøåé]",
    "no": r"ei|øy|au|[aeiouyæøåé]",
    "pl": r"i?[aeouyąęó]|i",
    "cs": r"ou|au|eu|[aeiouyáéíóúůýě]",
    "ro": r"ea|oa|ia|ie|[aeou]i$|[aeiouăâî]",
    "tr": r"[aeıioöuüâîû]",
    "ru": r"[аеёиоуыэюя]",
    "uk": r"[аеєиіїоуюя]",
    "el": r"ου|ει|οι|αι|υι|[αεηιουωάέήίόύώϊϋΐΰ]+?",
    "ko": r"[가-힣]",
    "zh": r"[一-鿿㐀-䶿]",
    "ja": r"[ぁ-ゖァ-ヺー](?<![ぁぃぅぇぉゃゅょゎァィゥェォャュョヮ])",
}
_MUTE = {
    "es": r"(?<=q)u|(?<=g)u(?=[eiéí])",
    "pt": r"(?<=q)u(?=[eiéí])|(?<=g)u(?=[eiéí])",
    "it": r"(?<=[cg])i(?=[aeou])|(?<=q)u",
    "fr": r"(?<=q)u|(?<=g)u(?=[eiéè])|(?<=[^aeiouyàâéèêëîïôûù])(?:es?|ent)$|(?<=[aeiouyéèêîôû])es?$",
}
_ENGLISH = {
    "2": "rhythm chaos "
    "being doing going seeing every evening quiet science poem lion create diamond "
    "business people something someone sometimes somewhere maybe away lonely lovely alone "
    "naked wicked sacred blessed crooked rugged wretched poet ruin riot trial dying "
    "crying flying trying lying viewing cruel fuel duel jewel evil",
    "3": "idea area violet violets radio piano video beautiful beloved forever everything everyone family memory "
    "violin library animal holiday another",
    "1": "are were there where here more once gone come some done one love give live have eye eyes fire hour our "
    "your you're we're they're real world girl heart prayer i'm i've i'll i'd you've they've we've "
    "clothes lived loved",
    "4": "everybody january february",
}
_KNOWN = {word: int(count) for count, words in _ENGLISH.items() for word in words.split()}

_APART = re.compile(
    r"(?<![tscgx])i(?:a|o(?!u))(?<!llio)|(?<![tscgx])i(?=ou)|(?<=[^aeioucg])eo(?!u)|ua(?=[lrt])|yi|uou|iu"
)
"""Vowels next to each other that are two syllables."""
_MUTE_E = re.compile(r"[^aeiouy]e$|[^aeiouytd]ed$|[^aeiouysxzcg](?<![cs]h)es$")
_LE = re.compile(r"[^aeiouylr]le$|[bcdgt]re$")


def words_of(text: str) -> list[str]:
    """The words of a line in lower case."""
    return [word.replace("’", "'") for word in WORD.findall(text.lower())]


def count_syllables(text: str, language: str | None) -> int | None:
    """Count the syllables of a line; None in a language whose vowels are not known here."""
    if language == "en":
        return sum(english_syllables(word) for word in words_of(text))
    if language not in _NUCLEI:
        return None
    return sum(len(nuclei(word, language)) for word in _units(text, language))


def nuclei(word: str, language: str) -> list[re.Match[str]]:
    """Where the vowels of a word are, each match a syllable; mute letters are blanked out."""
    mute = _MUTE.get(language)
    bare = re.sub(mute, lambda found: "-" * len(found[0]), word) if mute else word
    found = list(re.finditer(_NUCLEI[language], bare))
    if not found and len(word) > 1 and language in ("fr", "it"):
        found = list(re.finditer(_NUCLEI[language], word))[:1]
    return found


def english_syllables(word: str) -> int:
    """Count the syllables of an English word in lower case, one at least."""
    if word in _KNOWN:
        return _KNOWN[word]
    if word.endswith("n't") and word not in ("don't", "can't", "won't", "ain't", "aren't", "weren't"):
        return english_syllables(word[:-3]) + 1
    bare = unicodedata.normalize("NFD", word.split("'")[0] if word.count("'") == 1 else word)
    bare = re.sub(r"[^a-z]", "", bare)
    bare = re.sub(r"^y(?=[aeiou])|(?<=[aeiou])y(?=[aeiou])", "j", bare)
    bare = re.sub(r"(?<=q)u|(?<=g)u(?=[ei])", "", bare)
    count = len(re.findall(r"[aeiouy]+", bare)) + len(_APART.findall(bare))
    count -= bool(_MUTE_E.search(bare) and not _LE.search(bare))
    count -= len(re.findall(r"[^aeiouyl]e(?=(?:ly|less|ness|ful|ment)$)", bare))
    return max(1, count)


def _units(text: str, language: str) -> list[str]:
    return [text] if language in ("ko", "zh", "ja") else words_of(text)
