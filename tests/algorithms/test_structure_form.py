"""Form: sections where they are, alike where they are the same music; nothing where there is none."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from audio_material import analyse, noise, note
from structure_material import SECTION_S, borders_s, piece, sounded

from processors.audio.signal import Signal
from processors.structure.analysis import analyse_structure, structure_of, structured
from processors.structure.grid import MOST_UNITS, even_grid, gathered, means
from processors.structure.groups import grouped, letters, names
from processors.structure.parting import parted, section_lengths
from processors.synthesis.timbres import RATE_HZ

NEAR_S = 0.5


def found_borders(signal: Signal) -> list[float]:
    """Where sections begin, and where the last one ends."""
    found = signal.once(structure_of).sections
    return [*(one.start_s for one in found), found[-1].end_s]


def form_of(signal: Signal) -> str:
    """The labels without spaces."""
    return (signal.once(structure_of).form or "").replace(" ", "")


@pytest.mark.parametrize("form", ["ABA", "AABB", "ABCAB"])
def test_sections_begin_where_they_do_and_the_same_music_has_the_same_letter(form: str) -> None:
    """Given sections of eight bars, when heard, then each border is within half a second, and the form is told."""
    signal = piece(form)
    assert form_of(signal) == form
    assert found_borders(signal)[:-1] == pytest.approx(borders_s(form)[:-1], abs=NEAR_S)
    told = signal.once(structure_of)
    assert 0.2 < told.confidence <= 1


def test_a_repeat_in_another_key_is_the_same_music_so_much_higher() -> None:
    """Given A B A with the last three semitones higher, then its letter is A, and by how much it is higher is told."""
    found = piece("ABA", up=(0, 0, 3)).once(structure_of).sections
    assert [(one.label, one.semitones) for one in found] == [("A", 0), ("B", 0), ("A", 3)]


def test_what_comes_later_is_told_later() -> None:
    """Given three seconds of silence before a piece, then every border is three seconds later."""
    assert found_borders(piece("ABA", lead_s=3.0)) == pytest.approx(
        [border + 3 for border in found_borders(piece("ABA"))], abs=0.1
    )
    assert form_of(piece("ABA", lead_s=3.0)) == "ABA"


def test_how_loud_a_piece_is_changes_nothing() -> None:
    """Given a piece 14 dB softer, then its sections are the same."""
    softer = Signal(sounded("ABA") * np.float32(0.2), RATE_HZ)
    assert found_borders(softer) == pytest.approx(found_borders(piece("ABA")), abs=0.05)
    assert form_of(softer) == "ABA"


def test_form_is_heard_without_beats() -> None:
    """Given a piece whose bars are not known, when laid on half seconds, then the borders are within a second."""
    found = structured(piece("ABCAB"), even_grid(0.0, 5 * SECTION_S))
    assert [one.start_s for one in found.sections] == pytest.approx(borders_s("ABCAB")[:-1], abs=1)
    assert [one.label for one in found.sections] == list("ABCAB")


@pytest.mark.parametrize(
    "samples",
    [np.zeros((1, 20 * RATE_HZ)), np.full((1, 10 * RATE_HZ), 0.5), noise(20), np.full((1, 1), 0.5)],
    ids=["silence", "DC", "noise", "one sample"],
)
def test_nothing_is_parted_that_has_no_parts(samples: np.ndarray) -> None:
    """Given what has no form, when analysed, then there is no section and no phrase, and the confidence is 0."""
    found = analyse(analyse_structure, Signal(samples.astype(np.float32), RATE_HZ))
    assert (found.sections, found.phrases, found.form, found.confidence) == ((), (), None, 0)


@pytest.mark.parametrize("heard", [0.4, 0.5, 0.6, 1.0, 1.1])
def test_a_sound_of_a_moment_has_no_parts(heard: float) -> None:
    """Given two notes that are over in about a second, silence behind, when analysed, then there is no section."""
    samples = np.zeros(3 * RATE_HZ)
    for at_s in (0.0, heard / 2):
        tone = note(60, heard / 2)
        samples[round(at_s * RATE_HZ) :][: len(tone)] += tone
    found = analyse(analyse_structure, Signal(samples[None].astype(np.float32), RATE_HZ))
    assert found.sections == ()


def test_sections_and_phrases_follow_one_another() -> None:
    """Given a piece, when analysed, then sections have no gap, phrases no overlap, and counts are told."""
    found = analyse(analyse_structure, piece("ABCAB"))
    assert all(one.end_s == after.start_s for one, after in pairwise(found.sections))
    assert all(one.start_s < one.end_s <= after.start_s for one, after in pairwise(found.phrases))
    assert (found.section_count, found.phrase_count) == (len(found.sections), len(found.phrases))
    starts = {phrase.start_s for phrase in found.phrases}
    assert {section.start_s for section in found.sections} <= starts


def test_phrases_are_parted_by_rests() -> None:
    """Given a tune alone with two seconds of rest after each of five phrases, then each is told as one phrase."""
    chance, part = np.random.default_rng(7), np.zeros(40 * RATE_HZ)
    known = []
    for phrase in range(5):
        for step in range(12):
            sound = note(60 + int(chance.integers(0, 12)), 0.5)
            part[round((phrase * 7.5 + step * 0.45) * RATE_HZ) :][: len(sound)] += sound
        known.append(phrase * 7.5)
    found = Signal(part[None], RATE_HZ).once(structure_of).phrases
    assert [phrase.start_s for phrase in found] == pytest.approx(known, abs=0.3)


def test_parts_are_as_probable_as_all_ways_to_part_tell() -> None:
    """Given odds and lengths, when parted, then borders and probabilities are those of trying all ways."""
    chance = np.random.default_rng(3)
    odds, law = chance.normal(0, 2, 9), np.log(chance.dirichlet(np.ones(6)))
    ways = [(0, *inner, 9) for count in range(9) for inner in combinations(range(1, 9), count)]
    ways = [way for way in ways if max(b - a for a, b in pairwise(way)) <= len(law)]
    scores = np.array([sum(law[b - a - 1] for a, b in pairwise(way)) + odds[list(way[1:-1])].sum() for way in ways])
    shares = np.exp(scores - np.logaddexp.reduce(scores))
    found = parted(odds, law)
    assert tuple(found.borders) == ways[int(scores.argmax())]
    for (start, end), probability in zip(pairwise(found.borders.tolist()), found.probabilities, strict=True):
        having = [share for way, share in zip(ways, shares, strict=True) if (start, end) in pairwise(way)]
        assert probability == pytest.approx(sum(having))


def test_sections_of_eight_bars_are_the_commonest() -> None:
    """Given bars of two seconds, then eight are likelier than four and sixteen, those than seven; all make one."""
    odds = section_lengths(64, unit_s=2.0, bars=1)
    assert odds[7] > max(odds[3], odds[15])
    assert min(odds[3], odds[15]) > odds[6]
    assert np.exp(odds).sum() == pytest.approx(1)


def test_an_hour_is_parted_as_a_minute_is() -> None:
    """Given faint signs of a border every eight bars, when there are thirty sections or 250, then all are told."""
    for sections in (30, 250):
        odds = np.where(np.arange(8 * sections) % 8 == 0, 0.8, -2.9)
        found = parted(odds, section_lengths(len(odds), unit_s=2.0, bars=1))
        assert found.borders.tolist() == list(range(0, len(odds) + 1, 8))


@pytest.mark.parametrize("count", [3, MOST_UNITS, MOST_UNITS + 1, 50_001])
def test_however_long_a_sound_is_its_units_are_bounded(count: int) -> None:
    """Given edges of any number, when gathered, then units are few enough, and all lasts from the first to the last."""
    edges_s = np.arange(count) * 0.5
    found, together = gathered(edges_s)
    assert 1 <= len(found) - 1 <= MOST_UNITS
    assert (found[0], found[-1]) == (edges_s[0], edges_s[-1])
    assert (np.diff(found) > 0).all()
    assert np.diff(found).max() <= together * 0.5


def test_units_are_described_by_the_mean_of_their_frames() -> None:
    """Given frames that count up at 10 Hz, then what lies between edges is their mean, and of one frame at least."""
    frames = np.arange(40.0)[:, None] * [1, 2]
    found = means(frames, 10.0, np.array([0.0, 1.0, 1.5, 1.52, 4.0]))
    assert found[:, 0] == pytest.approx([4.5, 12, 15, 27])
    assert found[:, 1] == pytest.approx(2 * found[:, 0])


def test_groups_are_of_what_is_alike() -> None:
    """Given how probably sections are the same, then they are grouped, numbered as they come."""
    same = np.eye(4)
    same[0, 2] = same[2, 0] = 0.9
    assert grouped(same).tolist() == [0, 1, 0, 2]
    assert grouped(np.ones((1, 1))).tolist() == [0]
    assert [letters(number) for number in (0, 25, 26, 51, 52, 702)] == ["A", "Z", "AA", "AZ", "BA", "AAA"]


def test_sections_are_named_only_where_there_is_reason_to() -> None:
    """Given lengths, levels and repeats, then what is clearly an intro, a chorus or an outro is called so, no other."""
    song = names([0, 1, 2, 1, 2, 3], [8, 16, 16, 16, 16, 8], [-20, -15, -12, -15, -12, -22])
    assert song == ["intro", "verse", "chorus", "verse", "chorus", "outro"]
    level = names([0, 1, 0, 1], [16] * 4, [-15, -15, -15, -15])
    assert level == [None] * 4
    assert names([0, 1], [8, 16], [-20, -10]) == [None, None]
    early, late = ([0, 9, 1, 0, 1], [0, 1, 9, 0, 1])
    levels = {0: -15, 1: -12, 9: -15}
    told = [names(form, [16] * 5, [levels[group] for group in form]) for form in (early, late)]
    assert ["bridge" in each for each in told] == [False, True]


def test_a_loop_is_one_section() -> None:
    """Given four bars, then there is one section, from the first sound to the last."""
    four = Signal(sounded("A")[:, : round(SECTION_S / 2 * RATE_HZ)], RATE_HZ)
    assert form_of(four) == "A"
    assert found_borders(four) == pytest.approx([0, SECTION_S / 2], abs=0.2)
