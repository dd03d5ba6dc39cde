"""What is learnt of chords: the field's likelihood against all paths, weights that turn with the root, true chords."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from benchmarks.harmony.field import Sequences, fitted, likelihood
from benchmarks.harmony.material import true_chords
from benchmarks.harmony.pieces import piece
from benchmarks.hearing.truth import truth_of
from processors.harmony.chords import CHORDS, QUALITIES
from processors.harmony.labels import harmony
from processors.harmony.learnt import CHANGES, Weights, change_features, chord_scores, weights
from processors.harmony.pulse import Pulse
from processors.harmony.roman import kind_of
from processors.harmony.salience import FRAME_RATE_HZ

KINDS, ROWS = 1, 2
FEATURES = 12 * ROWS + 2


def known(lengths: tuple[int, ...], seed: int = 4) -> Sequences:
    """Random stretches of one kind of chord on twelve roots."""
    random = np.random.default_rng(seed)
    pieces = [
        (random.random((n, ROWS, 12)).astype(np.float32), random.random((n, CHANGES)), random.integers(0, 12, n))
        for n in lengths
    ]
    return Sequences.of(pieces)


def some_weights(seed: int = 5) -> Weights:
    """Random weights."""
    random = np.random.default_rng(seed)
    return Weights(random.normal(size=(FEATURES, KINDS)), random.normal(size=CHANGES))


def test_the_likelihood_is_that_of_the_true_path_among_all_paths():
    """Given five frames, when all 12^5 paths are summed one by one, then the likelihood is the same."""
    found, seen = some_weights(), known((5,))
    scores = np.stack([(seen.turned[root] @ found.tones)[:, 0] for root in range(12)], axis=1)
    costs = seen.changes @ found.changes
    paths = np.array(list(product(range(12), repeat=5)))
    moved = np.diff(paths, axis=1) != 0
    values = scores[np.arange(5), paths].sum(axis=1) - (moved * costs[1:]).sum(axis=1)
    true = scores[np.arange(5), seen.chords].sum() - ((np.diff(seen.chords) != 0) * costs[1:]).sum()
    expected = (true - np.logaddexp.reduce(values)) / 5
    assert likelihood(found, seen)[0] == pytest.approx(expected, abs=1e-4)


def test_the_gradient_is_the_slope_of_the_likelihood():
    """Given stretches of several lengths, when a weight moves, then the likelihood moves as the gradient says."""
    found, seen = some_weights(), known((7, 12, 5))
    _, by_tones, by_changes = likelihood(found, seen)
    step = 1e-2
    for place in ((0, 0), (5, 0), (17, 0), (FEATURES - 1, 0)):
        sides = []
        for sign in (1, -1):
            tones = found.tones.copy()
            tones[place] += sign * step
            sides.append(likelihood(Weights(tones, found.changes), seen)[0])
        assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(by_tones[place], abs=2e-3)
    for at in range(CHANGES):
        sides = []
        for sign in (1, -1):
            changes = found.changes.copy()
            changes[at] += sign * step
            sides.append(likelihood(Weights(found.tones, changes), seen)[0])
        assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(by_changes[at], abs=2e-3)


def test_learning_finds_the_root_that_was_marked():
    """Given rows in which the root alone is strong, when learnt, then the root is told of rows that were not seen."""
    random = np.random.default_rng(6)

    def stretch(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chords = np.repeat(random.integers(0, 12, count), 5)
        rows = 0.3 * random.random((len(chords), ROWS, 12))
        rows[np.arange(len(chords)), 0, chords] = 1
        return rows.astype(np.float32), np.ones((len(chords), CHANGES)), chords

    nothing = np.zeros((FEATURES, KINDS))
    found = fitted(Sequences.of([stretch(60)]), nothing, strength=1e-4, rounds=15, say=lambda _: None)
    rows, _, chords = stretch(20)
    assert (chord_scores(rows, found.tones.astype(np.float32)).argmax(axis=1) == chords).mean() > 0.95


def test_what_is_turned_scores_turned_chords():
    """Given rows and the same a fifth higher, when scored by the weights we ship, then scores are as much higher."""
    held = weights().tones
    rows = np.random.default_rng(7).random((3, (len(held) - 2) // 12, 12)).astype(np.float32)
    before = chord_scores(rows, held).reshape(3, len(QUALITIES), 12)
    after = chord_scores(np.roll(rows, 7, axis=2), held).reshape(3, len(QUALITIES), 12)
    assert np.allclose(np.roll(before, 7, axis=2), after, atol=1e-3)


def test_changes_are_cheapest_at_a_downbeat_with_an_onset_and_dearest_between():
    """Given a sure downbeat with an onset at 1 s, a beat at 2 s, then a change there costs less than between."""
    pulse = Pulse((1.0, 2.0), (1.0,), 1.0, (1.0,), (1.0,))
    costs = change_features(40, pulse) @ weights().changes
    downbeat, beat, between = (costs[round(at_s * FRAME_RATE_HZ)] for at_s in (1.0, 2.0, 1.5))
    assert downbeat < beat < between


def test_borders_move_to_the_onsets_that_are_near():
    """Given onsets at 1.05 s and 3 s, then a border at 1 s moves to the first, one at 2 s stays."""
    pulse = Pulse((), (), 0.0, (1.05, 3.0), (0.9, 0.9))
    assert pulse.placed(np.array([1.0, 2.0])).tolist() == [1.05, 2.0]


@pytest.mark.parametrize("index", range(6))
def test_a_piece_to_learn_from_sounds_as_its_chords_say(index):
    """Given a seeded piece, then chords follow each other without a gap, and what is held sounds their tones mostly."""
    sheet = piece(f"piece-{index:03d}", 3)
    assert all(a.end_q == b.start_q for a, b in zip(sheet.chords, sheet.chords[1:], strict=False))
    inside = total = 0.0
    for span in sheet.chords:
        tones = set(harmony(span.label).tones)
        for note in sheet.notes:
            shared = min(note.end_q, span.end_q) - max(note.onset_q, span.start_q)
            if shared > 0 and sheet.programs[note.part] >= 0:
                total += shared
                inside += shared * (note.pitch % 12 in tones)
    assert inside / total > 0.75
    assert piece(f"piece-{index:03d}", 3) == sheet


def test_true_chords_are_those_of_the_truth():
    """Given a piece's truth, then the chord of each frame is the one that its label names."""
    truth = truth_of(piece("piece-000", 3))
    found = true_chords(truth, round(truth.duration_s * FRAME_RATE_HZ))
    for start_s, end_s, label in truth.chords[:12]:
        chord = harmony(label)
        at = int(0.5 * (start_s + end_s) * FRAME_RATE_HZ)
        assert CHORDS[found[at]] == (chord.root, kind_of(chord))
