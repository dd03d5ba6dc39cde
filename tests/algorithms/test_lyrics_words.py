"""What words are: language, syllables, rhymes, feelings and stanzas, on public-domain verse and verse of our own."""

from __future__ import annotations

import pytest

from processors.lyrics.language import identify_language
from processors.lyrics.rhyme import letter, rhyme_scheme
from processors.lyrics.sections import find_sections
from processors.lyrics.sentiment import sentiment_of
from processors.lyrics.syllables import count_syllables
from processors.lyrics.text import Line

GRACE = (
    "Amazing grace! how sweet the sound,\nThat saved a wretch like me!\n"
    "I once was lost, but now am found,\nWas blind, but now I see."
)
TWINKLE = (
    "Twinkle, twinkle, little star,\nHow I wonder what you are!\n"
    "Up above the world so high,\nLike a diamond in the sky."
)
MARY = "Mary had a little lamb,\nIts fleece was white as snow,\nAnd everywhere that Mary went\nThe lamb was sure to go."
RHYMING = (
    "night/white day/weigh time/rhyme walking/talking never/ever thought/caught moon/tune back/track eyes/skies "
    "weather/together heart/part money/honey house/mouse sweet/complete falling/calling blue/you"
)
NOT_RHYMING = "night/note cat/dog love/hate road/rod singing/walking hope/home mine/time"
VERSES = {
    "en": GRACE,
    "de": "Stille Nacht, heilige Nacht,\nalles schläft, einsam wacht\nnur das traute, hochheilige Paar",
    "fr": "Au clair de la lune\nMon ami Pierrot\nPrête-moi ta plume\nPour écrire un mot",
    "es": "Cultivo una rosa blanca\nen junio como en enero\npara el amigo sincero\nque me da su mano franca",
    "it": "Nel mezzo del cammin di nostra vita\nmi ritrovai per una selva oscura\nché la diritta via era smarrita",
    "pt": "Minha terra tem palmeiras\nonde canta o sabiá\nas aves que aqui gorjeiam\nnão gorjeiam como lá",
    "nl": "Wij zijn al bij elkaar en het is niet zo laat\nmaar ik weet dat jij nog met mij verder gaat",
    "sv": "Jag vill gå med dig till havet och du är inte där",
    "no": "Ja, vi elsker dette landet, som det stiger frem\njeg vil hjem til deg og meg nå, hva er et hjem",
    "fi": "Minä olen täällä ja sinä olet siellä\nmutta nyt on yö ja me olemme tiellä",
    "pl": "Nie wiem co to jest, ale już się nie boję",
    "cs": "Já jsem tak sám a ty jsi pryč\nkdyž se mi stýská, kde je klíč",
    "ro": "Și nu știu ce sunt dar ești cu mine",
    "tr": "Ben seni çok sevdim ama sen yoksun şimdi",
    "ru": "Я вас любил: любовь еще, быть может,\nв душе моей угасла не совсем",
    "uk": "Як умру, то поховайте мене на могилі\nсеред степу широкого на Вкраїні милій",
    "el": "Σε γνωρίζω από την κόψη του σπαθιού την τρομερή",
    "ja": "さくら さくら やよいのそらは",
    "ko": "아리랑 아리랑 아라리요",
    "zh": "床前明月光 疑是地上霜",
}


@pytest.mark.parametrize(("language", "verse"), VERSES.items())
def test_verse_is_known_by_its_language(language: str, verse: str) -> None:
    """Given a verse, when asked, then its language is named with some confidence."""
    found, confidence = identify_language(verse)
    assert found == language
    assert confidence > 0.1


@pytest.mark.parametrize("text", ["", "123 !?", "la", "xyzzy plugh qwfp", "\n\n"])
def test_what_is_no_language_is_hardly_named_one(text: str) -> None:
    """Given no words, or words of no language, then there is hardly any confidence."""
    assert identify_language(text)[1] < 0.2


def test_more_of_a_verse_is_surer() -> None:
    """Given one line and then four, then the confidence does not fall."""
    assert identify_language(GRACE)[1] > identify_language("how sweet the sound")[1]


@pytest.mark.parametrize(
    ("verse", "metre"), [(GRACE, [8, 6, 8, 6]), (TWINKLE, [7, 7, 7, 7])], ids=["common metre", "sevens"]
)
def test_hymn_metres_are_counted(verse: str, metre: list[int]) -> None:
    """Given verse in a known metre, then its lines have the syllables that the metre has."""
    assert [count_syllables(line, "en") for line in verse.split("\n")] == metre


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "grace walked loved hoped homes played the makes queen fire I've don't"),
        (2, "twinkle wonder wanted little nation create roses every lonely table churches ocean people moment"),
        (3, "amazing beautiful violin idea radio yesterday curious"),
        (4, "actually everybody January"),
    ],
)
def test_english_words_have_the_syllables_a_dictionary_gives(count: int, words: str) -> None:
    """Given words of so many syllables, then each has so many."""
    assert {word: count_syllables(word, "en") for word in words.split()} == dict.fromkeys(words.split(), count)


@pytest.mark.parametrize(
    ("language", "line", "count"),
    [
        ("de", "alles schläft, einsam wacht", 6),
        ("es", "que me da su mano franca", 8),
        ("it", "Nel mezzo del cammin di nostra vita", 11),
        ("fr", "Au clair de la lune", 5),
        ("fi", "Minä olen täällä", 6),
        ("ru", "в душе моей угасла не совсем", 10),
        ("ko", "아리랑 아리랑 아라리요", 10),
        ("zh", "床前明月光", 5),
    ],
)
def test_lines_of_other_languages_are_counted(language: str, line: str, count: int) -> None:
    """Given a line whose syllables are known, as spoken, then they are counted."""
    assert count_syllables(line, language) == count


def test_syllables_of_an_unknown_language_are_not_told() -> None:
    """Given a language whose vowels are not known, then nothing is invented."""
    assert count_syllables("שלום עולם", "he") is None
    assert count_syllables("la la", None) is None


@pytest.mark.parametrize(
    ("verse", "scheme"),
    [
        (GRACE, "ABAB"),
        (TWINKLE, "AABB"),
        (MARY, "ABCB"),
        ("We walked in falling rain\nand waited for the train\nthe clock went on\nthe day was gone", "AABC"),
    ],
)
def test_rhyme_schemes_of_english_verse(verse: str, scheme: str) -> None:
    """Given verse, then lines that rhyme have the same letter; what rhymes to the eye only need not."""
    assert "".join(rhyme_scheme(verse.split("\n"), "en")) == scheme


@pytest.mark.parametrize(
    ("language", "scheme"), [("es", "ABBA"), ("it", "ABA"), ("pt", "ABCB"), ("nl", "AA"), ("fr", "ABCB")]
)
def test_rhyme_schemes_of_other_languages(language: str, scheme: str) -> None:
    """Given verse in another language, then its scheme is told."""
    assert "".join(rhyme_scheme(VERSES[language].split("\n"), language)) == scheme


@pytest.mark.parametrize(
    "pair",
    RHYMING.split(),
)
def test_words_that_rhyme_do(pair: str) -> None:
    """Given two words that rhyme however they are spelled, then they share a letter."""
    assert rhyme_scheme(pair.split("/"), "en") == ("A", "A")


@pytest.mark.parametrize("pair", NOT_RHYMING.split())
def test_words_that_do_not_rhyme_do_not(pair: str) -> None:
    """Given two words that only look or end somewhat alike, then they have two letters."""
    assert rhyme_scheme(pair.split("/"), "en") == ("A", "B")


def test_letters_go_on_behind_z() -> None:
    """Given many lines, then letters count on as columns do."""
    assert [letter(number) for number in (0, 25, 26, 51, 52, 702)] == ["A", "Z", "AA", "AZ", "BA", "AAA"]


def test_glad_and_sad_words_are_told_apart() -> None:
    """Given glad, sad and denied words, then the sign follows; other languages and no feeling are not guessed at."""
    glad, sure = sentiment_of("What a wonderful, happy day, I love this beautiful world", "en")
    sad, _ = sentiment_of("I cry alone, my heart is broken and full of pain", "en")
    denied, _ = sentiment_of("I am not happy", "en")
    assert glad is not None
    assert sad is not None
    assert denied is not None
    assert glad > 0.7
    assert sad < -0.7
    assert denied < 0
    assert sure > 0.5
    assert sentiment_of("Ich liebe dich", "de") == (None, 0.0)
    assert sentiment_of("the table is in the room", "en") == (None, 0.0)


def _sections(text: str) -> list[tuple[str | None, int, int]]:
    found = find_sections([Line(line) for line in text.split("\n")])
    return [(stanza.label, len(stanza.lines), stanza.like) for stanza in found]


CHORUS = "Sing with me again\nover hill and glen"


def test_the_stanza_that_comes_again_is_the_chorus() -> None:
    """Given verses with the same words between them, then these are the chorus, one small change notwithstanding."""
    text = f"{GRACE}\n\n{CHORUS}\n\n{TWINKLE}\n\n{CHORUS}, oh\n\n{MARY}"
    assert _sections(text) == [("verse", 4, 0), ("chorus", 2, 1), ("verse", 4, 2), ("chorus", 2, 1), ("verse", 4, 4)]


def test_headings_name_sections_and_are_not_sung() -> None:
    """Given headings in brackets or before a colon, then they label what follows."""
    text = f"[Verse 1]\n{GRACE}\n\nRefrain:\n{CHORUS}\n\n[Bridge]\nhere we are\nnot so far"
    assert _sections(text) == [("verse", 4, 0), ("chorus", 2, 1), ("bridge", 2, 2)]


def test_words_without_a_break_are_parted_where_they_come_again() -> None:
    """Given no empty line at all, then what is repeated is cut out as the chorus."""
    assert [label for label, *_ in _sections(f"{GRACE}\n{CHORUS}\n{TWINKLE}\n{CHORUS}")] == [
        "verse",
        "chorus",
        "verse",
        "chorus",
    ]


def test_a_long_pause_begins_a_section() -> None:
    """Given lines every 3 s with 12 s between two of them, then there are two sections."""
    lines = [Line(f"line {name}", at) for name, at in zip("abcdef", (0, 3, 6, 18, 21, 24), strict=True)]
    assert [len(stanza.lines) for stanza in find_sections(lines)] == [3, 3]


def test_nothing_has_no_sections() -> None:
    """Given no words, then there is no section."""
    assert find_sections([]) == []
    assert _sections("\n\n") == []
