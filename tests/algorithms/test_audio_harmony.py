"""Key and chords against progressions whose names are known."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest
from audio_material import analyse, chord, clicks, note, sine

from processors.audio.chords import best_path, estimate_chords
from processors.audio.chroma import PITCH_CLASSES
from processors.audio.key import estimate_key
from processors.audio.signal import Signal

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


def test_one_tone_has_no_key():
    """Given a single sine, which is in many keys, when the key is estimated, then there is none."""
    found = analyse(estimate_key, Signal(sine(440, 3), 48_000))
    assert (found.tonic, found.mode, found.confidence) == (None, None, 0)


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
    """Given few steps and states, when the path is found, then no other path scores higher (by trying all)."""
    likeness = np.random.default_rng(3).random((6, 3))

    def score(path: tuple[int, ...]) -> float:
        return sum(likeness[step, state] for step, state in enumerate(path)) - 0.3 * np.count_nonzero(np.diff(path))

    every = [tuple(path) for path in np.ndindex(*(3,) * 6)]
    assert score(tuple(best_path(likeness, change_cost=0.3))) == pytest.approx(max(map(score, every)))
