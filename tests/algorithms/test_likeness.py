"""Likeness: a piece is near to itself in another key, at another pace and by other instruments."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from notes_material import notes

from processors.audio.signal import Signal
from processors.likeness.embedding import embed
from processors.likeness.grid import extended, means_between, paced
from processors.likeness.intervals import CHORD_BEATS, SECONDS, chord_changes, following
from processors.likeness.space import DIMENSIONS, described, learnt
from processors.synthesis.render import RATE_HZ, play

PIECES = 5
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))


def piece(seed: int, *, up: int = 0, bpm: float = 108.0, programs: tuple[int, int] = (0, 33)) -> Signal:
    """Eight bars of a tune over a bass that repeats every four bars, by two instruments."""
    chance, beat_s = random.Random(seed), 60 / bpm
    scale, roots = chance.choice(_SCALES), [chance.randrange(7) for _ in range(4)]
    tune = [(beat, chance.choice((1, 1, 2)), chance.randrange(9)) for beat in range(16) if chance.random() < 0.8]
    rows = []
    for bar in range(8):
        root = 36 + up + scale[roots[bar % 4]]
        rows += [((4 * bar + at) * beat_s, (4 * bar + at + 1.8) * beat_s, root, 90, 1, programs[1]) for at in (0, 2)]
        triad = [scale[(roots[bar % 4] + step) % 7] for step in (0, 2, 4)]
        rows += [(4 * bar * beat_s, (4 * bar + 3.8) * beat_s, 48 + up + tone, 60, 2, programs[0]) for tone in triad]
    for turn in (0, 16):
        rows += [
            (
                (turn + at) * beat_s,
                (turn + at + length) * beat_s,
                60 + up + 12 * (step // 7) + scale[step % 7],
                96,
                0,
                programs[0],
            )
            for at, length, step in tune
        ]
    return Signal(play(notes(*rows)), RATE_HZ)


@cache
def at_first() -> np.ndarray:
    """Embeddings of all pieces, a row each."""
    return np.stack([embed(piece(seed)) for seed in range(PIECES)])


@pytest.mark.parametrize("seed", range(PIECES))
def test_a_piece_is_found_in_another_key_pace_and_sound(seed):
    """Given pieces, when one is played a third higher, 6 % faster and by others, then it is nearest to itself."""
    other = embed(piece(seed, up=4, bpm=114.5, programs=(19, 38)))
    assert int(np.argmax(at_first() @ other)) == seed


def test_the_same_sound_is_nearer_than_the_same_piece_by_others():
    """Given a piece twice, once by other instruments, when embedded, then it is nearer to itself as it was."""
    other = embed(piece(0, programs=(56, 38)))
    assert at_first()[0] @ other < at_first()[0] @ at_first()[0] - 0.01


@pytest.mark.parametrize("up", [1, 5, 11])
def test_a_transposition_changes_nothing_of_what_follows_what(up):
    """Given pitch classes over time, when all are turned alike, then what follows what is the same."""
    rows = np.random.default_rng(up).random((40, 12)) ** 4
    turned = np.roll(rows, up, axis=1)
    for told in (lambda part: following(part, part, SECONDS), lambda part: chord_changes(part, CHORD_BEATS)):
        np.testing.assert_allclose(told(turned), told(rows), atol=1e-12)


def test_what_follows_what_is_told_by_interval():
    """Given C, then G two steps later and nothing else, then a fifth up follows after two steps."""
    rows = np.zeros((6, 12))
    rows[0, 0] = rows[2, 7] = 1
    found = following(rows, rows, [(lag,) for lag in range(4)]).reshape(4, 12)
    assert np.argwhere(found > 1e-9).tolist() == [[0, 0], [2, 7]]
    assert found[2, 7] == pytest.approx(1 / 4)


@pytest.mark.parametrize("bpm", [41.0, 60.0, 74.0, 100.0, 149.0, 151.0, 220.0])
def test_beats_are_brought_into_one_octave_of_tempo(bpm):
    """Given beats at any tempo, when paced, then they are 0.4 to 0.8 s apart and some of them are the same."""
    beats_s = 1 + np.arange(24) * 60 / bpm
    found = paced(beats_s, 0.4)
    assert 0.4 <= np.median(np.diff(found)) < 0.8
    assert set(np.round(found, 9)) & set(np.round(beats_s, 9))


def test_beats_go_on_to_both_ends():
    """Given beats in the middle of a sound, when extended, then they go on evenly to its beginning and its end."""
    found = extended(3 + 0.5 * np.arange(8), 10.0)
    np.testing.assert_allclose(found, np.arange(21) * 0.5, atol=1e-9)


def test_means_between_borders_are_integrals():
    """Given rows, when averaged between borders that cut them, then each counts by how much of it lies inside."""
    found = means_between(np.array([0.0, 1.0, 5.0]), np.array([-0.5, 0.5, 1.0, 2.0]))
    np.testing.assert_allclose(found, [0, 1, 3])


def test_a_description_has_as_many_numbers_as_were_learnt():
    """Given a sound, when described, then the learnt space has a place for each number, and the vector unit length."""
    signal = piece(1)
    assert described(signal).piece.shape == learnt().mean.shape
    assert described(signal).sound.shape == learnt().sound_mean.shape
    assert embed(signal).shape == (DIMENSIONS,)
    assert np.linalg.norm(embed(signal)) == pytest.approx(1, abs=1e-5)
