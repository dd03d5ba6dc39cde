"""Roman numerals, local keys, cadences and what fits, from chords that are known, against textbooks and analysts."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from processors.harmony.cadences import find_cadences
from processors.harmony.context import fits
from processors.harmony.keys import keys_of_chords
from processors.harmony.labels import Harmony, harmony
from processors.harmony.roman import Key, numerals, of_labels

C_MAJOR, A_MINOR = Key(0, "major"), Key(9, "minor")
TEXTBOOK = {
    "C:maj F:maj G:7 C:maj": (C_MAJOR, "I IV V7 I"),
    "C:maj D:min7/b3 G:7/3 C:maj/3": (C_MAJOR, "I ii6/5 V6/5 I6"),
    "C:maj A:7 D:min7 G:maj": (C_MAJOR, "I V7/ii ii7 V"),
    "C:maj F#:dim7 G:maj/5 C:maj": (C_MAJOR, "I viio7/V V6/4 I"),
    "C:maj F:min Bb:maj C:maj": (C_MAJOR, "I iv bVII I"),
    "C:maj7 B:hdim7 E:7 A:min": (C_MAJOR, "I7 viiø7 V7/vi vi"),
    "A:min B:hdim7/b3 E:7 F:maj": (A_MINOR, "i iiø6/5 V7 VI"),
    "A:min Ab:dim7 A:min/5 E:maj": (A_MINOR, "i viio7 i6/4 V"),
    "A:min Bb:maj/3 E:7/b7 A:min/b3": (A_MINOR, "i bII6 V2 i6"),
    "A:min G:maj C:maj A:maj": (A_MINOR, "i VII III I"),
}
CHORALES = {"001": "269", "002": "347", "004": "86.6", "006": "281", "012": "65.2", "020": "302"}


@pytest.mark.parametrize("labels", TEXTBOOK)
def test_chords_are_named_as_in_textbooks(labels):
    """Given a progression in a key, when named, then each chord has the numeral and figures that textbooks give it."""
    key, expected = TEXTBOOK[labels]
    found = of_labels(labels.split(), [key] * 4)
    assert " ".join(each.figure for each in found) == expected


@pytest.mark.parametrize("semitones", range(12))
def test_numerals_do_not_depend_on_the_key(semitones):
    """Given a progression and its key moved alike, when named, then the numerals are the same."""
    labels = ["C:maj", "A:7/3", "D:min7", "G:7", "E:hdim7", "A:7", "D:min", "C:maj/5", "G:maj", "C:maj"]
    chords = [harmony(label) for label in labels]
    keys = [C_MAJOR] * len(chords)
    moved = [
        Harmony((c.root + semitones) % 12, tuple((t + semitones) % 12 for t in c.tones), (c.bass + semitones) % 12)
        for c in chords
    ]
    assert numerals(moved, [Key(semitones, "major")] * len(chords)) == numerals(chords, keys)


def test_an_analysts_chords_get_the_analysts_numerals():
    """Given chords of six chorales as an analyst read them, then seven of ten get the analyst's key and numeral.

    Local keys are found from the chords alone; time counts, not chords. Source: music21's romanText corpus.
    """
    agreed = total = 0.0
    for number in CHORALES:
        chords, truth, lengths = _analysed(number)
        keys = keys_of_chords(chords, lengths)
        found = numerals(chords, keys)
        for key, numeral, (true_key, figure), length in zip(keys, found, truth, lengths, strict=True):
            agreed += length * (key == true_key and numeral.figure == figure)
            total += length
    assert agreed / total >= 0.7


def _analysed(number: str) -> tuple[list[Harmony], list[tuple[Key, str]], np.ndarray]:
    """Chords, keys with figures, and lengths in quarters of one analysed chorale."""
    from music21 import corpus

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        analysis = corpus.parse(f"bach/choraleAnalyses/riemenschneider{number}.rntxt")
    found = list(analysis.recurse().getElementsByClass("RomanNumeral"))
    read = sorted(((float(rn.getOffsetInHierarchy(analysis)), rn) for rn in found), key=lambda pair: pair[0])
    ends = [place for place, _ in read[1:]] + [read[-1][0] + 1]
    rows = [(rn, end - place) for (place, rn), end in zip(read, ends, strict=True) if end > place]
    chords = [_chord(rn.root().pitchClass, rn.bass().pitchClass, {p.pitchClass for p in rn.pitches}) for rn, _ in rows]
    truth = [(Key(rn.key.tonic.pitchClass, rn.key.mode), rn.figure) for rn, _ in rows]
    return chords, truth, np.array([length for _, length in rows])


def _chord(root: int, bass: int, tones: set[int]) -> Harmony:
    return Harmony(root, tuple(sorted(tones, key=lambda tone: (tone - root) % 12)), bass)


CLOSES = {
    "F:maj G:7 C:maj": ["authentic"],
    "C:maj D:min G:maj": ["half"],
    "C:maj F:maj C:maj": ["plagal"],
    "F:maj G:7 A:min": ["deceptive"],
    "C:maj A:min E:min": [],
}


@pytest.mark.parametrize("labels", CLOSES)
def test_a_phrase_closes_as_its_last_chords_say(labels):
    """Given three chords, the last held, when cadences are sought, then there is the one that textbooks name."""
    found = find_cadences(of_labels(labels.split(), [C_MAJOR] * 3), [(0, 1), (1, 2), (2, 5)], downbeats_s=[0, 2])
    assert [each.kind for each in found] == CLOSES[labels]
    assert all((each.at_s, each.chord) == (2, 2) for each in found)


def test_a_dominant_passed_through_is_no_cadence():
    """Given V-I in the middle of even chords, without rest or phrase's end, when sought, then there is no cadence."""
    labels = ["C:maj", "G:maj", "C:maj", "D:min", "E:min", "F:maj"]
    spans = [(float(at), at + 1.0) for at in range(6)]
    found = find_cadences(of_labels(labels, [C_MAJOR] * 6), spans)
    assert [each for each in found if each.chord < 5] == []


def test_what_fits_is_chord_tones_then_tensions_then_the_rest():
    """Given the dominant seventh in C, then its tones fit best, D-A as tensions, C less, and F# hardly."""
    weights = fits(harmony("G:7"), C_MAJOR)
    assert {weights[tone] for tone in (7, 11, 2, 5)} == {9}
    assert weights[9] > weights[0] > weights[6]


def test_a_chord_bends_the_scale_it_is_played_in():
    """Given A7 in C major, then C sharp belongs to it and C does not fit any more."""
    weights = fits(harmony("A:7"), C_MAJOR)
    assert weights[1] == 9
    assert weights[0] < weights[2]
