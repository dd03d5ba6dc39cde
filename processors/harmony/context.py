"""What fits: how well each pitch class goes with a chord in a key. Knows chords and keys only.

Source: Nettles & Graf 1997, "The Chord Scale Theory": chord tones, then tensions a whole tone above one, then the
tones a semitone above one, which are to be avoided, then what lies outside the scale.
"""

from __future__ import annotations

from processors.harmony.labels import Harmony
from processors.harmony.roman import Key

CHORD_TONE, TENSION, AVOID, OUTSIDE = 9, 6, 3, 1


def chord_scale(chord: Harmony, key: Key) -> frozenset[int]:
    """The pitch classes of the key's scale, bent where the chord's own tones say otherwise."""
    tones = frozenset(chord.tones)
    replaced = {_replaced(tone, chord) for tone in tones - key.scale}
    return (key.scale - replaced) | tones


def _replaced(tone: int, chord: Harmony) -> int:
    """The degree that a bent tone stands for: a major third for the minor one, a flat seventh for the sharp one."""
    interval = (tone - chord.root) % 12
    lead = 6 in chord.intervals
    step = {0: -1 if lead else 1, 3: 1, 4: -1, 6: 1, 8: -1, 9: 1, 10: 1, 11: -1}.get(interval, -1)
    return (tone + step) % 12


def fits(chord: Harmony | None, key: Key | None) -> tuple[int, ...]:
    """How well each pitch class from C fits, from 0 to 9, shape (12,); zeros where neither chord nor key is known."""
    if key is None and chord is None:
        return (0,) * 12
    if chord is None:
        return tuple(TENSION if tone in key.scale else OUTSIDE for tone in range(12)) if key else (0,) * 12
    scale = chord_scale(chord, key) if key else frozenset(chord.tones)
    return tuple(_fit(tone, chord, scale) for tone in range(12))


def _fit(tone: int, chord: Harmony, scale: frozenset[int]) -> int:
    if tone in chord.tones:
        return CHORD_TONE
    if tone not in scale:
        return OUTSIDE
    return AVOID if (tone - 1) % 12 in chord.tones else TENSION


def digits(weights: tuple[int, ...]) -> str:
    """The twelve weights as digits from C, as events hold them."""
    return "".join(str(weight) for weight in weights)
