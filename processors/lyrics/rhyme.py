"""Which lines rhyme: those whose last words sound alike from the last stressed vowel on.

English spelling is turned into sounds by rules, with the commonest exceptions told; other languages are nearly written
as they sound.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from processors.lyrics.syllables import english_syllables, nuclei, words_of

_KNOWN = {
    "UV": "love above dove glove of",
    "UM": "come some drum hum from",
    "UN": "one done sun run fun son won none begun gun everyone",
    "OO": "to do you who two through blue true too new knew few view flew grew shoe into ewe threw",
    "OH": "go no so know low show snow grow though blow slow ago flow below throw toe row glow",
    "OW": "now how cow allow wow vow somehow brow bough",
    "AI": "eye i my by why fly sky cry die lie high goodbye buy try sigh dry shy bye nigh thy lullaby reply deny",
    "AIZ": "eyes skies lies cries dies wise rise surprise flies goodbyes disguise",
    "AHR": "are far star car bar jar afar guitar scar",
    "AHRT": "heart art part start apart smart chart depart",
    "ED": "said red bed head dead bread led fed instead ahead thread spread shed fled",
    "AIR": "there where air care hair bear fair share wear their everywhere stair prayer square dare chair rare",
    "ERD": "word heard bird third absurd herd",
    "EER": "here near dear fear hear year tear clear appear ear cheer beer",
    "OR": "more door for floor shore war before poor your four ignore core score roar or pour",
    "UD": "good could would should wood stood hood understood",
    "UHD": "blood flood mud",
    "EY": "day way say play stay away may they today grey gray pray weigh hey yesterday obey",
    "EE": "me see be we he she tree free sea key three tea plea agree memory eternity",
    "EET": "sweet meet feet street heat beat seat complete repeat",
    "EYT": "great wait late hate fate gate straight eight state weight",
    "OWN": "own alone stone bone phone known grown shown throne moan unknown",
    "EEN": "seen mean green between queen scene clean machine",
    "EN": "been ten then men again when pen amen",
    "UL": "full pull wool",
    "OLD": "old cold gold told hold bold rolled",
    "AWL": "all fall call wall small tall ball crawl",
    "AWT": "thought bought caught brought taught ought fought",
    "AUND": "sound found ground round around bound drowned crowned",
    "AIND": "mind find kind blind behind signed",
    "AIM": "time rhyme climb lime crime dime",
    "AIN": "mine fine line sign shine wine divine nine",
    "EYN": "rain pain vain train chain plane explain remain insane",
    "UNG": "young tongue sung hung",
    "IV": "live give forgive",
    "OOV": "move prove groove",
    "EYS": "case base chase face place race grace space embrace trace",
    "ETH-er": "together weather feather leather whether",
    "OOM": "room bloom gloom doom tomb womb",
    "OWM": "home roam foam",
    "AIRZ": "theirs",
    "ERL": "girl pearl curl",
}
_SOUNDS = {word: sound for sound, words in _KNOWN.items() for word in words.split()}
_VOWELS = (
    (r"igh|eigh(?=t)", "AI"), (r"ee|ea|ie", "EE"), (r"oa", "OW"), (r"oo|ue|ew|ui", "OO"), (r"ou", "AU"),
    (r"oi|oy", "OI"), (r"ai|ay|ey|ei", "EY"), (r"au|aw", "AW"), (r"ow", "OW"),
)  # fmt: skip
_LONG = {"a": "EY", "e": "EE", "i": "AI", "y": "AI", "o": "OW", "u": "OO"}
_SHORT = {"a": "A", "e": "E", "i": "I", "y": "I", "o": "O", "u": "U"}
_WEAK_ENDS = re.compile(r"(?:ing|ings|in'|er|ers|or|en|le|ly|y|ed|es|ow|al|on|ish|less|ness|est)$")
_SCHWA = {"de": r"e[nrslm]?$", "nl": r"e[nrsl]?$", "sv": r"[ae][nr]?$", "da": r"e[nrst]?$", "no": r"e[nrt]?$"}
_EARLY = ("es", "it", "pt", "pl", "ro")
_PENULTIMATE = re.compile(r"[aeiou][ns]?$")


def rhyme_scheme(lines: Sequence[str], language: str | None) -> tuple[str, ...]:
    """Give each line a letter from A, the same one to lines that rhyme; an empty one to a line without a word."""
    letters: dict[str, str] = {}
    return tuple(
        letters.setdefault(sound, letter(len(letters))) if (sound := ending(line, language)) else "" for line in lines
    )


def letter(number: int) -> str:
    """A, B, … Z, AA, AB, … from 0."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def ending(line: str, language: str | None) -> str:
    """What a line must share with another to rhyme with it; empty where it has no word."""
    words = words_of(line)
    if not words:
        return ""
    if language == "en":
        return english_ending(words[-1])
    return _spelled(words[-1], language)


def english_ending(word: str) -> str:
    """The sounds of an English word from its last stressed vowel on, in capitals, as spelling tells them."""
    word = re.sub(r"[^a-z]", "", word.removesuffix("'s"))
    if word in _SOUNDS:
        return _SOUNDS[word]
    plural = word.endswith("s") and word[:-1] in _SOUNDS
    if plural:
        return _SOUNDS[word[:-1]] + "Z"
    if english_syllables(word) > 1 and (weak := _WEAK_ENDS.search(word)):
        stem = re.sub(r"([b-df-hj-np-tv-z])\1$", r"\1", word[: weak.start()])
        long = stem != word[: weak.start()] or weak[0] in ("ing", "ings", "in'", "er", "ers", "ed", "es")
        whole = english_syllables(word) == english_syllables(stem) if stem else True
        ending = {"ings": "ing", "in'": "ing", "or": "er", "ers": "er"}.get(weak[0], weak[0])
        if stem and not (whole and long and weak[0] in ("ed", "es")):
            return f"{_rime(stem)}-{ending}"
    if english_syllables(word) > 1 and word.endswith("y"):
        return "EE"
    return _rime(word)


def _rime(word: str) -> str:
    """The last vowel of a word and what follows, as sounds."""
    found = re.search(r"([aeiouy]+(?:gh(?=t|$)|w)?)([^aeiouy]*)(e?)s?$", word) or re.search(r"([aeiouy]+)()()$", word)
    if found is None:
        return word.upper()
    vowels, consonants, mute = found[1], found[2], found[3]
    if word.endswith("s") and not consonants.endswith("s") and not word.endswith(("ss", "us", "is")):
        consonants += "s"
    return _vowel(vowels, consonants, mute) + _consonants(consonants, mute)


def _vowel(vowels: str, consonants: str, mute: str) -> str:
    for spelled, sound in _VOWELS:
        if re.match(rf"(?:{spelled})", vowels):
            return sound
    last = vowels[-1] if vowels[-1] in _SHORT else vowels[0]
    open_ended = not consonants
    single = len(consonants) == 1 or consonants in ("th", "ng", "st")
    return _LONG[last] if open_ended or (mute and single) else _SHORT[last]


def _consonants(text: str, mute: str) -> str:
    text = re.sub(r"([a-z])\1", r"\1", text)
    if mute:
        text = re.sub(r"c$", "s", re.sub(r"d?g$", "j", re.sub(r"s$", "z", text)))
    return re.sub(
        r"ck|c$", "k", re.sub(r"mb$", "m", text.replace("gh", "").replace("x", "ks").replace("ph", "f"))
    ).upper()


def _spelled(word: str, language: str | None) -> str:
    """From the vowel of the syllable that is stressed as a rule, as written."""
    try:
        vowels = nuclei(word, language or "")
    except KeyError:
        return word[-3:]
    if not vowels:
        return word
    back = 1
    weak = _SCHWA.get(language or "")
    if re.search(weak, word) if weak else language in _EARLY and _PENULTIMATE.search(word):
        back = 2
    start = vowels[-min(back, len(vowels))].start()
    tail = word[start:]
    if language in ("es", "it", "pt"):
        return re.sub(r"^[iuü](?=[aeoáéóàèòâêôãõ])", "", tail)
    if language == "fr":
        return re.sub(r"(?<=[^aeiouyéèê])es?$|[stxdp]$|(?<=[éi])es?$", "", tail)
    if language in ("de", "nl", "pl", "cs", "ru"):
        tail = re.sub(r"d$", "t", re.sub(r"b$", "p", re.sub(r"(?<!n)g$", "k", tail)))
        return re.sub(r"^(ie|ih)", "i", re.sub(r"ß", "ss", re.sub(r"([aeiouäöü])h(?=[^aeiou]|$)", r"\1", tail)))
    return tail
