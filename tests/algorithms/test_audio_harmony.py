"""Key and chords against progressions whose names are known."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest
from audio_material import analyse, chord, clicks, load_loop, note, sine

from processors.audio.signal import Signal
from processors.harmony.analysis import analyse_harmony, estimate_chords, estimate_key
from processors.harmony.chords import best_path
from processors.harmony.labels import PITCH_CLASSES, harmony

CADENCES = {
    "major": [(0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)],
    "minor": [(0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7)],
}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0), "minor": (0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0)}
CHORDS = {"maj": (0, 4, 7), "min": (0, 3, 7), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "min7": (0, 3, 7, 10)}


def signal_of(parts: list[np.ndarray]) -> Signal:
    """A signal of parts after each other."""
    return Signal(np.concatenate(parts)[None].astype(np.float32), 44_100)


@pytest.mark.parametrize("mode", CADENCES)
@pytest.mark.parametrize("tonic", range(12))
def test_a_cadence_tells_its_key(tonic, mode):
    """Given I-IV-V-I, when the key is estimated, then it is its tonic and mode."""
    parts = [
        chord([48 + tonic + each for each in degrees] + [36 + tonic + degrees[0]], 0.8) for degrees in CADENCES[mode]
    ]
    found = analyse(estimate_key, signal_of(parts))
    assert (found.tonic, found.mode) == (PITCH_CLASSES[tonic], mode)
    assert found.confidence > 0.3


@pytest.mark.parametrize("mode", SCALES)
@pytest.mark.parametrize("tonic", range(12))
def test_a_scale_tells_its_key(tonic, mode):
    """Given a scale, up and back by its triad, when the key is estimated, then it is its tonic and mode."""
    found = analyse(estimate_key, signal_of([note(60 + tonic + degree, 0.4) for degree in SCALES[mode]]))
    assert (found.tonic, found.mode) == (PITCH_CLASSES[tonic], mode)


def test_the_key_does_not_depend_on_the_tuning():
    """Given a cadence 35 cents above A440, when the key is estimated, then it is the same."""
    parts = [chord([48.35 + each for each in degrees], 0.8) for degrees in CADENCES["major"]]
    found = analyse(estimate_key, signal_of(parts))
    assert (found.tonic, found.mode) == ("C", "major")


def test_one_tone_has_no_key_and_no_chord():
    """Given a single sine, which is in many keys and chords, when analysed, then there is neither."""
    signal = Signal(sine(440, 3), 48_000)
    found = analyse(estimate_key, signal)
    assert (found.tonic, found.mode, found.confidence) == (None, None, 0)
    assert {each.label for each in analyse(estimate_chords, signal).chords} == {"N"}


@pytest.mark.parametrize("decay", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("lowest", [48, 60])
@pytest.mark.parametrize("quality", CHORDS)
def test_a_progression_tells_its_chords(quality, lowest, decay):
    """Given roots by fourths in one quality, when chords are estimated, then mir_eval scores at least 0.85."""
    roots = [(5 * step) % 12 for step in range(12)]
    parts = [chord([lowest + root + each for each in CHORDS[quality]], 1.0, decay=decay) for root in roots]
    found = analyse(estimate_chords, signal_of(parts)).chords
    labels = [f"{PITCH_CLASSES[root]}:{quality}" for root in roots]
    expected = np.array([[step, step + 1.0] for step in range(12)])
    intervals = np.array([[each.start_s, each.end_s] for each in found])
    scores = mir_eval.chord.evaluate(expected, labels, intervals, [each.label for each in found])
    assert scores["sevenths"] >= 0.85


def test_chords_are_heard_through_drums():
    """Given a progression with a click on each beat, when chords are estimated, then they are the progression."""
    parts = [chord([48 + each for each in degrees], 2.0) for degrees in CADENCES["major"]]
    signal = signal_of([np.concatenate(parts) + 0.5 * clicks(120, 8)[0][0]])
    found = [each.label for each in analyse(estimate_chords, signal).chords]
    assert found == ["C:maj", "F:maj", "G:maj", "C:maj"]


def test_a_pause_is_no_chord():
    """Given a chord, a pause and a chord, when chords are estimated, then the pause is N and lies where it is."""
    found = analyse(
        estimate_chords, signal_of([chord([57, 60, 64], 2), np.zeros(88_200), chord([55, 59, 62], 2)])
    ).chords
    assert [each.label for each in found] == ["A:min", "N", "G:maj"]
    assert found[1].start_s == pytest.approx(2, abs=0.25)
    assert found[1].end_s == pytest.approx(4, abs=0.25)


def test_the_best_path_is_the_best_of_all_paths():
    """Given few frames and states, when the path is found, then no other path scores higher (by trying all)."""
    random = np.random.default_rng(3)
    likeness, changes, entering = random.random((6, 3)), 0.4 * random.random(6), 0.3 * random.random((2, 3))
    rows = np.array([0, 0, 1, 0, 1, 1])

    def score(path: tuple[int, ...]) -> float:
        entered = [0, *(step for step in range(1, 6) if path[step] != path[step - 1])]
        paid = sum(changes[step] * (step > 0) + entering[rows[step], path[step]] for step in entered)
        return sum(likeness[step, state] for step, state in enumerate(path)) - paid

    every = [tuple(path) for path in np.ndindex(*(3,) * 6)]
    assert score(tuple(best_path(likeness, changes, entering, rows))) == pytest.approx(max(map(score, every)))


@pytest.mark.parametrize("cents", [-40, -15, 0, 25, 45])
def test_the_tuning_is_told_in_cents(cents):
    """Given a cadence some cents off A440, when the key is estimated, then it is off by that, within 3 cents."""
    parts = [chord([48 + cents / 100 + each for each in degrees], 0.8) for degrees in CADENCES["major"]]
    assert analyse(estimate_key, signal_of(parts)).tuning_cents == pytest.approx(cents, abs=3)


@pytest.mark.parametrize(("bass", "label"), [(36, "C:maj"), (40, "C:maj/3"), (43, "C:maj/5")])
def test_an_inversion_is_told_by_its_bass(bass, label):
    """Given a triad over each of its tones, when chords are estimated, then the label says which lies below."""
    found = analyse(estimate_chords, signal_of([chord([bass, 60, 64, 67], 3)])).chords
    assert [each.label for each in found] == [label]


def song(semitones: int = 0, *, gain: float = 1.0, lead_s: float = 0.0) -> Signal:
    """Eight bars with a seventh and an inversion, each chord 1.2 s."""
    bars = [(48, 64, 67, 72), (53, 60, 65, 69), (50, 62, 65, 69), (43, 62, 65, 71)] * 2 + [(48, 60, 64, 67)]
    parts = [gain * chord([pitch + semitones for pitch in pitches], 1.2) for pitches in bars]
    return signal_of([np.zeros(round(lead_s * 44_100)), *parts])


@pytest.mark.parametrize("semitones", [1, 3, 6, 10])
def test_what_is_transposed_has_its_chords_and_key_transposed(semitones):
    """Given a song some semitones higher, then its chords and key are as much higher, and its numerals the same."""
    one, other = song(), song(semitones)
    for before, after in zip(analyse(estimate_chords, one).chords, analyse(estimate_chords, other).chords, strict=True):
        low, high = harmony(before.label), harmony(after.label)
        assert (low.root + semitones) % 12 == high.root
        assert low.intervals == high.intervals
    key, moved = analyse(estimate_key, one), analyse(estimate_key, other)
    assert (PITCH_CLASSES.index(key.tonic) + semitones) % 12 == PITCH_CLASSES.index(moved.tonic)
    assert analyse(analyse_harmony, one).numerals == analyse(analyse_harmony, other).numerals


def test_level_changes_nothing_and_a_later_start_moves_all():
    """Given a song 26 dB down, then chords and key are the same; given it 2 s later, then its chords come 2 s later."""
    usual = analyse(estimate_chords, song())
    assert analyse(estimate_chords, song(gain=0.05)).line.labels == usual.line.labels
    late = analyse(estimate_chords, song(lead_s=2.0)).chords
    assert late[0].label == "N"
    assert [each.label for each in late[1:]] == list(usual.line.labels)
    assert [each.start_s - 2 for each in late[2:]] == pytest.approx(
        [each.start_s for each in usual.chords[1:]], abs=0.15
    )


def test_a_modulation_is_told_by_the_spans_of_keys():
    """Given two cadences in C and then two in E, then the key goes from the one to the other where they meet."""
    degrees = CADENCES["major"] * 2
    parts = [chord([48 + up + each for each in row] + [36 + up + row[0]], 0.9) for up in (0, 4) for row in degrees]
    spans = analyse(estimate_key, signal_of(parts)).spans
    assert [(span.tonic, span.mode) for span in spans] == [("C", "major"), ("E", "major")]
    assert spans[1].start_s == pytest.approx(7.2, abs=1.0)


def test_harmony_tells_numerals_functions_cadence_and_what_fits():
    """Given II-V-I with sevenths in F, held on I, then that is what is said, and G fits the tonic better than F#."""
    rows = [((43, 58, 62, 65), 1.0), ((48, 58, 64, 67), 1.0), ((41, 60, 65, 69), 1.0)] * 2
    found = analyse(
        analyse_harmony, signal_of([chord(list(pitches), length) for pitches, length in [*rows, ((41, 60, 65, 69), 2)]])
    )
    assert found.numerals[:3] == ("ii7", "V7", "I")
    assert found.functions[:3] == ("S", "D", "T")
    assert [(each.kind, each.chord) for each in found.cadences][-1:] == [("authentic", len(found.numerals) - 1)]
    assert found.fits[-1][5] == found.fits[-1][9] == found.fits[-1][0] == "9"
    assert found.fits[-1][7] > found.fits[-1][6]


@pytest.mark.parametrize("name", ["amen", "amen_full", "tabla"])
def test_drums_have_no_chords_and_no_key(name):
    """Given a recorded loop of drums alone, when analysed, then there is neither chord nor key nor numeral."""
    signal = load_loop(name)
    assert {each.label for each in analyse(estimate_chords, signal).chords} == {"N"}
    assert analyse(estimate_key, signal).tonic is None
    assert analyse(analyse_harmony, signal).numerals == ()
