"""Chord labels to pitch classes, and chords to voicings and bass notes that move little.

Source: Harte et al. 2005, "Symbolic representation of musical chords"; close voicing and least motion as taught in
any keyboard harmony.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise, permutations

from domain.errors import Malformed
from domain.values import Chord

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHORTHANDS: dict[str, tuple[int, ...]] = {
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
_LABEL = re.compile(
    r"(?P<root>[A-G][b#]*)(?::(?P<short>[a-z]*[0-9]*[a-z]*[0-9]*))?(?:\((?P<degrees>[^)]*)\))?(?:/(?P<bass>[b#]*\d+))?\Z"
)
_DEGREE = re.compile(r"(?P<without>\*?)(?P<bent>[b#]*)(?P<number>\d+)\Z")
LOWEST_BASS, HIGHEST_BASS = 28, 47
LOWEST, HIGHEST, CENTRE = 52, 77, 64


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


def pitch_class(name: str) -> int:
    """C is 0. Raises: Malformed, for what is no note name."""
    if name[:1] not in _NATURALS or name[1:].strip("b#"):
        raise Malformed(f"{name!r} is not a note name such as F# or Bb", field="tonic")
    return (_NATURALS[name[0]] + name.count("#") - name[1:].count("b")) % 12


def harmony(label: str) -> Harmony | None:
    """Read a label; None for no chord (N) and an unknown one (X). Raises: Malformed."""
    if label in ("N", "X"):
        return None
    found = _LABEL.match(label)
    short = found["short"] or "" if found else None
    if not found or short not in _SHORTHANDS:
        raise Malformed(f"{label!r} is not a chord label such as C, F#:min7, Bb:maj/3 or N", field="chords")
    root = pitch_class(found["root"])
    intervals = list(_SHORTHANDS[short] if found["short"] or not found["degrees"] else ())
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
