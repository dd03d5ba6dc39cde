"""Chords to voicings and bass notes that move little.

Source: close voicing and least motion as taught in any keyboard harmony.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise, permutations

from domain.values import Chord
from processors.harmony.labels import Harmony, harmony, pitch_class

LOWEST_BASS, HIGHEST_BASS = 28, 47
LOWEST, HIGHEST, CENTRE = 52, 77, 64


def tonic_harmony(tonic: str | None, mode: str | None) -> Harmony:
    """The tonic triad of a key; C major where none is known."""
    root = pitch_class(tonic) if tonic else 0
    return Harmony(root, (root, (root + (3 if mode == "minor" else 4)) % 12, (root + 7) % 12), root)


def harmonies(chords: Iterable[Chord], beats_s: list[float], *, otherwise: Harmony) -> list[Harmony]:
    """The harmony of each beat but the last, which only ends the one before it: the chord heard longest in it.

    Where there is no chord the one before goes on, at the beginning the first to come; without any, `otherwise`.
    """
    heard = [(chord.start_s, chord.end_s, harmony(chord.label)) for chord in chords]
    known = [(start, end, found) for start, end, found in heard if found is not None and end > start]
    last = known[0][2] if known else otherwise
    beats: list[Harmony] = []
    first = 0
    for begin, end in pairwise(beats_s):
        while first < len(known) and known[first][1] <= begin:
            first += 1
        longest = 0.0
        for at in range(first, len(known)):
            if known[at][0] >= end:
                break
            shared = min(end, known[at][1]) - max(begin, known[at][0])
            if shared > longest + 1e-9:
                longest, last = shared, known[at][2]
        beats.append(last)
    return beats


def bass_near(tone: int, before: int) -> int:
    """The pitch of a tone within the bass's range that is nearest to the pitch before; the lower of two."""
    pitches = range(LOWEST_BASS + (tone - LOWEST_BASS) % 12, HIGHEST_BASS + 1, 12)
    return min(pitches, key=lambda pitch: (abs(pitch - before), pitch))


def voicing(chord: Harmony, before: tuple[int, ...]) -> tuple[int, ...]:
    """Pitches of a chord in close position, at most four, that move least from those before; all in range."""
    tones = chord.tones if len(chord.tones) <= 4 else (*chord.tones[1:2], *chord.tones[3:], chord.tones[0])[:4]
    return min(_close(tuple(dict.fromkeys(tones))), key=lambda pitches: (_motion(before, pitches), pitches))


def _close(tones: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Every voicing within range that has each tone once and spans less than an octave."""
    found = set()
    for order in permutations(tones):
        for low in range(LOWEST + (order[0] - LOWEST) % 12, HIGHEST + 1, 12):
            pitches = [low]
            for tone in order[1:]:
                pitches.append(pitches[-1] + ((tone - pitches[-1]) % 12 or 12))
            if pitches[-1] <= HIGHEST and pitches[-1] - low < 12:
                found.add(tuple(pitches))
    return sorted(found)


def _motion(before: tuple[int, ...], after: tuple[int, ...]) -> float:
    """Semitones moved by the nearest voices, both ways, and a little for leaving the centre of the range."""
    middle = abs(sum(after) / len(after) - CENTRE)
    if not before:
        return middle
    there = sum(min(abs(pitch - other) for other in after) for pitch in before)
    back = sum(min(abs(pitch - other) for other in before) for pitch in after)
    return there + back + 0.3 * middle
