"""Chord labels to pitch classes. Source: Harte et al. 2005, "Symbolic representation of musical chords"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from domain.errors import Malformed

PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""How a pitch class is called where nothing says how it is spelt."""
_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SHORTHANDS: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "5": (0, 7),
    "1": (0,),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "7": (0, 4, 7, 10),
    "dim7": (0, 3, 6, 9),
    "hdim7": (0, 3, 6, 10),
    "minmaj7": (0, 3, 7, 11),
    "maj6": (0, 4, 7, 9),
    "min6": (0, 3, 7, 9),
    "9": (0, 4, 7, 10, 2),
    "maj9": (0, 4, 7, 11, 2),
    "min9": (0, 3, 7, 10, 2),
    "11": (0, 4, 7, 10, 5),
    "min11": (0, 3, 7, 10, 5),
    "13": (0, 4, 7, 10, 9),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
}
_DEGREES = {1: 0, 2: 2, 3: 4, 4: 5, 5: 7, 6: 9, 7: 11}
_BASS = {2: "2", 3: "b3", 4: "3", 5: "4", 6: "b5", 7: "5", 8: "#5", 9: "6", 10: "b7", 11: "7"}
_LABEL = re.compile(
    r"(?P<root>[A-G][b#]*)(?::(?P<short>[a-z]*[0-9]*[a-z]*[0-9]*))?(?:\((?P<degrees>[^)]*)\))?(?:/(?P<bass>[b#]*\d+))?\Z"
)
_DEGREE = re.compile(r"(?P<without>\*?)(?P<bent>[b#]*)(?P<number>\d+)\Z")


@dataclass(frozen=True, slots=True)
class Harmony:
    """A chord as pitch classes: `tones` from the root up, and the bass, which may be another tone."""

    root: int
    tones: tuple[int, ...]
    bass: int

    @property
    def fifth(self) -> int:
        """The tone nearest to a fifth above the root; the root where there is none."""
        near = [tone for tone in self.tones if 6 <= (tone - self.root) % 12 <= 8]
        return min(near, key=lambda tone: abs((tone - self.root) % 12 - 7), default=self.root)

    @property
    def intervals(self) -> frozenset[int]:
        """Semitones from the root to each tone."""
        return frozenset((tone - self.root) % 12 for tone in self.tones)


def pitch_class(name: str) -> int:
    """C is 0. Raises: Malformed, for what is no note name."""
    if name[:1] not in _NATURALS or name[1:].strip("b#"):
        raise Malformed(f"{name!r} is not a note name such as F# or Bb", field="tonic")
    return (_NATURALS[name[0]] + name.count("#") - name[1:].count("b")) % 12


@lru_cache(maxsize=4096)
def harmony(label: str) -> Harmony | None:
    """Read a label; None for no chord (N) and an unknown one (X). Raises: Malformed."""
    if label in ("N", "X"):
        return None
    found = _LABEL.match(label)
    short = found["short"] or "" if found else None
    if not found or short not in SHORTHANDS:
        raise Malformed(f"{label!r} is not a chord label such as C, F#:min7, Bb:maj/3 or N", field="chords")
    root = pitch_class(found["root"])
    intervals = list(SHORTHANDS[short] if found["short"] or not found["degrees"] else ())
    for degree in filter(None, (found["degrees"] or "").replace(" ", "").split(",")):
        without, interval = _interval(degree, label)
        if without:
            intervals = [kept for kept in intervals if kept != interval]
        elif interval not in intervals:
            intervals.append(interval)
    bass = _interval(found["bass"], label)[1] if found["bass"] else 0
    tones = tuple((root + interval) % 12 for interval in (intervals or [0]))
    return Harmony(root, tones, (root + bass) % 12)


def _interval(degree: str, label: str) -> tuple[bool, int]:
    found = _DEGREE.match(degree)
    if not found or not int(found["number"]):
        raise Malformed(f"{label!r} names a degree {degree!r}; degrees look like 3, b7 or #11", field="chords")
    number = (int(found["number"]) - 1) % 7 + 1
    bent = found["bent"].count("#") - found["bent"].count("b")
    return bool(found["without"]), (_DEGREES[number] + bent) % 12


def label_of(root: int, quality: str, bass: int = 0) -> str:
    """Write a label: root as a pitch class, quality a shorthand, bass in semitones above the root."""
    slash = f"/{'bb7' if bass == 9 and quality == 'dim7' else _BASS[bass]}" if bass else ""
    return f"{PITCH_CLASSES[root % 12]}:{quality}{slash}"
