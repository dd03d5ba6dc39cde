"""Roman numerals and functions: what a chord is in a key. Knows chords and keys only, whatever they come from.

Source: Piston & DeVoto 1987, "Harmony", for numerals, applied dominants and figures of inversion; figures are written
as music21 writes them ("ii6/5", "viio7/V", "V2"). Riemann 1893 for tonic, subdominant and dominant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.harmony.labels import PITCH_CLASSES, Harmony, harmony

MAJOR, MINOR = "major", "minor"
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII")
_SCALES = {MAJOR: (0, 2, 4, 5, 7, 9, 11), MINOR: (0, 2, 3, 5, 7, 8, 10)}
_FUNCTIONS = {
    MAJOR: dict(zip(range(12), "TSSTTSDDSTSD", strict=True)),
    MINOR: dict(zip(range(12), "TSSTTSDDTTDD", strict=True)),
}
_KINDS: tuple[tuple[str, frozenset[int]], ...] = (
    ("hdim7", frozenset({0, 3, 6, 10})),
    ("dim7", frozenset({0, 3, 6, 9})),
    ("dim", frozenset({0, 3, 6})),
    ("aug", frozenset({0, 4, 8})),
    ("7", frozenset({0, 4, 10})),
    ("maj7", frozenset({0, 4, 11})),
    ("minmaj7", frozenset({0, 3, 11})),
    ("min7", frozenset({0, 3, 10})),
    ("maj", frozenset({0, 4})),
    ("min", frozenset({0, 3})),
    ("sus4", frozenset({0, 5, 7})),
    ("sus2", frozenset({0, 2, 7})),
)
"""Kinds of chord by what they must hold, the richest first."""
SEVENTHS = frozenset({"hdim7", "dim7", "7", "maj7", "minmaj7", "min7"})
_THIRDS = {"dim": (3, 6, 9), "hdim7": (3, 6, 10), "dim7": (3, 6, 9), "aug": (4, 8, 11)}


@dataclass(frozen=True, slots=True)
class Key:
    """A key: tonic as a pitch class from C = 0, mode `major` or `minor`."""

    tonic: int
    mode: str

    @property
    def name(self) -> str:
        """As in "F# minor"."""
        return f"{PITCH_CLASSES[self.tonic]} {self.mode}"

    @property
    def scale(self) -> frozenset[int]:
        """The pitch classes of the major or natural minor scale."""
        return frozenset((self.tonic + degree) % 12 for degree in _SCALES[self.mode])


@dataclass(frozen=True, slots=True)
class Numeral:
    """What a chord is in its key: `figure` as in "V6/5/ii", `degree` from 0 semitones, `function` T, S or D."""

    figure: str
    degree: int
    kind: str
    function: str
    applied: bool = False


def kind_of(chord: Harmony) -> str:
    """The kind of chord, `5` where there is neither third nor fourth."""
    held = chord.intervals
    return next((name for name, needed in _KINDS if needed <= held), "5")


def numeral(chord: Harmony, key: Key, after: Harmony | None = None) -> Numeral:
    """Name a chord in a key; what comes after it says which dominants are applied, and how a dim7 is spelt."""
    kind = kind_of(chord)
    root = _dim7_root(chord, key, after) if kind == "dim7" else chord.root
    degree = (root - key.tonic) % 12
    target = _applied_to(degree, kind, key, after)
    figure = _inversion((chord.bass - root) % 12, kind)
    if target is not None:
        head = "V" if kind in ("maj", "7") else "vii" + _mark(kind)
        over = _degree_name(target, _expected(target, key), key)
        return Numeral(f"{head}{figure}/{over}", degree, kind, "D", applied=True)
    function = _FUNCTIONS[key.mode][degree]
    cadential = degree == 0 and figure == "6/4" and after is not None and (after.root - key.tonic) % 12 == 7
    return Numeral(_degree_name(degree, kind, key) + _mark(kind) + figure, degree, kind, "D" if cadential else function)


def numerals(chords: Sequence[Harmony | None], keys: Sequence[Key]) -> list[Numeral | None]:
    """Name chords one after the other, each in its own key; None where there is no chord."""
    following = [*chords[1:], None]
    return [
        numeral(chord, key, after) if chord else None for chord, key, after in zip(chords, keys, following, strict=True)
    ]


def of_labels(labels: Sequence[str], keys: Sequence[Key]) -> list[Numeral | None]:
    """Name chords by their labels. Raises: Malformed."""
    return numerals([harmony(label) for label in labels], keys)


def _degree_name(degree: int, kind: str, key: Key) -> str:
    scale = _SCALES[key.mode]
    small = kind in ("min", "min7", "minmaj7", "dim", "hdim7", "dim7")
    if degree in scale:
        name = _ROMAN[scale.index(degree)]
    elif degree == 11:  # the leading tone of minor needs no sign
        name = "VII" if small else "#VII"
    elif key.mode == MINOR and degree == 9:
        name = "VI" if kind in ("dim", "hdim7") else "#VI"
    elif degree + 1 in scale and degree != 6:
        name = "b" + _ROMAN[scale.index(degree + 1)]
    else:
        name = "#" + _ROMAN[scale.index(degree - 1)]
    return name.lower() if small else name


def _mark(kind: str) -> str:
    return {"dim": "o", "dim7": "o", "hdim7": "ø", "aug": "+", "sus4": "sus4", "sus2": "sus2"}.get(kind, "")


def _inversion(bass: int, kind: str) -> str:
    third, fifth, seventh = _THIRDS.get(kind, (4 if kind in ("maj", "7", "maj7") else 3, 7, 10))
    full = kind in SEVENTHS
    if bass == third:
        return "6/5" if full else "6"
    if bass == fifth:
        return "4/3" if full else "6/4"
    if bass in (9, 10, 11) and bass not in (third, fifth) and (full or bass == seventh):
        return "2"
    return "7" if full else ""


def _expected(degree: int, key: Key) -> str:
    """The triad of a degree, as a target of applied chords."""
    if key.mode == MAJOR:
        return "min" if degree in (2, 4, 9) else "maj"
    return "min" if degree in (0, 5) else "maj"


def _applied_to(degree: int, kind: str, key: Key, after: Harmony | None) -> int | None:
    """The degree that a chord is the dominant of, None for one that belongs to the key."""
    targets = (2, 4, 5, 7, 9) if key.mode == MAJOR else (3, 5, 7, 8, 10)
    goes_to = None if after is None else (after.root - key.tonic) % 12
    if kind in ("maj", "7"):
        target = (degree + 5) % 12
        if target not in targets:
            return None
        if kind == "7":
            return None if key.mode == MINOR and degree in (5, 10) and goes_to != target else target
        if degree in _SCALES[key.mode] and _own_major(degree, key):
            return None
        if key.mode == MINOR and degree in (0, 5):  # a Picardy third, a Dorian fourth: unless it goes on as a dominant
            return target if goes_to == target else None
        return target
    if kind in ("dim", "dim7", "hdim7"):
        target = (degree + 1) % 12
        if degree == 11 or (degree == 2 and kind != "dim7" and key.mode == MINOR):
            return None
        return target if target in targets else None
    return None


def _own_major(degree: int, key: Key) -> bool:
    return degree in ((0, 5, 7) if key.mode == MAJOR else (3, 7, 8, 10))


def _dim7_root(chord: Harmony, key: Key, after: Harmony | None) -> int:
    """Which of the four tones of a diminished seventh leads: to what follows, else to the tonic, else to a target."""
    tones = {(chord.root + step) % 12 for step in (0, 3, 6, 9)}
    leading = (key.tonic + 11) % 12
    if after is not None and (after.root - 1) % 12 in tones and kind_of(after) in ("maj", "min", "7", "min7", "maj7"):
        return (after.root - 1) % 12
    if leading in tones:
        return leading
    to_fifth = (key.tonic + 6) % 12
    return to_fifth if to_fifth in tones else chord.root
