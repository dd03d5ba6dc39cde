"""Single notes of General MIDI instruments, by family."""

from __future__ import annotations

from benchmarks.hearing.sheet import Played, Sheet

FAMILIES: dict[str, tuple[int, ...]] = {
    "piano": (0, 1, 2, 4),
    "mallets": (9, 11, 12, 13),
    "organ": (16, 18, 19),
    "guitar": (24, 25, 26, 27, 30),
    "bass": (32, 33, 34, 38),
    "strings": (40, 41, 42, 48),
    "brass": (56, 57, 58, 60),
    "reed": (65, 66, 68, 70, 71),
    "flute": (73, 72, 75),
    "voice": (52, 53),
}
"""Programs from 0 for the first. Where GM's own families mix what no ear would (its ensembles), they are left out."""
_LOW = {"bass": 31, "guitar": 45, "piano": 48, "mallets": 60, "organ": 48, "strings": 50, "brass": 50, "reed": 55,
        "flute": 67, "voice": 55}  # fmt: skip
_DEEP = {42: 40, 57: 43, 58: 36, 66: 50, 70: 40, 43: 33}
_STEPS = (0, 5, 11)


def sheets() -> list[tuple[str, Sheet]]:
    """Return family and sheet of three notes of each instrument."""
    return [
        (family, note(family, program, _DEEP.get(program, _LOW[family]) + step))
        for family, programs in FAMILIES.items()
        for program in programs
        for step in _STEPS
    ]


def note(family: str, program: int, pitch: int) -> Sheet:
    """Return a note of a second and a half."""
    return Sheet(
        name=f"note-{family}-{program:03d}-{pitch:03d}",
        kind="note",
        programs=(program,),
        notes=(Played(0.0, 1.5, pitch, 96, 0),),
        tempi=((0.0, 60.0),),
        end_q=1.5,
        tags=("note", family),
    )
