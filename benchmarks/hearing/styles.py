"""What arrangements are made of: progressions, drum and accompaniment patterns, forms."""

from __future__ import annotations

Chord = tuple[int, str, int]
"""Semitones from the tonic to the root, Harte's quality, semitones from the root to the bass."""

TONES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "dim": (0, 3, 6), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10), "hdim7": (0, 3, 6, 10), "dim7": (0, 3, 6, 9), "sus4": (0, 5, 7), "maj6": (0, 4, 7, 9),
}  # fmt: skip


def chords_of(text: str) -> tuple[Chord, ...]:
    """Read "0:maj 7:7/4": semitones above the tonic, quality, and above the root where the bass is another tone."""
    found: list[Chord] = []
    for word in text.split():
        root, _, rest = word.partition(":")
        quality, _, bass = rest.partition("/")
        found.append((int(root), quality, int(bass or 0)))
    return tuple(found)


PROGRESSIONS: dict[str, tuple[tuple[Chord, ...], ...]] = {
    "major": tuple(
        chords_of(text)
        for text in (
            "0:maj 7:maj 9:min 5:maj",
            "9:min 5:maj 0:maj 7:maj",
            "0:maj 9:min 5:maj 7:7",
            "0:maj 7:maj/4 9:min 0:maj/7 5:maj 0:maj/4 2:min7 7:7",
            "0:maj7 9:min7 2:min7 7:7",
            "5:maj7 4:min7 9:min7 2:min7 7:7 0:maj7",
            "0:maj 5:maj/7 0:maj 7:7/4",
            "0:7 5:7 0:7 0:7 5:7 5:7 0:7 9:7 2:min7 7:7 0:7 7:7",
            "0:maj 4:min 5:maj 7:sus4 7:maj 0:maj",
            "0:maj6 2:7 2:min7 7:7",
            "5:maj 0:maj/4 2:min 0:maj 7:maj 7:7",
        )
    ),
    "minor": tuple(
        chords_of(text)
        for text in (
            "0:min 8:maj 3:maj 10:maj",
            "0:min 5:min 7:7 0:min",
            "0:min7 5:min7 10:7 3:maj7 8:maj7 2:hdim7 7:7 0:min7",
            "0:min 0:min/10 8:maj 7:7",
            "0:min 10:maj 8:maj 10:maj",
            "8:maj 10:maj 0:min 3:maj/4",
            "0:min 7:7/4 0:min/3 5:min 0:min/7 7:7",
            "5:min7 10:7 3:maj7 11:dim7 0:min 7:7",
        )
    ),
}

KICK, RIM, SNARE, HAT, PEDAL, TOM, OPEN, CRASH, RIDE, SHAKER = 36, 37, 38, 42, 44, 45, 46, 49, 51, 70
LOUD = {KICK: 102, RIM: 80, SNARE: 104, HAT: 70, PEDAL: 70, OPEN: 76, RIDE: 82, SHAKER: 62}

Hits = tuple[tuple[float, int, int], ...]
"""Place in the bar in quarter notes, drum, velocity."""


def hits_of(bar_q: float, **lines: str) -> Hits:
    """Read a line of "x" and "-" a drum, as many to the bar as it has letters; an "o" is played softly."""
    drums = {"kick": KICK, "rim": RIM, "snare": SNARE, "hat": HAT, "pedal": PEDAL, "opened": OPEN, "ride": RIDE}
    drums["shaker"] = SHAKER
    return tuple(
        (bar_q * step / len(line), drums[name], LOUD[drums[name]] - (20 if mark == "o" else 0))
        for name, line in lines.items()
        for step, mark in enumerate(line)
        if mark != "-"
    )


DRUMS_OF: dict[str, tuple[Hits, ...]] = {
    "4/4": (
        hits_of(4, kick="x-x-", snare="-x-x", hat="xoxoxoxo"),
        hits_of(4, kick="xxxx", snare="-o-o", opened="-x-x-x-x"),
        hits_of(4, kick="x--o-o--", snare="-x-x", hat="xoxoxoxoxoxoxoxo"),
        hits_of(4, ride="x-xox-xo", pedal="-x-x", kick="o-o-"),
        hits_of(4, kick="x----o--", snare="--x-", hat="xoxoxoxo"),
        hits_of(4, kick="x--oo--o", rim="x--x--x-", shaker="xoxoxoxo"),
    ),
    "3/4": (
        hits_of(3, kick="x--", hat="-xx", snare="-oo"),
        hits_of(3, ride="x-x-xo", kick="x--", pedal="-xx"),
    ),
    "6/8": (
        hits_of(3, kick="x-----", snare="---x--", hat="xooxoo"),
        hits_of(3, kick="x-o--o", snare="---x--", ride="xooxoo"),
    ),
}

Figure = tuple[tuple[float, float], ...]
"""Places and lengths in the bar."""

COMPING: dict[str, tuple[Figure, ...]] = {
    "4/4": (
        ((0, 4),),
        ((0, 1), (1, 1), (2, 1), (3, 1)),
        ((0, 1.5), (1.5, 1), (2.5, 1.5)),
        ((0.5, 0.4), (1.5, 0.4), (2.5, 0.4), (3.5, 0.4)),
        ((0, 0.5), (1.5, 0.5), (3, 0.9)),
        (),
    ),
    "3/4": (((0, 3),), ((1, 0.8), (2, 0.8)), ()),
    "6/8": (((0, 3),), ((0, 1), (1, 0.5), (1.5, 1), (2.5, 0.5)), ()),
}
"""An empty figure is an arpeggio in eighths."""

BASSES: dict[str, tuple[tuple[tuple[float, float, int], ...], ...]] = {
    "4/4": (
        ((0, 2, 0), (2, 2, 0)),
        tuple((step / 2, 0.5, 0) for step in range(8)),
        ((0, 1.5, 0), (1.5, 1, 0), (2.5, 1.5, 7)),
        ((0, 1, 0), (1, 1, 4), (2, 1, 7), (3, 1, 4)),
        ((0, 1, 0), (2, 1, 7)),
        ((0, 1.5, 0), (2, 1, 12), (3.5, 0.5, 7)),
    ),
    "3/4": (((0, 1, 0),), ((0, 2, 0), (2, 1, 7)), ((0, 1, 0), (1, 1, 4), (2, 1, 7))),
    "6/8": (((0, 1.5, 0), (1.5, 1.5, 0)), ((0, 1, 0), (1, 0.5, 7), (1.5, 1, 0), (2.5, 0.5, 7))),
}
"""Place, length and which of root, third (4), fifth (7) and octave (12) of the chord; the first note is the bass."""

Form = tuple[tuple[str, int], ...]


def form_of(text: str) -> Form:
    """Read "intro4 A8 A8": what each section is called and its bars."""
    return tuple(
        (word.rstrip("0123456789"), int(word.lstrip("abcdefghijklmnopqrstuvwxyzABC"))) for word in text.split()
    )


FORMS: tuple[Form, ...] = tuple(
    form_of(text)
    for text in (
        "intro4 A8 A8 B8 A8 outro4",
        "intro4 verse8 chorus8 verse8 chorus8 outro4",
        "A8 A8 B8 A8",
        "intro4 A8 B8 A8 B8 C8 B8",
        "intro8 verse8 verse8 chorus8 bridge4 chorus8 outro4",
    )
)
